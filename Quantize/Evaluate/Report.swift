import Foundation
import ModelFormat
import System

/// An evaluation as Markdown: tables, remarks, and pictures of the worst cases.
public struct Report {
    private let evaluation: Evaluation
    private let legend: Legend
    /// What was compared, one line each.
    private let provenance: [String]

    public init(_ evaluation: Evaluation, legend: Legend, provenance: [String]) {
        self.evaluation = evaluation
        self.legend = legend
        self.provenance = provenance
    }

    /// Makes the folder of a report, and checks that a report can be written there. - Throws: when it cannot.
    public static func prepare(_ folder: String, worst: Int) throws(Fault) {
        do {
            try FileManager.default.createDirectory(atPath: folder + (worst > 0 ? "/worst" : ""), withIntermediateDirectories: true)
        } catch {
            throw Fault("\(folder): cannot be made a folder")
        }
        // Dropped again.
        _ = try AtomicFile(path: folder + "/report.md")
        if worst > 0 { _ = try AtomicFile(path: folder + "/worst/01.png") }
    }

    /// Paths that a report writes: a file, and a folder for pictures.
    public static func places(in folder: String) -> [String] {
        [folder + "/report.md", folder + "/worst"]
    }

    /// The name of a picture's comparison below the folder.
    private static func picture(_ path: String, rank: Int) -> String {
        String(format: "worst/%02d-", rank + 1) + URL(filePath: path).deletingPathExtension().lastPathComponent + ".png"
    }

    /// Writes `report.md`, and the worst pictures below `worst/`, into `folder`, which is made if absent. - Throws: when it cannot be written to.
    public func write(to folder: String) throws(Fault) {
        try Self.prepare(folder, worst: evaluation.failures.count)
        let pictures = SideBySide(legend: legend, matching: evaluation.matching)
        var names: [String] = []
        for (rank, failure) in evaluation.failures.enumerated() {
            let name = Self.picture(failure.path, rank: rank)
            try pictures.write(failure, to: folder + "/" + name)
            names.append(name)
        }
        let file = try AtomicFile(path: folder + "/report.md")
        try file.write(text(worst: names))
        try file.commit()
    }

    // MARK: - Figures

    private typealias Figure = (Measurement) -> Double?

    private struct Line {
        let name: String
        let figures: [Figure]
    }

    /// Classes that a line of the summary is a mean of.
    private var groups: [(name: String, classes: [Int])] {
        let classes = evaluation.matching.classes
        func those(_ isIncluded: (ClassMatching.Class) -> Bool) -> [Int] { classes.indices.filter { isIncluded(classes[$0]) } }
        let groups = [
            ("all", those { _ in true }), ("things", those(\.isThing)), ("stuff", those { !$0.isThing }), ("seen", those(\.isSeen)),
            ("unseen", those { !$0.isSeen }), ("unseen things", those { !$0.isSeen && $0.isThing }), ("unseen stuff", those { !$0.isSeen && !$0.isThing }),
        ]
        return groups.filter { !$0.1.isEmpty }
    }

    private func columns(_ name: String, _ classes: [Int]) -> [(name: String, figure: Figure)] {
        let measures = evaluation.dataset.measures
        var columns: [(name: String, figure: Figure)] = []
        if measures.contains(.panopticQuality) {
            columns += [
                ("PQ", { $0.panoptic.mean(classes)?.quality }), ("SQ", { $0.panoptic.mean(classes)?.segmentation }),
                ("RQ", { $0.panoptic.mean(classes)?.recognition }),
            ]
        }
        if measures.contains(.intersectionOverUnion) { columns.append(("IoU", { $0.semantic.mean(classes) })) }
        if measures.contains(.averagePrecision) { columns.append(("AP", { $0.instances.mean(classes) })) }
        return columns
    }

    /// The means, as a table of plain text and of Markdown alike.
    public var summary: String {
        table("classes", groups.map { ("\($0.name) (\($0.classes.count))", columns($0.name, $0.classes)) })
    }

    private var perClass: String {
        let classes = evaluation.matching.classes
        return table(
            "class",
            classes.indices.map { index in
                let found = classes[index]
                return ("\(found.name) (\(found.isThing ? "thing" : "stuff"), \(found.isSeen ? "seen" : "unseen"))", columns(found.name, [index]))
            })
    }

    /// AP at looser and stricter overlaps and by size, over all classes.
    private var precision: String {
        let classes = Array(evaluation.matching.classes.indices)
        let rows: [(String, Figure)] = [
            ("AP50", { $0.instances.mean(classes, threshold: 0) }), ("AP75", { $0.instances.mean(classes, threshold: 5) }),
            ("small (to 32 x 32 pixels)", { $0.instances.mean(classes, extent: .small) }), ("medium", { $0.instances.mean(classes, extent: .medium) }),
            ("large (from 96 x 96)", { $0.instances.mean(classes, extent: .large) }),
        ]
        return table("average precision", rows.map { ($0.0, [("AP", $0.1)]) })
    }

    /// A row for each of `rows`: every figure of every candidate in percent and, for two candidates, the second minus the first.
    private func table(_ title: String, _ rows: [(name: String, columns: [(name: String, figure: Figure)])]) -> String {
        let measurements = evaluation.measurements
        let names = evaluation.candidates.map(\.name)
        let isPair = measurements.count == 2
        var cells = [[title]]
        for column in rows.first?.columns ?? [] {
            cells[0] += names.map { "\(column.name) \($0)" } + (isPair ? ["difference"] : [])
        }
        for row in rows {
            var line = [row.name.replacingOccurrences(of: "|", with: "/")]
            for column in row.columns {
                let figures = measurements.map { column.figure($0).map { $0 * 100 } }
                line += figures.map { $0.map { String(format: "%.2f", $0) } ?? "-" }
                if isPair {
                    if let one = figures[0], let other = figures[1] { line.append(String(format: "%+.2f", other - one)) } else { line.append("-") }
                }
            }
            cells.append(line)
        }
        let widths = cells[0].indices.map { column in cells.map { $0[column].count }.max() ?? 0 }
        func padded(_ text: String, _ column: Int) -> String {
            let space = String(repeating: " ", count: widths[column] - text.count)
            return column == 0 ? text + space : space + text
        }
        var lines = cells.map { line in "| " + line.enumerated().map { padded($1, $0) }.joined(separator: " | ") + " |" }
        lines.insert("|" + widths.enumerated().map { String(repeating: "-", count: $1 + 1) + ($0 == 0 ? "-" : ":") }.joined(separator: "|") + "|", at: 1)
        return lines.joined(separator: "\n") + "\n"
    }

    // MARK: - Text

    private func text(worst: [String]) -> String {
        let matching = evaluation.matching
        var text = "# Evaluation\n\n" + provenance.map { "- \($0)\n" }.joined()
        text += "- \(evaluation.pictures) pictures, \(matching.classes.count) classes, \(matching.classes.count { $0.isSeen }) of them seen in training\n\n"
        text += remarks.map { "\($0)\n\n" }.joined()
        text += "All figures in percent; means are over classes that occur.\n\n## Means\n\n" + summary
        if evaluation.dataset.measures.contains(.averagePrecision) { text += "\n## Average precision\n\n" + precision }
        text += "\n## Classes\n\n" + perClass
        guard !worst.isEmpty else { return text }
        let isPanoptic = evaluation.dataset.measures.contains(.panopticQuality)
        text +=
            "\n## Worst pictures\n\nBy the \(evaluation.candidates.last?.name ?? "") network's "
            + (isPanoptic ? "panoptic quality, all segments of a picture pooled" : "fraction of right pixels") + ". From the left: the picture, the truth, "
            + evaluation.candidates.map(\.name).joined(separator: ", ") + ".\n"
        for (failure, name) in zip(evaluation.failures, worst) {
            let qualities = zip(evaluation.candidates, failure.qualities).map { $0.name + " " + String(format: "%.1f", $1 * 100) }
            let target = name.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? name
            text += "\n\(URL(filePath: failure.path).lastPathComponent): \(qualities.joined(separator: ", "))\n\n![](\(target))\n"
        }
        return text
    }

    /// Differences between the data set's and the vocabulary's classes, one sentence each.
    public var remarks: [String] {
        let matching = evaluation.matching
        func remark(_ names: [String], _ text: String) -> String? { names.isEmpty ? nil : text + ": " + names.joined(separator: ", ") + "." }
        return [
            remark(
                matching.notInVocabulary, "\(matching.notInVocabulary.count) categories of the data set are not in the vocabulary; their pixels count as void"),
            remark(
                matching.notInDataset, "\(matching.notInDataset.count) classes of the vocabulary are not in the data set; their segments are ignored"),
            remark(
                matching.contradictions,
                "\(matching.contradictions.count) classes are things for one of data set and vocabulary and stuff for the other; the tables follow the data set"
            ),
        ].compactMap { $0 }
    }
}
