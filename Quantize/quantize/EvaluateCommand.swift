import ArgumentParser
import CSystem
import Calibrate
import Checkpoint
import Evaluate
import Foundation
import Imaging
import ModelFormat
import Network
import Runtime
import System

/// `quantize evaluate`: fp32 and int8 against annotated pictures.
struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Measures PQ, mIoU and mask AP on annotated pictures, in fp32 and int8.",
        discussion: """
            Give --checkpoint for fp32, --model for int8, or both for the two side by side on the same pixels. Three forms of annotations:

              --panoptic FILE.json  COCO panoptic; the id maps lie in the folder FILE, or in --maps. All measures.
              --instances FILE.json COCO instances. AP only.
              --maps FOLDER alone   label maps (grey PNG), whose values are external ids of the vocabulary. mIoU only.
                ADE20K:     --pictures images/validation --maps annotations/validation
                Cityscapes: --pictures leftImg8bit/val --maps gtFine/val --endings _leftImg8bit.png:_gtFine_labelIds.png

            The means go to standard output, everything to report.md in the --output folder.
            """)

    @Option(help: ArgumentHelp("FC-CLIP checkpoint, measured in fp32.", valueName: "file"))
    var checkpoint: String?

    @Option(help: ArgumentHelp("CLIP, where the checkpoint holds the trained head only: open_clip's file, or OpenAI's such as RN50.pt.", valueName: "file"))
    var clip: String?

    @Option(help: ArgumentHelp("Model file, measured in int8.", valueName: "file"))
    var model: String?

    @Option(name: .customLong("vocab"), help: ArgumentHelp("Vocabulary file.", valueName: "file"))
    var vocabulary: String

    @Option(help: ArgumentHelp("Folder of the pictures.", valueName: "folder"))
    var pictures: String

    @Option(help: ArgumentHelp("COCO panoptic annotations.", valueName: "file.json"))
    var panoptic: String?

    @Option(help: ArgumentHelp("COCO instance annotations.", valueName: "file.json"))
    var instances: String?

    @Option(help: ArgumentHelp("Folder of id maps or label maps.", valueName: "folder"))
    var maps: String?

    @Option(help: ArgumentHelp("Endings of a picture's name and its label map's.", valueName: "ending:ending"))
    var endings = ".jpg:.png"

    @Option(help: ArgumentHelp("How categories are matched with classes: name or id. Label maps: id.", valueName: "key"))
    var match = "name"

    @Option(help: ArgumentHelp("Folder to write the report to.", valueName: "folder"))
    var output: String?

    @Option(help: ArgumentHelp("Show this many of the worst pictures.", valueName: "count"))
    var worst = 10

    @Option(help: ArgumentHelp("Use at most this many pictures, from the first.", valueName: "count"))
    var limit: Int?

    @Option(
        name: [.customLong("shortest-edge"), .customLong("size")],
        help: ArgumentHelp("Shortest edge that pictures are resized to. Default: as in the model file, or 512.", valueName: "pixels"))
    var shortestEdge: Int?

    @OptionGroup var ensemble: EnsembleOptions

    @Option(help: "Threads.")
    var threads = processorCount()

    func validate() throws {
        guard checkpoint != nil || model != nil else { throw ValidationError("nothing to measure: give --checkpoint, --model or both") }
        guard panoptic == nil || instances == nil else { throw ValidationError("--panoptic and --instances exclude each other") }
        guard panoptic != nil || instances != nil || maps != nil else { throw ValidationError("no annotations: give --panoptic, --instances or --maps") }
        guard ClassMatching.Key(rawValue: match) != nil else { throw ValidationError("--match is name or id") }
        guard endings.split(separator: ":").count == 2 else { throw ValidationError("--endings is two endings with a colon between") }
        guard (0...1000).contains(worst) else { throw ValidationError("--worst is 0...1000") }
        guard limit.map({ $0 > 0 }) ?? true else { throw ValidationError("--limit is at least 1") }
        guard shortestEdge.map({ (32...8192).contains($0) }) ?? true else { throw ValidationError("--shortest-edge is 32...8192 pixels") }
        guard (1...256).contains(threads) else { throw ValidationError("--threads is 1...256") }
    }

    func run() throws {
        let vocabulary = try Vocabulary(path: vocabulary)
        let dataset = try dataset(vocabulary)
        let count = min(limit ?? Int.max, dataset.pictures.count)
        try checkPlaces(dataset)
        // Faults show before the work begins.
        if let output { try Report.prepare(output, worst: worst) }
        for index in 0..<count { try dataset.checkSize(of: index) }
        let key: ClassMatching.Key = panoptic == nil && instances == nil ? .id : ClassMatching.Key(rawValue: match) ?? .name
        let matching = try ClassMatching(dataset.categories, vocabulary.categories, names: vocabulary.names, by: key)
        let file = try model.map { try ModelFile(path: $0) }
        let shortest = shortestEdge ?? file?.shortestEdge ?? 512
        let preprocessing = Preprocessing(shortestEdge: shortest, maximumSize: shortestEdge == nil ? file?.longestEdge ?? shortest * 5 / 3 : shortest * 5 / 3)
        let weights = ensemble.weights(otherwise: file?.ensemble ?? Ensemble())
        let candidates = try candidates(vocabulary, file: file, preprocessing: preprocessing, weights)
        let evaluation = Evaluation(dataset, matching: matching, preprocessing: preprocessing, candidates: candidates, failures: output == nil ? 0 : worst)
        let report = Report(evaluation, legend: Legend(vocabulary), provenance: provenance(preprocessing, weights))
        for remark in report.remarks { Talk.line(remark) }
        let start = Date()
        for index in 0..<count {
            try evaluation.add(index)
            let elapsed = Date().timeIntervalSince(start)
            let rest = elapsed / Double(index + 1) * Double(count - index - 1)
            let isLast = index + 1 == count
            Talk.progress(
                isLast ? "measured on \(count) pictures in \(Talk.seconds(elapsed))" : "picture \(index + 1) of \(count), about \(Talk.seconds(rest)) left",
                isFinal: isLast)
        }
        // The means first: writing the report may fail.
        try printLine(report.summary.trimmingCharacters(in: .newlines))
        if let output { try report.write(to: output) }
    }

    /// - Throws: when the report would replace a file that is read.
    private func checkPlaces(_ dataset: any Dataset) throws {
        guard let output else { return }
        var claims = FileClaims()
        for (name, path) in [
            ("--checkpoint", checkpoint), ("--clip", clip), ("--model", model), ("--vocab", vocabulary), ("--panoptic", panoptic), ("--instances", instances),
        ] {
            if let path { claims.read(path, as: name) }
        }
        for path in dataset.files { claims.read(path, as: "a file of the data set,") }
        for folder in Set(dataset.files.map { folderAndName($0).folder }) { claims.read(folder, as: "a folder of the data set,") }
        for path in Report.places(in: output) { claims.write(path, as: "--output") }
        try claims.check()
    }

    private func dataset(_ vocabulary: Vocabulary) throws -> any Dataset {
        if let panoptic { return try CocoPanoptic(path: panoptic, pictures: pictures, maps: maps) }
        if let instances { return try CocoInstances(path: instances, pictures: pictures) }
        let endings = endings.split(separator: ":").map(String.init)
        let categories = vocabulary.categories.compactMap { category in
            category.id.map { DatasetCategory(id: $0, name: category.name, isThing: category.isThing) }
        }
        guard !categories.isEmpty else {
            throw Fault("\(vocabulary.path): its classes have no ids, which label maps are read by; write them as id:name in the name list")
        }
        return try LabelMaps(pictures: pictures, maps: maps ?? "", ending: endings[0], mapEnding: endings[1], categories: categories)
    }

    private func candidates(_ vocabulary: Vocabulary, file: ModelFile?, preprocessing: Preprocessing, _ weights: Ensemble) throws -> [Evaluation.Candidate] {
        let classifier = Classifier(vocabulary)
        var candidates: [Evaluation.Candidate] = []
        if let path = checkpoint {
            let checkpoint = try Checkpoint(checkpoint: path, clip: clip)
            guard try checkpoint.clipFingerprint() == vocabulary.clipFingerprint else { throw Fault("\(vocabulary.path): made with another CLIP than \(path)") }
            Talk.line("reading \(checkpoint.sources.map { URL(filePath: $0.path).lastPathComponent }.joined(separator: " and "))")
            let float = try Calibration(checkpoint, preprocessing: preprocessing, threads: threads)
            candidates.append(candidate("fp32", float.network, weights, classifier))
        }
        if let file {
            try file.requireFit(vocabulary)
            let network = try SegmentationNetwork(IntegerArithmetic(file, kernels: .best, threads: threads), file.architecture)
            candidates.append(candidate("int8", network, weights, classifier))
        }
        return candidates
    }

    /// `network` with the vocabulary's classes.
    private func candidate<A: Arithmetic>(
        _ name: String, _ network: SegmentationNetwork<A>, _ weights: Ensemble, _ classifier: Classifier
    ) -> Evaluation.Candidate {
        network.weights = weights
        let segmenter = Segmenter(network.arithmetic)
        return Evaluation.Candidate(name: name) { pixels, geometry, measures in
            var predictions = TaskPredictions([]) { Segmentation(task: $0, size: geometry.picture) }
            network.run(pixels, size: geometry.inner, padded: geometry.padded, classifier: classifier) { prediction in
                predictions = TaskPredictions(measures) { segmenter.segment(prediction, classifier: classifier, geometry: geometry, task: $0) }
            }
            return predictions
        }
    }

    private func provenance(_ preprocessing: Preprocessing, _ weights: Ensemble) -> [String] {
        func name(_ path: String) -> String { URL(filePath: path).lastPathComponent }
        return [
            checkpoint.map { "fp32: `\(name($0))`" }, model.map { "int8: `\(name($0))`" }, "vocabulary: `\(name(vocabulary))`",
            "annotations: `\(name(panoptic ?? instances ?? maps ?? ""))`",
            "shortest edge \(preprocessing.shortestEdge) pixels, longest at most \(preprocessing.maximumSize)",
            "CLIP's weight in the ensemble: \(weights.alpha) for seen classes, \(weights.beta) for unseen ones",
        ].compactMap { $0 }
    }
}
