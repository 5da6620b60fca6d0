import Kernels
import System

/// Where a scratch region begins; everything taken after it is given back at once.
public struct ScratchMark {
    public let chunk: Int
    public let offset: Int

    public init(chunk: Int, offset: Int) {
        self.chunk = chunk
        self.offset = offset
    }
}

/// A term added to each row of a product's result, the part `W pos` of `W (x + pos)`.
///
/// Row `r` receives `vertical[r / period]` plus, where present, `horizontal[r % period]`: the sine position code is
/// separable, so a map needs height + width rows instead of height x width.
public struct PositionTable {
    public let vertical: Matrix
    public let horizontal: Matrix?
    public let period: Int

    /// For a map: `vertical` has a row for each line, `horizontal` one for each column.
    public init(vertical: Matrix, horizontal: Matrix) {
        self.vertical = vertical
        self.horizontal = horizontal
        period = horizontal.rows
    }

    /// One row for each row of the result.
    public init(rows: Matrix) {
        vertical = rows
        horizontal = nil
        period = 1
    }

    /// The same row everywhere.
    public init(constant: Matrix) {
        vertical = constant
        horizontal = nil
        period = Int.max
    }
}

/// Which keys a query may not attend to.
///
/// Bit `t & 63` of word `t >> 6` in a query's row is set where key `t` is blocked.
public struct BlockedKeys {
    public let words: UnsafeMutablePointer<UInt64>
    public let wordsPerRow: Int

    public init(words: UnsafeMutablePointer<UInt64>, wordsPerRow: Int) {
        self.words = words
        self.wordsPerRow = wordsPerRow
    }

    public func row(_ query: Int) -> UnsafeMutablePointer<UInt64> {
        words + query * wordsPerRow
    }
}

/// The fused steps of FC-CLIP in one number format.
///
/// The network is written once against these steps. A step's input that is read by a product is an `Operand`: the values
/// as that product wants them (float32 in the reference, int8 at a quantization point on the board). Streams that
/// residuals are added to, normalisation, softmax and positions stay in float32 matrices everywhere.
/// Steps take scratch memory that lives until the enclosing `release(_:)`.
public protocol Arithmetic: AnyObject {
    /// Rows x channels, the input of products.
    associatedtype Operand
    /// Weights of a linear layer or of a convolution flattened to one: columns x depth, and a bias.
    associatedtype Linear
    /// Weights of a depthwise 7x7 convolution.
    associatedtype Depthwise
    /// A place where values become an operand; in int8 its scale and zero point.
    associatedtype QuantizationPoint

    // MARK: Parameters, looked up by name when the network is put together

    func quantizationPoint(_ name: String, channels: Int) throws(Fault) -> QuantizationPoint
    /// A layer from `depth` to `columns` channels that reads operands at `input`; a convolution's depth is a multiple of the
    /// point's channels, ordered (kernel row, kernel column, channel).
    func linear(_ name: String, columns: Int, depth: Int, input: QuantizationPoint) throws(Fault) -> Linear
    func depthwise(_ name: String, channels: Int, input: QuantizationPoint) throws(Fault) -> Depthwise
    /// Makes sure that one kernel can read operands at all of `points` together: in one format, each with one scale for all
    /// channels. - Parameter symmetric: the first has zero point 0. - Throws: naming `user`, when it cannot.
    func require(_ points: [QuantizationPoint], symmetric: Bool, for user: String) throws(Fault)
    /// A float32 table (normalisation parameters, embeddings), rows x columns; vectors have one row.
    func parameter(_ name: String, rows: Int, columns: Int) throws(Fault) -> Matrix

    // MARK: Memory and threads

    /// An uninitialised matrix in scratch memory.
    func matrix(rows: Int, columns: Int) -> Matrix
    /// `count` uninitialised values of a plain type in scratch memory.
    func scratch<Element>(_ type: Element.Type, count: Int) -> UnsafeMutablePointer<Element>
    /// `count` zeroed words in scratch memory.
    func words(_ count: Int) -> UnsafeMutablePointer<UInt64>
    /// Lets the scratch memory taken from here on, and that of each thread, come from blocks of so many bytes.
    func reserve(shared: Int, perThread: Int)
    func mark() -> ScratchMark
    func release(_ mark: ScratchMark)
    /// Calls `body` with the bounds of consecutive ranges that cover `0..<count`, on several threads.
    func parallel(_ count: Int, _ body: (Range<Int>) -> Void)
    /// Calls `body`, which reads and writes values in scratch memory but takes none; an arithmetic that only counts memory leaves it out.
    func compute(_ body: () -> Void)
    /// Does the work of a kernel that has no parameters, on the calling thread.
    func perform(_ kernel: FloatKernel)

    // MARK: Products

    /// Whether products of parameters alone may be made once, before the first picture: not where all that is computed is observed.
    var keepsConstants: Bool { get }
    /// `values` at `point`. The operand may be a view of them: they stay unchanged while it is read.
    func operand(_ values: Matrix, at point: QuantizationPoint) -> Operand
    /// A map of `size` with `columns` channels at `point`, put out by `write`: all pixels, in any order, on any threads, line `y` from row
    /// `y * period` of `output` on. - Parameter bordered: `convolution3x3` reads it, and nothing else does.
    func operand(size: Size, columns: Int, at point: QuantizationPoint, bordered: Bool, _ write: (_ output: RowOutput, _ period: Int) -> Void) -> Operand
    /// Rows `range` of an operand.
    func rows(_ range: Range<Int>, of operand: Operand) -> Operand
    /// `into = x W^T + bias`, plus the position table's rows.
    func linear(_ x: Operand, _ layer: Linear, adding table: PositionTable?, into: Matrix)
    /// As above, activated, at `point`.
    func linear(_ x: Operand, _ layer: Linear, adding table: PositionTable?, activation: Activation, at point: QuantizationPoint) -> Operand
    /// `stream += x W^T + bias`.
    func linear(_ x: Operand, _ layer: Linear, addingTo stream: Matrix)
    /// `stream += project(activation(expand(x)))`: the two feed-forward layers (MLP) of a ConvNeXt block or a transformer layer.
    func feedForward(_ x: Operand, expand: Linear, activation: Activation, at hidden: QuantizationPoint, project: Linear, addingTo stream: Matrix)
    /// `x W^T` of float rows without bias: position tables, once for an input size.
    func table(_ x: Matrix, _ layer: Linear, into: Matrix)

    // MARK: Convolutions (maps are row-major, one row a pixel)

    /// 4x4 convolution with stride 4 of an RGB8 picture (row-major, 3 bytes a pixel, `size` before padding) that is
    /// normalised with CLIP's mean and deviation and padded with zeros to `padded`. `into`: one row for each output pixel.
    func stem(_ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, _ layer: Linear, into: Matrix)
    /// Depthwise 7x7 convolution, zero padding, then LayerNorm without its affine part, at `point`.
    func depthwiseNorm(_ x: Operand, size: Size, _ layer: Depthwise, epsilon: Float, at point: QuantizationPoint) -> Operand
    /// LayerNorm without its affine part, then 2x2 convolution with stride 2: `size` is the input's, even in both directions.
    func normReduce(_ x: Matrix, size: Size, epsilon: Float, at point: QuantizationPoint, _ layer: Linear, into: Matrix)
    /// 3x3 convolution of a bordered operand with zero padding; depth is ordered (kernel row, kernel column, channel).
    func convolution3x3(_ x: Operand, size: Size, _ layer: Linear, into: Matrix)

    // MARK: Attention

    /// Multi-head attention: softmax(q k^T / sqrt(head width)) v with blocked keys left out, at `point`.
    func attention(query: Operand, key: Operand, value: Operand, heads: Int, blocked: BlockedKeys?, at point: QuantizationPoint) -> Operand
    /// Multi-scale deformable attention (`DeformableSampling.swift` in Kernels), at `point`. `offsets` are ordered (head, level,
    /// point, x and y); `weights` (head, level, point) are given before the softmax and are overwritten by it.
    func sampledAttention(value: Operand, offsets: Matrix, weights: Matrix, levels: [Size], heads: Int, points: Int, at point: QuantizationPoint) -> Operand

    // MARK: Masks

    /// Mask logits: `into[q][p]` = embedding of query q . feature of pixel p.
    func masks(_ embeddings: Operand, features: Operand, into: Matrix)
    /// Mean of the rows of `features` whose bit is set, for each of `into.rows` masks; empty masks give zeros.
    func maskedMean(_ bits: UnsafePointer<UInt64>, wordsPerRow: Int, features: Operand, into: Matrix)
    /// `into = x rows^T` in float32.
    func similarity(_ x: Matrix, _ rows: Matrix, into: Matrix)

    // MARK: Looking inside

    /// Whether intermediate tensors are recorded; the network then also computes those that only a comparison needs.
    var isTracing: Bool { get }
    func record(_ name: @autoclosure () -> String, _ values: Matrix)
    func record(_ name: @autoclosure () -> String, _ values: Operand)
}

extension Arithmetic {
    public func compute(_ body: () -> Void) { body() }
}
