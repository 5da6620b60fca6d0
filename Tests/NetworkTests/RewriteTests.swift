import Calibrate
import Checkpoint
import Kernels
import TestSupport
import Testing

@testable import Imaging
@testable import ModelFormat
@testable import Network

/// Each shortcut of the network (omitted or reordered work) gives the results of the plain order of work, in float32.
@Suite struct RewriteTests {
    private let folder: TemporaryFolder
    private let checkpoint: Checkpoint
    private let arithmetic: FloatArithmetic
    private let network: SegmentationNetwork<FloatArithmetic>

    init() throws {
        folder = try TemporaryFolder()
        checkpoint = try Checkpoint(
            checkpoint: try Fixture.path("tiny/head.pth"), clip: try Fixture.unpacked("tiny/clip.safetensors", in: folder))
        let architecture = try checkpoint.architecture()
        arithmetic = FloatArithmetic(FoldedCheckpoint(checkpoint, architecture), threads: 2)
        network = try SegmentationNetwork(arithmetic, architecture)
    }

    private func random(_ rows: Int, _ columns: Int, seed: UInt64) -> Matrix {
        var generator = SplitMix(seed: seed)
        let result = arithmetic.matrix(rows: rows, columns: columns)
        for index in 0..<result.count { result.base[index] = Float.random(in: -1...1, using: &generator) }
        return result
    }

    private func array(_ x: Matrix) -> [Float] { Array(UnsafeBufferPointer(start: x.base, count: x.count)) }

    /// Root mean square of the difference over that of `expected`.
    private func deviation(_ found: [Float], _ expected: [Float]) -> Double {
        let error = zip(found, expected).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
        return (error / max(expected.reduce(0.0) { $0 + Double($1) * Double($1) }, 1e-30)).squareRoot()
    }

    /// W (x + pos) = W x + W pos, and the sine code is a sum over lines and columns.
    @Test func positionsAreAddedBehindTheProduct() {
        let size = Size(height: 5, width: 7)
        let width = network.architecture.hidden
        let layer = network.maskDecoder.layers[0].crossAttention.key
        let x = random(size.area, width, seed: 1)
        let moved = arithmetic.matrix(rows: size.area, columns: width)
        let code = PositionalEncoding(size: size, channels: width, arithmetic: arithmetic)
        for row in 0..<size.area {
            for channel in 0..<width {
                moved[row, channel] = x[row, channel] + code.vertical[row / size.width, channel] + code.horizontal[row % size.width, channel]
            }
        }
        let plain = arithmetic.matrix(rows: size.area, columns: width)
        let behind = arithmetic.matrix(rows: size.area, columns: width)
        arithmetic.linear(moved, layer, adding: nil, into: plain)
        arithmetic.linear(x, layer, adding: code.projected(by: layer, columns: width, arithmetic), into: behind)
        #expect(deviation(array(behind), array(plain)) < 1e-6)
    }

    /// Reducing mask logits equals mask logits of reduced features.
    @Test(arguments: [Size(height: 12, width: 20), Size(height: 6, width: 10), Size(height: 3, width: 5)])
    func featuresAreReducedBeforeTheMaskProduct(to small: Size) {
        let size = Size(height: 24, width: 40)
        let width = network.architecture.hidden
        let features = random(size.area, width, seed: 2)
        let embeddings = random(9, width, seed: 3)
        let logits = arithmetic.matrix(rows: 9, columns: size.area)
        let plain = arithmetic.matrix(rows: 9, columns: small.area)
        arithmetic.masks(embeddings, features: features, into: logits)
        for query in 0..<9 { resizeBilinearPlane(logits.row(query), from: size, to: small, into: plain.row(query)) }
        let reduced = arithmetic.matrix(rows: small.area, columns: width)
        let direct = arithmetic.matrix(rows: 9, columns: small.area)
        resizeBilinear(features, from: size, to: small, into: reduced)
        arithmetic.masks(embeddings, features: reduced, into: direct)
        #expect(deviation(array(direct), array(plain)) < 1e-6)
    }

    /// LayerNorm's affine part is folded into the layer behind it, ConvNeXt's layer scale into the layer before it.
    @Test func normAndScaleAreFoldedIntoTheWeights() throws {
        let trunk = "backbone.clip_model.visual.trunk.stages.1.blocks.0."
        let folded = FoldedCheckpoint(checkpoint, network.architecture)
        func stored(_ key: String) throws -> [Float] { try checkpoint.tensor(trunk + key).floats() }
        func product(_ weights: [Float], _ bias: [Float], _ x: [Float]) -> [Float] {
            bias.indices.map { column in
                Float(x.indices.reduce(Double(bias[column])) { $0 + Double(weights[column * x.count + $1]) * Double(x[$1]) })
            }
        }
        let channels = network.architecture.dims[1]
        let x = array(random(1, channels, seed: 4))
        let hidden = array(random(1, 4 * channels, seed: 5))
        let norm = try stored("norm.weight")
        let shift = try stored("norm.bias")
        let scale = try stored("gamma")
        #expect(Set(norm).count > 1 && Set(scale).count > 1)

        let expand = try folded.layer("backbone.stage1.block0.expand")
        let affine = x.indices.map { x[$0] * norm[$0] + shift[$0] }
        #expect(deviation(product(expand.weights, expand.bias, x), product(try stored("mlp.fc1.weight"), try stored("mlp.fc1.bias"), affine)) < 1e-6)

        let project = try folded.layer("backbone.stage1.block0.project")
        let plain = zip(product(try stored("mlp.fc2.weight"), try stored("mlp.fc2.bias"), hidden), scale).map { $0 * $1 }
        #expect(deviation(product(project.weights, project.bias, hidden), plain) < 1e-6)
    }

    /// Group norm, the addition of the enlarged stride-8 map and the activation in one pass.
    @Test(arguments: [(Size(height: 8, width: 12), Size(height: 4, width: 6)), (Size(height: 33, width: 5), Size(height: 17, width: 3))])
    func groupNormAddsTheCoarseMap(size: Size, coarse: Size) throws {
        let width = network.architecture.hidden
        let norm = network.pixelDecoder.lateralNorm
        let groups = Architecture.groups
        let x = random(size.area, width, seed: 8)
        let map = random(coarse.area, width, seed: 9)
        let enlarged = arithmetic.matrix(rows: size.area, columns: width)
        let plain = arithmetic.matrix(rows: size.area, columns: width)
        resizeBilinear(map, from: coarse, to: size, into: enlarged)
        for group in 0..<groups {
            let channels = group * width / groups..<(group + 1) * width / groups
            let all = (0..<size.area).flatMap { row in channels.map { Double(x[row, $0]) } }
            let mean = all.reduce(0, +) / Double(all.count)
            let variance = all.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(all.count)
            for row in 0..<size.area {
                for channel in channels {
                    let value =
                        (Double(x[row, channel]) - mean) / (variance + 1e-5).squareRoot() * Double(norm.weight[0, channel]) + Double(norm.bias[0, channel])
                    plain[row, channel] = max(Float(value) + enlarged[row, channel], 0)
                }
            }
        }
        let point = network.pixelDecoder.smoothInput
        let fused = arithmetic.groupNorm(x, size: size, norm, adding: CoarseMap(map: map, size: coarse), activation: .relu, at: point)
        #expect(deviation(array(fused), array(plain)) < 1e-6)
    }

    /// The mean under a mask is a GEMM with zeros and ones, divided by their count.
    @Test func masksPoolByBits() {
        let features = random(130, 24, seed: 6)
        let masks = random(5, 130, seed: 7)
        let words = arithmetic.words(15)
        for pixel in 0..<130 { masks[4, pixel] = -1 }
        for query in 0..<5 { arithmetic.perform(.signBits(SignBits(masks.row(query), count: 130, where: .positive, into: words + 3 * query))) }
        let pooled = arithmetic.matrix(rows: 5, columns: 24)
        arithmetic.maskedMean(words, wordsPerRow: 3, features: features, into: pooled)
        var plain: [Float] = []
        for query in 0..<5 {
            let inside = (0..<130).filter { masks[query, $0] > 0 }
            for channel in 0..<24 {
                plain.append(Float(inside.reduce(0.0) { $0 + Double(features[$1, channel]) } / max(Double(inside.count), 1)))
            }
        }
        #expect(deviation(array(pooled), plain) < 1e-6)
    }

    /// Results of the learned queries alone in the first layer of the mask decoder are computed once.
    @Test func constantsOfTheQueriesAreKept() throws {
        let dump = try ReferenceDump(path: try Fixture.unpacked("tiny/tiny_a.safetensors", in: folder))
        let keeping = FloatArithmetic(FoldedCheckpoint(checkpoint, network.architecture), threads: 2, keepsConstants: true)
        let kept = try SegmentationNetwork(keeping, network.architecture)
        #expect(kept.maskDecoder.constants.count == 1 && network.maskDecoder.constants.isEmpty)
        var observed: [[String]] = [[], []]
        arithmetic.observe = { point, _ in observed[0].append(point.name) }
        keeping.observe = { point, _ in observed[1].append(point.name) }
        let plain = prediction(of: network, dump)
        for _ in 0..<2 { #expect(zip(prediction(of: kept, dump), plain).allSatisfy { deviation($0, $1) < 1e-6 }) }
        #expect(observed[0].count { $0.hasPrefix("mask_decoder.mask_embedding0") } == network.architecture.decoderLayers + 1)
        #expect(observed[1].count { $0.hasPrefix("mask_decoder.mask_embedding0") } == 2 * network.architecture.decoderLayers)
        #expect(observed[1].count { $0 == "mask_decoder.layer0.cross.input" } == 0)
    }

    private func prediction(of network: SegmentationNetwork<FloatArithmetic>, _ dump: ReferenceDump) -> [[Float]] {
        let geometry = dump.geometry
        return dump.pixels.withUnsafeBufferPointer { pixels in
            network.run(pixels.baseAddress!, size: geometry.inner, padded: geometry.padded, classifier: dump.classifier) {
                [array($0.masks), array($0.probabilities), array($0.inVocabulary), array($0.outOfVocabulary)]
            }
        }
    }

    /// Class embeddings and full masks before the last layer change nothing: a traced run computes them all.
    @Test func earlierPredictionsMayBeLeftOut() throws {
        let dump = try ReferenceDump(path: try Fixture.unpacked("tiny/tiny_a.safetensors", in: folder))
        let short = prediction(of: network, dump)
        var records = 0
        arithmetic.trace = { _, _ in records += 1 }
        let whole = prediction(of: network, dump)
        #expect(records > 60 && short.allSatisfy { !$0.isEmpty })
        #expect(zip(short, whole).allSatisfy { deviation($0, $1) < 1e-6 })
    }
}
