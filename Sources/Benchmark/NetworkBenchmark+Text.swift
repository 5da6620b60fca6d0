import Kernels
import ModelFormat
import Runtime
import System

extension NetworkBenchmark {
    /// The report for a terminal.
    public func text(_ report: Report) -> String {
        let kernels = arithmetic.base.kernels.name
        let threads = arithmetic.base.pool.threads
        var text = "\(model.file.path) (\(mebibytes(model.file.size))), network input \(report.input.width)x\(report.input.height), "
        text += "picture \(report.picture.width)x\(report.picture.height)\n"
        text += "kernels \(kernels), \(threads) thread" + (threads == 1 ? "" : "s") + ", medians of \(report.frames) frames after one unmeasured\n\n"

        var table = TextTable()
        table.add(["", "ms", "of frame", "GMAC", "GMAC/s", "of peak"])
        for stage in report.stages {
            table.add(cells(stage.entry, report))
            for step in stage.steps where step.milliseconds >= 0.005 * report.total.milliseconds { table.add(cells(step, report, indent: "  ")) }
            if stage.gemms.milliseconds >= 0.005 * report.total.milliseconds { table.add(cells(stage.gemms, report, indent: "  of these, ")) }
        }
        table.add(cells(report.total, report))
        let gemms = report.stages.map { $0.gemms }
        let all = Entry(
            name: "GEMM kernels", milliseconds: gemms.reduce(0) { $0 + $1.milliseconds }, multiplyAdds: gemms.reduce(0) { $0 + $1.multiplyAdds })
        table.add(cells(all, report, indent: "of these, "))
        text += table.text

        var facts = TextTable()
        facts.add(["fastest frame", decimal(report.least, 1) + " ms"])
        facts.add(["peak", decimal(report.peak / 1e9, 1) + " GMAC/s"])
        facts.add(["resident at most", report.peakResidentBytes.map(mebibytes) ?? "unknown"])
        facts.add(["packed weights", mebibytes(report.packedBytes)])
        facts.add(["scratch", mebibytes(report.scratchBytes)])
        facts.add(["start", decimal(report.startMilliseconds, 1) + " ms"])
        facts.add(["opening", decimal(report.openMilliseconds, 1) + " ms"])
        facts.add(["packing", decimal(report.packMilliseconds, 1) + " ms"])
        return text + "\n" + facts.text
    }

    private func cells(_ entry: Entry, _ report: Report, indent: String = "") -> [String] {
        var cells = [indent + entry.name, decimal(entry.milliseconds, 1), percent(entry.milliseconds / report.total.milliseconds)]
        guard entry.multiplyAdds > 0 else { return cells }
        let rate = Double(entry.multiplyAdds) / entry.milliseconds * 1000
        cells += [decimal(Double(entry.multiplyAdds) / 1e9, 2), decimal(rate / 1e9, 1), percent(rate / report.peak)]
        return cells
    }
}

extension KernelBenchmark {
    /// The report for a terminal.
    public var text: String {
        var table = TextTable()
        table.add(["GMAC/s on one thread"] + peaks.map { "\($0.kernels)" })
        table.add(["registers alone"] + peaks.map { decimal($0.rate / 1e9, 1) })
        for row in rows {
            var cells = [row.name]
            for (rate, peak) in zip(row.rates, peaks) { cells.append(decimal(rate.rate / 1e9, 1) + " (" + decimal(rate.rate / peak.rate * 100, 0) + "%)") }
            table.add(cells)
        }
        var values = TextTable()
        values.add(["G values/s on one thread"] + peaks.map { "\($0.kernels)" })
        for row in valueRows { values.add([row.name] + row.rates.map { decimal($0.rate / 1e9, 2) }) }
        return table.text + "\n" + values.text
    }
}
