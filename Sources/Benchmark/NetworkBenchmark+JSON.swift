import Kernels
import ModelFormat
import Runtime
import Sinks
import System

extension NetworkBenchmark {
    /// The report as one line of JSON; its members are described in `Sources/fcclip-edge/README.md`.
    public func json(_ report: Report) -> [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.member("schema", 1)
        json.membersOfProgramAndMachine()
        json.beginObject("model")
        json.member("name", model.file.path)
        json.member("identity", model.identity)
        json.member("bytes", model.file.size)
        json.endObject()
        json.beginObject("vocabulary")
        json.member("name", vocabulary.path)
        json.member("identity", vocabulary.identity)
        json.member("classes", vocabulary.categories.count)
        json.endObject()
        json.member("kernels", "\(arithmetic.base.kernels.name)")
        json.member("threads", arithmetic.base.pool.threads)
        json.member("frames", report.frames)
        json.member("input", report.input)
        json.member("picture", report.picture)
        json.member("peak_multiply_adds_per_second", report.peak, decimals: 0)
        json.beginObject("total")
        json.members(of: report.total)
        json.member("least_milliseconds", report.least, decimals: 3)
        json.endObject()
        json.beginArray("stages")
        for stage in report.stages {
            json.beginObject()
            json.members(of: stage.entry)
            json.beginArray("steps")
            for step in stage.steps {
                json.beginObject()
                json.members(of: step)
                json.endObject()
            }
            json.endArray()
            json.beginObject("gemm_kernels")
            json.members(of: stage.gemms)
            json.endObject()
            json.endObject()
        }
        json.endArray()
        if let bytes = report.peakResidentBytes { json.member("peak_resident_bytes", bytes) }
        json.member("packed_bytes", report.packedBytes)
        json.member("scratch_bytes", report.scratchBytes)
        json.member("start_milliseconds", report.startMilliseconds, decimals: 3)
        json.member("open_milliseconds", report.openMilliseconds, decimals: 3)
        json.member("pack_milliseconds", report.packMilliseconds, decimals: 3)
        json.endObject()
        return json.bytes + [0x0A]
    }
}

extension KernelBenchmark {
    /// The report as one line of JSON.
    public var json: [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.member("schema", 1)
        json.membersOfProgramAndMachine()
        json.beginArray("kernels")
        for (index, peak) in peaks.enumerated() {
            json.beginObject()
            json.member("name", "\(peak.kernels)")
            json.member("peak_multiply_adds_per_second", peak.rate, decimals: 0)
            let series: [(key: StaticString, unit: StaticString, rows: [Row])] = [
                ("rates", "multiply_adds_per_second", rows), ("value_rates", "values_per_second", valueRows),
            ]
            for (key, unit, rows) in series {
                json.beginArray(key)
                for row in rows {
                    json.beginObject()
                    json.member("name", row.name)
                    json.member(unit, row.rates[index].rate, decimals: 0)
                    json.endObject()
                }
                json.endArray()
            }
            json.endObject()
        }
        json.endArray()
        json.endObject()
        return json.bytes + [0x0A]
    }
}

extension JSONWriter {
    /// Version, commit and processor.
    fileprivate mutating func membersOfProgramAndMachine() {
        member("version", ProgramVersion.number)
        if let commit = ProgramVersion.commit { member("commit", commit) }
        if let processor = ProcessorInfo().name { member("processor", processor) }
    }

    fileprivate mutating func members(of entry: NetworkBenchmark.Entry) {
        member("name", entry.name)
        member("milliseconds", entry.milliseconds, decimals: 3)
        member("multiply_adds", entry.multiplyAdds)
    }
}
