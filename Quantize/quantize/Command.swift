import ArgumentParser
import Board
import Foundation

/// `quantize`: turns FC-CLIP checkpoints into int8 model files and class names into vocabulary files.
@main
struct Quantize: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Turns FC-CLIP checkpoints and class names into the files that fcclip-edge runs.",
        discussion: """
            A model and a vocabulary, from the released head and open_clip's CLIP:

              quantize --checkpoint fcclip_cocopan.pth --clip open_clip_model.safetensors \\
                       --calib photos/ --output model.gguf
              quantize vocab --checkpoint fcclip_cocopan.pth --clip open_clip_model.safetensors \\
                       --tokenizer bpe_simple_vocab_16e6.txt.gz --names names.txt --output vocabulary.gguf
            """,
        subcommands: [ModelCommand.self, VocabularyCommand.self, InspectCommand.self, StagesCommand.self, ReferenceCommand.self, EvaluateCommand.self],
        defaultSubcommand: ModelCommand.self)

    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let fault as Fault {
            Talk.line("quantize: error: \(fault.message)")
            exit(withError: ExitCode.failure)
        } catch {
            exit(withError: error)
        }
    }
}

/// The checkpoint's one or two files.
struct CheckpointOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("FC-CLIP checkpoint: PyTorch (.pth, .pt, .bin) or .safetensors.", valueName: "file"))
    var checkpoint: String

    @Option(name: .long, help: ArgumentHelp("open_clip's CLIP, where the checkpoint holds the trained head only.", valueName: "file"))
    var clip: String?
}

/// Words for the person at the terminal, on standard error.
enum Talk {
    private static let isTerminal = isatty(2) == 1

    static func line(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    /// A line that the next one replaces on a terminal; elsewhere only the last, `isFinal`, is printed.
    static func progress(_ text: String, isFinal: Bool) {
        if isTerminal {
            FileHandle.standardError.write(Data(("\r\u{1b}[K" + text + (isFinal ? "\n" : "")).utf8))
        } else if isFinal {
            line(text)
        }
    }

    static func seconds(_ value: Double) -> String {
        value < 60 ? "\(max(Int(value.rounded()), 0)) s" : "\(Int(value) / 60) min \(Int(value) % 60) s"
    }

    static func decibels(_ value: Double) -> String {
        value.isFinite ? String(format: "%.1f dB", value) : "exact"
    }
}
