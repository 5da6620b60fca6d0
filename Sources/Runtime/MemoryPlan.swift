import Kernels
import ModelFormat
import Network

/// The memory that one size of pictures needs, counted from shapes before any of it is taken.
///
/// It follows the order in which the network and the int8 arithmetic take and give back scratch memory; a test holds it against what
/// frames really use.
public struct MemoryPlan: Sendable {
    /// Scratch memory of the frame, and of each thread, in bytes.
    public let shared: Int
    public let perThread: Int
    /// What leaves the engine: the label map, and masks in instance mode, in bytes.
    public let results: Int

    /// Nothing yet.
    static let none = MemoryPlan()

    private init() {
        (shared, perThread, results) = (0, 0, 0)
    }

    /// All of it for `threads` threads, in bytes.
    public func total(threads: Int) -> Int { shared + threads * perThread + results }

    /// - Parameters: names and classes of the vocabulary.
    public init(_ network: Architecture, geometry: PictureGeometry, names: Int, classes: Int, task: Task) {
        typealias Backbone = Network.Backbone<IntegerArithmetic>
        let areas: [Int] = (0..<4).map { Backbone.size(stage: $0, of: geometry.padded).area }
        let dims: [Int] = network.dims
        let levels: [Size] = PixelDecoder<IntegerArithmetic>.levels(of: geometry.padded)
        let tokens: Int = areas[1] + areas[2] + areas[3]
        let finest: Int = areas[0]
        let hidden = network.hidden
        let queries = network.queries
        let samples: Int = network.heads * Architecture.levels * network.points
        let area = geometry.picture.area

        // Tables for the size: position codes, once for each decoder, and their projections.
        var lines = 0
        var frame: Int = (tokens + finest) * hidden
        var backbone = 0
        for level in levels { lines += level.height + level.width }
        var tables: Int = 3 * lines * hidden + 3 * lines * samples * network.encoderLayers
        for layer in 0..<network.decoderLayers {
            let level = levels[Architecture.level(ofDecoderLayer: layer)]
            tables += (level.height + level.width + 2) * hidden
        }
        // For the whole frame: tokens, mask features and the backbone's maps. A block of the backbone has two int8 maps besides.
        for stage in 0..<4 {
            frame += areas[stage] * dims[stage]
            backbone = max(backbone, 2 * areas[stage] * dims[stage])
        }
        let encoder: Int = tokens * (8 * hidden + 12 * samples)
        // The convolution's input has a border; lines are enlarged sixteen at a time.
        let width = geometry.padded.width / 4
        let height = geometry.padded.height / 4
        let border: Int = 2 * (width + height + 2)
        let moments: Int = 8 * (finest / ChannelMoments.blockRows + 2)
        let features: Int = finest * dims[0] + hidden * (2 * finest + border + 4 * width * min(height, 16) + moments)

        // Behind the pixel decoder: masks and class embeddings stay; the decoder's work is followed by that of head and segments.
        let masks: Int = 4 * queries * (finest + network.embedding)
        let attention: Int = max(4 * queries * areas[1], 2 * areas[1] * hidden) + queries * (12 * hidden + areas[1] / 8)
        let pooling: Int = queries * (finest / 8 + 16 * hidden)
        let decoder: Int = (6 * tokens + finest + 8 * queries) * hidden + max(attention, pooling)
        let head: Int = queries * (5 * areas[3] + 9 * dims[3] + 5 * network.visualHidden) + areas[3] * dims[3]
        let prediction: Int = 4 * queries * (network.embedding + areas[3] + 2 * names + classes + 3)
        let classification: Int = 4 * queries * max(2 * classes + 2, names + 2)
        let picture: Int = Self.segments(geometry, queries: queries, classes: classes, task: task)
        let rest: Int = max(head, prediction + max(classification, picture))
        // Pieces are rounded up to the arena's alignment.
        shared = 4 * (tables + frame) + max(backbone, encoder, features, masks + max(decoder, rest)) + (256 << 10)
        results = 2 * area + (task == .instance ? 100 * (area / 8) : 0)
        perThread = Self.thread(network, width: geometry.padded.width / 4, keys: max(areas[1], queries))
    }

    /// Scratch memory of the post-processing.
    private static func segments(_ geometry: PictureGeometry, queries: Int, classes: Int, task: Task) -> Int {
        let picture = geometry.picture
        let inner = geometry.inner
        let taps: Int = MemoryLayout<BilinearTap>.stride * (inner.width + inner.height + 2 * (picture.width + picture.height))
        let row: Int = 4 * (inner.width + 3 * picture.width)
        let bands: Int = picture.height / Segmenter<IntegerArithmetic>.bandRows + 1
        switch task {
        case .panoptic:
            let competition = PanopticArgmax.scratchCount(
                rows: Segmenter<IntegerArithmetic>.bandRows, inner: inner.height, height: picture.height, candidates: queries)
            return taps + bands * (4 * competition + 64 * queries) + 64 * queries
        case .semantic:
            // A band's scores and masks, two more rows of them for the blending, and what its rows share.
            let width: Int = inner.width * (classes + queries)
            return taps + max(16 << 20, 4 * width) + 12 * width + queries * (row + 4 * classes) + 8 * classes * picture.height + 40 * bands * classes
        case .instance:
            return taps + min(queries, 100) * (picture.area / 8 + 8) + row + 300 * queries
        }
    }

    /// Scratch memory of one thread: of whatever step wants the most. - Parameter width: of the finest map.
    private static func thread(_ network: Architecture, width: Int, keys: Int) -> Int {
        let rows = 64
        let sums = 4 * 64
        let hidden = network.hidden
        let dims: [Int] = network.dims
        let wide: Int = max(4 * (dims.max() ?? 0), network.encoderFeedForward, network.decoderFeedForward)
        var most: Int = max((5 * rows + 5) * wide + rows * wide, width * (48 + sums))
        for stage in 0..<4 { most = max(most, 8 * ((width >> stage) + 1) * dims[stage]) }
        for stage in 0..<3 { most = max(most, (width >> (stage + 1)) * 4 * (dims[stage] + dims[stage + 1]) + 4 * dims[stage]) }
        // Whichever kernels are chosen.
        for table in KernelSet.all { most = max(most, IntegerAttention.scratch(keys: keys, headWidth: hidden / network.heads, layout: table.layout)) }
        most = max(most, 4 * SampledAttention.scratchCount(samples: network.heads * Architecture.levels * network.points))
        // Sums of masks; of the classifiers' layers, in float32.
        most = max(most, 4 * rows * (network.queries + 16), 4 * 2 * rows * max(network.visualHidden, network.embedding, hidden))
        return most + (64 << 10)
    }
}
