import ArgumentParser
import Foundation
import ModelFormat
import System

/// `quantize inspect`: what a model or vocabulary file holds.
struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Prints what a model or vocabulary file holds, and checks every byte of it.")

    @Argument(help: ArgumentHelp("Model or vocabulary file.", valueName: "file"))
    var file: String

    @Flag(help: "List every tensor.")
    var tensors = false

    @Flag(help: "Print arrays whole.")
    var full = false

    func run() throws {
        let contents = try GGUF(path: file)
        let width = min(contents.keys.map(\.count).max() ?? 0, 44)
        for key in contents.keys where key != GGUF.tensorChecksums {
            try printLine(printable(key).rightPadded(width + 2) + printable(try contents.describe(key, limit: full ? Int.max : 8)))
        }
        for tensor in contents.tensors { try contents.verify(tensor) }
        let bytes = contents.tensors.reduce(0) { $0 + $1.byteCount }
        try printLine("\(contents.tensors.count) tensors, \(bytes) bytes, checksums match")
        guard tensors else { return }
        let names = contents.tensors.map(\.name.count).max() ?? 0
        for tensor in contents.tensors {
            try printLine(
                "  " + printable(tensor.name).rightPadded(names + 2) + tensor.kind.name.rightPadded(6) + tensor.shape.map(String.init).joined(separator: " x "))
        }
    }
}
