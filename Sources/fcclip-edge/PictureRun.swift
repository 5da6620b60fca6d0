import CSystem
import Capture
import Imaging
import Network
import Sinks
import System

/// Segments pictures one by one and hands each result to the sinks.
final class PictureRun {
    private let options: Options
    private let list: PictureList
    private let inference: Inference
    private let sinks = SinkSet()
    /// Pictures that could not be read or segmented, and outputs that could not be written.
    private var failures = (pictures: 0, outputs: 0)
    private var first: Fault?
    /// The fault of a vital output: without its reader there is no sense in going on.
    private var lost: Fault?

    init(_ options: Options) throws(Fault) {
        // Before the model is read: a mistake shows at once.
        list = try PictureList(path: options.image)
        var options = options
        options.completeOutputs(isSinglePicture: list.isSingle)
        self.options = options
        try options.checkPlaces(list)
        inference = try Inference(options)
    }

    /// - Throws: when a picture or an output failed. The results of all others are kept.
    func run() throws(Fault) {
        try options.addSinks(to: sinks, from: list.isSingle ? .picture : .pictures)
        for fault in list.faults { note(fault, output: false) }
        for path in list.paths where lost == nil { picture(path) }
        _ = sinks.finish(within: .infinity) { note($0, output: true) }
        if let lost { throw lost }
        guard let first else { return }
        // Of many, each was printed when it occurred.
        guard !list.isSingle else { throw first }
        var text = ""
        if failures.pictures > 0 { text = "\(failures.pictures) of \(list.paths.count + list.faults.count) pictures could not be read" }
        if failures.outputs > 0 { text += (text.isEmpty ? "" : ", ") + "\(failures.outputs) outputs could not be written" }
        throw Fault("\(options.image): \(text)")
    }

    private func note(_ fault: Fault, output: Bool) {
        if output { failures.outputs += 1 } else { failures.pictures += 1 }
        if first == nil { first = fault }
        if !list.isSingle { Log.write("fcclip-edge: \(fault.message)") }
    }

    private func note(_ sink: Sink, _ fault: Fault) {
        if sink.isVital { lost = fault } else { note(fault, output: true) }
    }

    /// Reads and segments one picture and hands the result to the sinks.
    private func picture(_ path: String) {
        do throws(Fault) {
            inference.begin()
            let picture = try Picture.read(path: path)
            if let warning = picture.warning { Log.write("fcclip-edge: \(path): \(warning)") }
            try segment(picture, path)
        } catch {
            note(error, output: false)
        }
    }

    private func segment(_ picture: Picture, _ path: String) throws(Fault) {
        inference.clock("decode")
        inference.preprocessor.resize(picture)
        inference.clock("resize")
        let segmentation = try inference.segment(picture.size) { prediction in sinks.inspect(prediction, picture: path, failed: note) }
        var result = SinkResult(
            segmentation, legend: inference.legend, picture: path, totalMilliseconds: inference.totalMilliseconds, canvas: picture)
        sinks.accept(&result, line: { inference.line(segmentation, picture: path) }, failed: note)
    }
}
