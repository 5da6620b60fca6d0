import Kernels
import System

/// A position in scratch memory: releasing it releases everything that was taken after it.
public struct ScratchMark {
    public let chunk, offset: Int
    /// Bytes taken of memory that was lent (`Arithmetic.withScratch`).
    public let lent: Int

    public init(chunk: Int, offset: Int, lent: Int) {
        (self.chunk, self.offset, self.lent) = (chunk, offset, lent)
    }
}

/// A term that is added to each row of a GEMM's result: the part `W pos` of `W (x + pos)`.
///
/// Row `r` receives `vertical[r / period]` plus, where present, `horizontal[r % period]`. The sine positional encoding
/// is separable, so a map needs height + width rows instead of height x width.
public struct PositionTable {
    public let vertical: Matrix
    public let horizontal: Matrix?
    public let period: Int

    /// A term for a map: `vertical` has a row for each line of the map, `horizontal` one for each column.
    public init(vertical: Matrix, horizontal: Matrix) {
        self.vertical = vertical
        self.horizontal = horizontal
        period = horizontal.rows
    }

    /// A term with one row for each row of the result.
    public init(rows: Matrix) {
        vertical = rows
        horizontal = nil
        period = 1
    }

    /// A term with the same row (1 x columns) for every row of the result.
    public init(constant: Matrix) {
        vertical = constant
        horizontal = nil
        period = Int.max
    }
}

/// The keys that each query must not attend to.
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

/// Where a step writes a map: the pixels of line `y` from row `y * period` of `rows` on.
public struct MapOutput {
    public let rows: RowOutput
    public let period: Int

    public init(_ rows: RowOutput, period: Int) {
        (self.rows, self.period) = (rows, period)
    }

    /// All pixels of a map `width` pixels wide, one after the other.
    public init(_ map: Matrix, width: Int) {
        self.init(.floats(map.base, stride: map.columns), period: width)
    }

    /// The same from line `line` on.
    public func line(_ line: Int) -> MapOutput { MapOutput(rows.advanced(by: line * period), period: period) }
}

/// The square windows of a convolution that reads the picture: `size` pixels wide, `stride` pixels apart, the first `padding` pixels outside.
public struct Window: Sendable {
    public let size, stride, padding: Int

    public init(size: Int, stride: Int, padding: Int) {
        (self.size, self.stride, self.padding) = (size, stride, padding)
    }
}

/// The fused steps of FC-CLIP in one number format.
///
/// The network is written once against these steps. The input of a GEMM, a convolution or attention is an `Operand`:
/// float32 values in the reference, int8 values at a quantization point on the board. Residual streams, normalisation,
/// softmax and positional encodings are float32 matrices in every number format. Steps take scratch memory that lives
/// until the enclosing `release(_:)`.
public protocol Arithmetic: AnyObject {
    /// Rows x channels: the input of GEMMs, convolutions and attention.
    associatedtype Operand
    /// Weights (columns x depth) and bias of a linear layer, or of a convolution that is computed as one.
    associatedtype Linear
    /// Weights of a depthwise 7x7 convolution.
    associatedtype Depthwise
    /// Rows that others are compared with.
    associatedtype Comparands
    /// The quantization of an operand: in int8 its scale and zero point.
    associatedtype QuantizationPoint

    // MARK: Parameters, looked up by name when the network is created

    /// The quantization point `name` of operands with `channels` columns.
    func quantizationPoint(_ name: String, channels: Int) throws(Fault) -> QuantizationPoint
    /// A layer from `depth` to `columns` channels that reads operands at the quantization point `input`. The depth of a
    /// convolution is a multiple of the channels of `input`, ordered (kernel row, kernel column, channel).
    ///
    /// - Parameter taps: the lines of its window, for a convolution that reads them in place: `stem` and `convolution3x3`; otherwise 1.
    func linear(_ name: String, columns: Int, depth: Int, taps: Int, input: QuantizationPoint) throws(Fault) -> Linear
    /// A depthwise 7x7 convolution of `channels` channels that reads operands at `input`.
    func depthwise(_ name: String, channels: Int, input: QuantizationPoint) throws(Fault) -> Depthwise
    /// Checks that one kernel can read operands at all of `points` together: all int8 or all float32, each with one
    /// scale for all channels.
    ///
    /// - Parameter symmetric: whether the first must have zero point 0.
    /// - Throws: when they do not; the message names `user`.
    func require(_ points: [QuantizationPoint], symmetric: Bool, for user: String) throws(Fault)
    /// Float32 values (normalisation parameters, embeddings), rows x columns. A vector has one row.
    func parameter(_ name: String, rows: Int, columns: Int) throws(Fault) -> Matrix

    // MARK: Memory and threads

    /// An uninitialised matrix in scratch memory.
    func matrix(rows: Int, columns: Int) -> Matrix
    /// `count` uninitialised values of a plain type in scratch memory.
    func scratch<Element>(_ type: Element.Type, count: Int) -> UnsafeMutablePointer<Element>
    /// `count` zeroed words in scratch memory.
    func words(_ count: Int) -> UnsafeMutablePointer<UInt64>
    /// Allocates blocks of so many bytes for the scratch memory taken from here on, and for that of each thread.
    func reserve(shared: Int, perThread: Int)
    /// The current position in scratch memory.
    func mark() -> ScratchMark
    /// Releases all scratch memory that was taken after `mark`.
    func release(_ mark: ScratchMark)
    /// Takes the scratch memory that `body` asks for from `memory`, which nothing else uses, and where that has no room left from elsewhere.
    ///
    /// - Returns: the values of `memory` that are still taken.
    @discardableResult
    func withScratch(in memory: Matrix, _ body: () -> Void) -> Int
    /// Calls `body` with the bounds of consecutive ranges that cover `0..<count`, on several threads.
    func parallel(_ count: Int, _ body: (Range<Int>) -> Void)
    /// Calls `body`, which reads and writes values in scratch memory but takes none. An arithmetic that only counts
    /// memory does not call it, nor the body of `parallel`: only these two and kernels may touch scratch memory.
    func compute(_ body: () -> Void)
    /// Runs a kernel that has no parameters of the model, on the calling thread.
    func perform(_ kernel: FloatKernel)

    // MARK: GEMM

    /// Whether the network may compute what depends on parameters alone once, before the first picture. False where
    /// every computation is observed.
    var keepsConstants: Bool { get }
    /// `values`, quantized at `point`. The operand may be a view of `values`, which must not change while the operand
    /// is in use.
    func operand(_ values: Matrix, at point: QuantizationPoint) -> Operand
    /// A map of `size` with `columns` channels at `point`, whose values `write` writes.
    ///
    /// - Parameters:
    ///   - bordered: whether `convolution3x3` will read it; then no other step may.
    ///   - write: writes all pixels, in any order and on any threads.
    func operand(size: Size, columns: Int, at point: QuantizationPoint, bordered: Bool, _ write: (MapOutput) -> Void) -> Operand
    /// Rows `range` of an operand.
    func rows(_ range: Range<Int>, of operand: Operand) -> Operand
    /// `into = x W^T + bias`, plus the position table's rows.
    func linear(_ x: Operand, _ layer: Linear, adding table: PositionTable?, into: Matrix)
    /// `activation(x W^T + bias)`, plus the position table's rows before the activation, quantized at `point`.
    func linear(_ x: Operand, _ layer: Linear, adding table: PositionTable?, activation: Activation, at point: QuantizationPoint) -> Operand
    /// `stream = activation(stream + x W^T + bias)`, in float32. - Parameter activation: none or ReLU.
    func linear(_ x: Operand, _ layer: Linear, addingTo stream: Matrix, activation: Activation)
    /// `stream += project(activation(expand(x)))`: the two feed-forward layers (MLP) of a ConvNeXt block or a
    /// transformer layer.
    func feedForward(_ x: Operand, expand: Linear, activation: Activation, at hidden: QuantizationPoint, project: Linear, addingTo stream: Matrix)
    /// `into = x W^T` in float32, without bias. For position tables, which are computed once for each input size.
    func table(_ x: Matrix, _ layer: Linear, into: Matrix)

    // MARK: Convolutions (maps are row-major, one row for each pixel)

    /// `activation` of the convolution of an RGB8 picture (row-major, 3 bytes a pixel, `size` before padding), which is
    /// normalised with CLIP's mean and deviation and then padded with zeros to `padded` and by the window's padding. The
    /// result has `padded / window.stride` pixels. The layer has as many taps as the window has lines.
    func stem(
        _ pixels: UnsafePointer<UInt8>, size: Size, padded: Size, window: Window, _ layer: Linear, activation: Activation, into output: MapOutput)
    /// Depthwise 7x7 convolution, zero padding, then LayerNorm without its affine part, at `point`.
    func depthwiseNorm(_ x: Operand, size: Size, _ layer: Depthwise, epsilon: Float, at point: QuantizationPoint) -> Operand
    /// LayerNorm without its affine part, then 2x2 convolution with stride 2. `size` is the input's; height and width
    /// are even.
    func normReduce(_ x: Matrix, size: Size, epsilon: Float, at point: QuantizationPoint, _ layer: Linear, into: Matrix)
    /// `activation` of the 1x1 convolution of a map of `size`.
    func convolution1x1(_ x: Operand, size: Size, _ layer: Linear, activation: Activation, into output: MapOutput)
    /// `activation` of the 3x3 convolution, with zero padding, of a bordered operand of `size`. The layer has three taps.
    ///
    /// - Parameter pooled: whether the result is then averaged over squares of 2x2 pixels; `size` is even then.
    func convolution3x3(_ x: Operand, size: Size, _ layer: Linear, activation: Activation, pooled: Bool, into output: MapOutput)

    // MARK: Attention

    /// Multi-head attention: softmax(q k^T / sqrt(head width)) v without the blocked keys, quantized at `point`.
    func attention(query: Operand, key: Operand, value: Operand, heads: Int, blocked: BlockedKeys?, at point: QuantizationPoint) -> Operand
    /// Multi-scale deformable attention (`DeformableSampling.swift` in Kernels), quantized at `point`.
    ///
    /// - Parameters:
    ///   - offsets: ordered (head, level, sampling point, x and y).
    ///   - weights: ordered (head, level, sampling point), before the softmax, which overwrites them.
    ///   - points: sampling points of each head on each level.
    func sampledAttention(value: Operand, offsets: Matrix, weights: Matrix, levels: [Size], heads: Int, points: Int, at point: QuantizationPoint) -> Operand

    // MARK: Masks

    /// Mask logits: `into[q][p]` is the dot product of query q's embedding and pixel p's features.
    func masks(_ embeddings: Operand, features: Operand, into: Matrix)
    /// For each of `into.rows` masks the mean of the rows of `features` whose bit is set; zeros for an empty mask.
    func maskedMean(_ bits: UnsafePointer<UInt64>, wordsPerRow: Int, features: Operand, into: Matrix)
    /// `into = x rows^T` in float32, without further columns.
    func similarity(_ x: Matrix, _ rows: Matrix, into: Matrix)
    /// `rows` as many others are compared with them; in scratch memory, or a view of `rows`.
    func comparands(_ rows: Matrix) -> Comparands
    /// The first columns of `into`, one for each of `rows`, become `x rows^T`, with 16 bits of precision at least.
    func similarity(_ x: Matrix, _ rows: Comparands, into: Matrix)

    // MARK: Recording

    /// Whether intermediate tensors are recorded. The network then also computes those that only comparisons need.
    var isTracing: Bool { get }
    /// Records `values` under `name` where `isTracing`.
    func record(_ name: @autoclosure () -> String, _ values: Matrix)
    /// As above, the values that an operand represents.
    func record(_ name: @autoclosure () -> String, _ values: Operand)
}

extension Arithmetic {
    public func compute(_ body: () -> Void) { body() }

    /// A linear layer, or a convolution whose patches are gathered.
    func linear(_ name: String, columns: Int, depth: Int, input: QuantizationPoint) throws(Fault) -> Linear {
        try linear(name, columns: columns, depth: depth, taps: 1, input: input)
    }

    func linear(_ x: Operand, _ layer: Linear, addingTo stream: Matrix) {
        linear(x, layer, addingTo: stream, activation: .none)
    }

    /// The mean of each square of 2x2 pixels of `x`, a map of `size`, even.
    public func averagePool(_ x: Matrix, size: Size, into output: MapOutput) {
        parallel(size.height / 2) { lines in
            for line in lines {
                perform(.averagePool(AveragePool(x.row(2 * line * size.width), width: size.width, channels: x.columns, output: output.line(line).rows)))
            }
        }
    }
}
