import Foundation
import Kernels

/// A quantization as one HTML file without references to others: settings, what was decided, the layers that lose most, and histograms.
public struct HTMLReport {
    /// A line of the table of settings.
    public typealias Setting = (name: String, value: String)

    private let calibration: Calibration
    private let audit: LayerAudit
    private let settings: [Setting]

    /// - Parameters:
    ///   - calibration: one that has decided.
    ///   - audit: one that has run.
    public init(_ calibration: Calibration, audit: LayerAudit, settings: [Setting]) {
        (self.calibration, self.audit, self.settings) = (calibration, audit, settings)
    }

    public var text: String {
        """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><title>Quantization report</title><style>\(Self.style)</style></head><body>
        <h1>Quantization report</h1>
        \(table(["setting", "value"], settings.map { [$0.name, $0.value] }))
        <h2>Parts of the network</h2>
        <p>Bytes of weights, and multiply-adds of the picture that the layers were compared on.</p>
        \(table(["part", "layers", "in float32", "bytes", "multiply-adds", "lowest signal-to-noise ratio"], parts))
        <h2>Layers, the least accurate first</h2>
        <p>Signal-to-noise ratio of each int8 layer on its float32 input.</p>
        \(table(["layer", "dB", "", "precision", "range", "migration", "rounding"], layers, raw: [2]))
        <h2>Values at the quantization points</h2>
        <p>Magnitudes of all calibration pictures' values in int8 steps, on a logarithmic scale: bars right of the line are clipped.</p>
        <div class="plots">\(plots)</div>
        </body></html>

        """
    }

    private static let style = """
        body{font:14px/1.4 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222}table{border-collapse:collapse;margin:1em 0}
        td,th{border-bottom:1px solid #ddd;padding:2px 10px;text-align:left;white-space:nowrap}.plots{display:flex;flex-wrap:wrap;gap:12px}
        figure{margin:0;width:250px}figcaption{font-size:11px;overflow-wrap:anywhere}.bar{display:inline-block;height:10px;background:#47a}
        """

    private static func escaped(_ text: String) -> String {
        text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;").replacingOccurrences(of: ">", with: "&gt;")
    }

    /// - Parameter raw: columns that are HTML already.
    private func table(_ header: [String], _ rows: [[String]], raw: Set<Int> = []) -> String {
        let head = header.map { "<th>\(Self.escaped($0))</th>" }.joined()
        let body = rows.map { row in
            "<tr>" + row.enumerated().map { "<td>\(raw.contains($0.offset) ? $0.element : Self.escaped($0.element))</td>" }.joined() + "</tr>"
        }
        return "<table><tr>\(head)</tr>\(body.joined(separator: "\n"))</table>"
    }

    /// The part of the network that a layer belongs to: the first word of its name, and the stage of a backbone.
    private static func part(_ name: String) -> String {
        name.split(separator: ".").prefix(name.hasPrefix("backbone.stage") ? 2 : 1).joined(separator: ".")
    }

    private var parts: [[String]] {
        var order: [String] = []
        var layers: [String: [FloatArithmetic.Layer]] = [:]
        for layer in calibration.arithmetic.layers {
            let part = Self.part(layer.name)
            if layers[part] == nil { order.append(part) }
            layers[part, default: []].append(layer)
        }
        return order.map { part in
            let own = layers[part] ?? []
            let floats = own.filter { calibration.quantizedLayers[$0.name] == nil }
            let bytes = own.reduce(0) { $0 + $1.parameters.weights.count * (calibration.quantizedLayers[$1.name] == nil ? 4 : 1) }
            let products = own.reduce(0) { $0 + (audit.multiplyAdds[$1.name] ?? 0) }
            let lowest = audit.fidelities.filter { Self.part($0.name) == part }.map(\.decibels).min()
            return [
                part, "\(own.count)", "\(floats.count)", String(format: "%.2f MB", Double(bytes) / 1e6), String(format: "%.3f G", Double(products) / 1e9),
                lowest.map { String(format: "%.1f dB", $0) } ?? "",
            ]
        }
    }

    private var layers: [[String]] {
        audit.fidelities.sorted { $0.decibels < $1.decibels }.map { layer in
            let width = Int(min(max(layer.decibels, 0), 80) * 3)
            return [layer.name, String(format: "%.1f", layer.decibels), "<span class=\"bar\" style=\"width:\(width)px\"></span>"]
                + (calibration.decisions[layer.name] ?? QuantizationDecision()).description.split(separator: " ").map(String.init)
        }
    }

    private var plots: String {
        calibration.arithmetic.points.compactMap { point in
            guard let observer = calibration.observers[point.name], let scales = calibration.chosenScales[point.name], !observer.isEmpty else { return nil }
            let shares = observer.shares(inStepsOf: scales)
            let most = max(shares.max() ?? 0, 1e-12)
            // A bar is as high as the logarithm of its share, down to a millionth.
            let bars = shares.enumerated().map { index, share in
                let height = share > 0 ? max(60 * (1 + log10(share / most) / 6), 1) : 0
                return String(
                    format: "<rect x=\"%d\" y=\"%.1f\" width=\"3\" height=\"%.1f\" fill=\"%@\"/>", index * 4, 62 - height, height, index < 36 ? "#47a" : "#c33")
            }
            let decision = calibration.decisions[point.consumers.first?.name ?? point.name]
            return """
                <figure><svg viewBox="0 0 240 64" width="240" height="64">\(bars.joined())<path d="M143.5 0V62" stroke="#c33"/></svg>
                <figcaption>\(Self.escaped(point.name)): \(decision?.range?.rawValue ?? ""), zero point \(scales.zeroPoint)</figcaption></figure>
                """
        }.joined(separator: "\n")
    }
}

extension HistogramObserver {
    /// Shares of all values by their magnitude in steps: 60 bins, a quarter of an octave each, the last step of int8's range at the end of the
    /// 36th; what is below or above is in the first and the last.
    func shares(inStepsOf parameters: QuantizationParameters) -> [Double] {
        var shares = [Double](repeating: 0, count: 60)
        let range = Double(max(parameters.zeroPoint + 128, 127 - parameters.zeroPoint))
        var total = 0.0
        for (channel, distribution) in distributions().enumerated() {
            distribution.forEachBin { magnitude, count in
                let octaves = log2(max(magnitude / Double(parameters.scale(channel)) / range, 1e-9))
                shares[min(max(36 + Int((4 * octaves).rounded(.down)), 0), 59)] += count
                total += count
            }
        }
        return shares.map { $0 / max(total, 1) }
    }
}
