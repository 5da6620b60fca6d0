import Capture
import Kernels
import Runtime
import Sinks
import System

/// Counts and times of a stream, for the summary and the report at its end.
struct StreamStatistics {
    var damaged = 0
    private let start = monotonicMilliseconds()
    private var names: [StaticString] = []
    private var stages: [LatencyHistogram] = []
    private var totals = LatencyHistogram(), ages = LatencyHistogram()
    private var layout: FrameLayout?
    private var size = Size(height: 0, width: 0), input = Size(height: 0, width: 0)
    private var counts = (captured: 0, stale: 0), patched = 0, losses = SinkSet.Losses(), notes: [String] = []

    mutating func add(_ stages: [SegmentsRecord.Stage], age: Double, frame layout: FrameLayout, size: Size, input: Size) {
        var total = 0.0
        for (index, stage) in stages.enumerated() {
            if index == names.count {
                names.append(stage.name)
                self.stages.append(LatencyHistogram())
            }
            self.stages[index].add(stage.milliseconds)
            total += stage.milliseconds
        }
        totals.add(total)
        ages.add(age)
        self.layout = layout
        self.size = size
        self.input = input
    }

    /// - Parameter source: remarks of the source.
    mutating func finish(counts: (captured: Int, stale: Int), patched: Int, losses: SinkSet.Losses, source: [String]) {
        self.counts = counts
        self.patched = patched
        self.losses = losses
        notes = source
    }

    var summary: String {
        var text = "\(totals.count) of \(counts.captured) frames segmented, \(counts.stale) skipped for fresher ones"
        if damaged > 0 { text += ", \(damaged) damaged" }
        if patched > 0 { text += ", \(patched) used in spite of damage" }
        for note in notes { text += ", " + note }
        if losses.lines > 0 { text += ", \(losses.lines) lines dropped" }
        if losses.tables > 0 { text += ", \(losses.tables) tables dropped" }
        if losses.pictures > 0 { text += ", \(losses.pictures) pictures dropped" }
        if totals.count > 0 { text += "; \(decimal(totals.quantile(0.5), 1)) ms a frame (95%: \(decimal(totals.quantile(0.95), 1)))" }
        return text
    }

    // MARK: - Report

    /// Lines with the times of all stages, the machine's state and advice.
    func report(_ options: Options, _ inference: Inference) -> [String] {
        var table = TextTable()
        table.add(["milliseconds", "p50", "p95", "most"])
        for (name, durations) in zip(names, stages) { table.add(row("\(name)", durations)) }
        table.add(row("total", totals))
        table.add(row("age at output", ages))
        var lines = table.text.split(separator: "\n").map(String.init)
        let seconds = (monotonicMilliseconds() - start) / 1000
        if let layout, totals.count > 0 {
            lines.append(
                "frames: \(layout.format.name) \(size.width)x\(size.height), network's input \(input.width)x\(input.height), \(decimal(Double(totals.count) / seconds, 2)) a second over \(decimal(seconds, 0)) s"
            )
        }
        lines.append("kernels: \(options.kernels.name), \(options.threads) threads of \(processorCount()) processors")
        let temperature = Health.temperature()
        let clock = Health.clock()
        if let temperature { lines.append("temperature: \(decimal(temperature, 1)) degrees Celsius") }
        if let clock { lines.append("clock: \(clock.now) MHz of \(clock.most)") }
        if let now = Health.residentBytes(), let most = peakResidentBytes() { lines.append("resident: \(mebibytes(now)), at most \(mebibytes(most))") }
        let advice = advice(options, temperature: temperature, clock: clock)
        for text in advice { lines.append("advice: " + text) }
        return lines
    }

    private func row(_ name: String, _ durations: LatencyHistogram) -> [String] {
        [name, decimal(durations.quantile(0.5), 1), decimal(durations.quantile(0.95), 1), decimal(durations.longest, 1)]
    }

    /// Ways to make the stream faster.
    private func advice(_ options: Options, temperature: Double?, clock: (now: Int, most: Int)?) -> [String] {
        var advice: [String] = []
        if "\(options.kernels.name)" != "\(KernelSet.best.name)" {
            advice.append("--instruction-set \(options.kernels.name) is slower than this processor's \(KernelSet.best.name)")
        }
        if options.threads < processorCount() { advice.append("--threads \(options.threads) leaves \(processorCount() - options.threads) processors idle") }
        if options.threads > processorCount() { advice.append("--threads \(options.threads): more threads than processors wait for each other") }
        // The first stage turns frames into the network's input.
        if let convert = stages.first, convert.total > totals.total * 0.1 {
            let factor = decimal(Double(size.area) / Double(max(input.area, 1)), 1)
            advice.append(
                "\(percent(convert.total / totals.total)) of the time goes into frames \(factor) times the network's input; smaller ones would do"
                    + (layout?.format == .mjpeg ? ", and raw ones cost less than JPEG" : ""))
        }
        if !losses.isEmpty { advice.append("a sink is slower than the network; what it lost is counted above") }
        if let temperature, temperature >= 80 { advice.append("\(decimal(temperature, 0)) degrees Celsius: cooling would keep the clock up") }
        if let clock, clock.now * 10 < clock.most * 9 {
            advice.append("the clock is at \(clock.now) MHz of \(clock.most): heat, power or the governor (performance is the fastest)")
        }
        return advice
    }
}
