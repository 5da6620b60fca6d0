import CSystem
import Foundation
import Imaging
import ModelFormat
import System

/// Writes a calibrated network as an int8 model file (`ModelFile`).
public struct ModelWriter {
    /// What was written.
    public struct Summary {
        public let integerLayers: Int
        public let floatLayers: Int
        public let bytes: Int
    }

    let calibration: Calibration
    let ensemble: Ensemble
    /// Command-line options, recorded in the file.
    let options: String

    /// - Parameter calibration: one that has decided.
    public init(_ calibration: Calibration, ensemble: Ensemble, options: String) {
        self.calibration = calibration
        self.ensemble = ensemble
        self.options = options
    }

    public func write(to path: String) throws(Fault) -> Summary {
        let writer = try GGUFWriter(path: path)
        let arithmetic = calibration.arithmetic
        var scales: [String: QuantizationParameters] = [:]
        for point in arithmetic.points { scales[point.name] = calibration.scales(point) }
        try describe(writer, scales: scales)

        for point in arithmetic.points {
            guard let own = scales[point.name], !own.factors.isEmpty else { continue }
            try writer.declare(point.name + ".scale", shape: [point.channels], kind: .float32)
        }
        for layer in arithmetic.layers {
            let parameters = layer.parameters
            let isInteger = scales[layer.input.name] != nil
            try writer.declare(
                layer.name + ".weight", shape: layer.role == .depthwise ? [parameters.depth, parameters.columns] : [parameters.columns, parameters.depth],
                kind: isInteger ? .int8 : .float32)
            if isInteger { try writer.declare(layer.name + ".scale", shape: [parameters.columns], kind: .float32) }
            try writer.declare(layer.name + ".bias", shape: [parameters.columns], kind: .float32)
        }
        for parameter in arithmetic.parameters {
            try writer.declare(parameter.name, shape: [parameter.values.rows, parameter.values.columns], kind: .float32)
        }

        for point in arithmetic.points {
            guard let own = scales[point.name], !own.factors.isEmpty else { continue }
            try writer.append(point.name + ".scale", (0..<point.channels).map(own.scale(_:)))
        }
        var integerLayers = 0
        var floatLayers = 0
        for layer in arithmetic.layers {
            if let quantized = calibration.quantizedLayers[layer.name] {
                try writer.append(layer.name + ".weight", quantized.weights)
                try writer.append(layer.name + ".scale", quantized.scales)
                try writer.append(layer.name + ".bias", quantized.bias)
                integerLayers += 1
            } else {
                try writer.append(layer.name + ".weight", layer.parameters.weights)
                try writer.append(layer.name + ".bias", layer.parameters.bias)
                floatLayers += 1
            }
        }
        for parameter in arithmetic.parameters {
            try writer.append(parameter.name, Array(UnsafeBufferPointer(start: parameter.values.base, count: parameter.values.count)))
        }
        try writer.commit()
        let bytes = (try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        return Summary(integerLayers: integerLayers, floatLayers: floatLayers, bytes: bytes)
    }

    private func describe(_ writer: GGUFWriter, scales: [String: QuantizationParameters]) throws(Fault) {
        let preprocessing = calibration.preprocessing
        try writer.set("general.architecture", .string(ModelFile.architectureName))
        try writer.set("general.name", .string("FC-CLIP int8"))
        try writer.set(ModelFile.Key.version, .uint32(UInt32(ModelFile.version)))
        try writer.set(calibration.network.architecture)
        try writer.set(ModelFile.Key.shortestEdge, .uint32(UInt32(preprocessing.shortestEdge)))
        try writer.set(ModelFile.Key.longestEdge, .uint32(UInt32(preprocessing.maximumSize)))
        try writer.set(ModelFile.Key.alpha, .float32(ensemble.alpha))
        try writer.set(ModelFile.Key.beta, .float32(ensemble.beta))
        let mean = PixelStatistics.mean
        let deviation = PixelStatistics.deviation
        try writer.set(ModelFile.Key.mean, .float32s([mean.0, mean.1, mean.2]))
        try writer.set(ModelFile.Key.deviation, .float32s([deviation.0, deviation.1, deviation.2]))
        try writer.set(ModelFile.Key.fingerprint, .string(try calibration.checkpoint.clipFingerprint()))
        try writer.set("fcclip.source.files", .strings(calibration.checkpoint.sources.map { URL(filePath: $0.path).lastPathComponent }))
        try writer.set("fcclip.source.hashes", .strings(calibration.checkpoint.sources.map(\.hash)))
        try writer.set("fcclip.calibration.pictures", .strings(calibration.pictures))
        try writer.set("fcclip.calibration.hash", .string(hexadecimal(calibration.pictureHash)))
        try writer.set("fcclip.calibration.options", .string(options))
        // The standard policy is what a file without the key was made with.
        if calibration.policy != .standard { try writer.set("fcclip.calibration.policy", .strings(calibration.policy.lines)) }
        try writer.set("fcclip.calibration.decisions", .strings(calibration.decisionLines))
        if calibration.rewrites.rotatesMasks { try writer.set(Rewrites.rotationKey, .uint32(1)) }
        let points = calibration.arithmetic.points.filter { scales[$0.name] != nil }
        try writer.set(ModelFile.Key.pointNames, .strings(points.map(\.name)))
        try writer.set(ModelFile.Key.pointScales, .float32s(points.compactMap { scales[$0.name]?.scale(0) }))
        try writer.set(ModelFile.Key.pointZeroPoints, .int32s(points.compactMap { scales[$0.name].map { Int32($0.zeroPoint) } }))
    }
}
