import CSystem
import Capture
import Imaging
import Network
import Sinks
import System

/// Pictures through the engine to the sinks that were asked for.
final class PictureRun {
    private let options: Options
    private let list: PictureList
    private let inference: Inference
    private var sinks: [LineSink] = []
    /// Pictures that could not be read or segmented, and outputs that could not be written.
    private var failures = (pictures: 0, outputs: 0)
    private var first: Fault?

    init(_ options: Options) throws(Fault) {
        self.options = options
        // Before the model is read: a mistake shows at once.
        list = try PictureList(path: options.image)
        try options.checkPlaces(list)
        inference = try Inference(options)
    }

    /// - Throws: when a picture or an output failed. What others gave is kept.
    func run() throws(Fault) {
        if !list.isSingle {
            for folder in [options.overlay, options.labels, options.logits] {
                if let folder { try makeFolder(folder) }
            }
        }
        for destination in options.json { sinks.append(try LineSink(destination)) }
        for fault in list.faults { note(fault, output: false) }
        // Without its reader there is no sense in going on.
        var lost: Fault?
        for path in list.paths where lost == nil {
            guard let line = picture(path) else { continue }
            for sink in sinks {
                do throws(Fault) {
                    try sink.write(line)
                } catch {
                    if sink.isVital { lost = error } else { note(error, output: true) }
                }
            }
        }
        for sink in sinks { attempt { () throws(Fault) in try sink.commit() } }
        if let lost { throw lost }
        guard let first else { return }
        // Of many, each was printed when it occurred.
        guard !list.isSingle else { throw first }
        var text = ""
        if failures.pictures > 0 { text = "\(failures.pictures) of \(list.paths.count + list.faults.count) pictures could not be read" }
        if failures.outputs > 0 { text += (text.isEmpty ? "" : ", ") + "\(failures.outputs) outputs could not be written" }
        throw Fault("\(options.image): \(text)")
    }

    /// Does what may fail without ending the run.
    private func attempt(_ work: () throws(Fault) -> Void) {
        do throws(Fault) {
            try work()
        } catch {
            note(error, output: true)
        }
    }

    private func note(_ fault: Fault, output: Bool) {
        if output { failures.outputs += 1 } else { failures.pictures += 1 }
        if first == nil { first = fault }
        if !list.isSingle { Log.write("fcclip-edge: \(fault.message)") }
    }

    /// Reads and segments one picture and writes what belongs to it alone. - Returns: its JSON line; nil when it failed.
    private func picture(_ path: String) -> [UInt8]? {
        do throws(Fault) {
            inference.begin()
            let picture = try Picture.read(path: path)
            if let warning = picture.warning { Log.write("fcclip-edge: \(path): \(warning)") }
            return try segment(picture, path)
        } catch {
            note(error, output: false)
            return nil
        }
    }

    private func segment(_ picture: Picture, _ path: String) throws(Fault) -> [UInt8] {
        inference.clock("decode")
        inference.preprocessor.resize(picture)
        inference.clock("resize")
        let outputs = PictureOutputs(options, of: path, isSingle: list.isSingle)
        let segmentation = try inference.segment(picture.size) { prediction in
            if let place = outputs.logits { attempt { () throws(Fault) in try MaskLogits.write(prediction, to: place) } }
        }
        let line = options.json.isEmpty ? [] : inference.line(segmentation, picture: path)
        if let place = outputs.overlay {
            attempt { () throws(Fault) in
                try picture.withPixels { (pixels) throws(Fault) in try Overlay.write(segmentation, legend: inference.legend, on: pixels, to: place) }
            }
        }
        if let place = outputs.labels { attempt { () throws(Fault) in try LabelMap.write(segmentation, to: place) } }
        return line
    }
}

/// Where one picture's own files go.
struct PictureOutputs {
    let overlay: String?, labels: String?, logits: String?

    /// - Parameter isSingle: whether the options name files. Else they name folders, where `street.jpg` becomes `street.jpg.png`: pictures that
    ///   differ in their ending only stay apart.
    init(_ options: Options, of path: String, isSingle: Bool) {
        func place(_ output: String?, _ ending: StaticString) -> String? {
            isSingle ? output : output.map { "\($0)/\(folderAndName(path).name)\(ending)" }
        }
        overlay = place(options.overlay, ".png")
        labels = place(options.labels, ".png")
        logits = place(options.logits, ".npy")
    }
}

/// JSON lines of pictures: a file of them appears at the end, with all lines that could be written.
private final class LineSink {
    private let file: AtomicFile?
    private let output: LineOutput?

    init(_ destination: String) throws(Fault) {
        let isFile = destination != "-" && !LineOutput.isDatagrams(destination)
        file = isFile ? try AtomicFile(path: destination) : nil
        output = isFile ? nil : try LineOutput(destination)
    }

    /// Whether there is no sense in going on without it.
    var isVital: Bool { output?.isVital ?? false }

    func write(_ line: [UInt8]) throws(Fault) {
        try file?.append(whole: line)
        try output?.write(line)
    }

    func commit() throws(Fault) {
        try file?.commit()
    }
}
