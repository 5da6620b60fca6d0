import ArgumentParser
import CSystem
import Foundation
import Kernels
import System

/// `quantize`: turns FC-CLIP checkpoints into int8 model files and class names into vocabulary files.
@main
struct Quantize: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantize",
        abstract: "Turns FC-CLIP checkpoints and class names into the files that fcclip-edge runs.",
        discussion: """
            A model and a vocabulary, from the released head and its CLIP:

              quantize --checkpoint fcclip_cocopan.pth --clip open_clip_model.safetensors \\
                       --calib photos/ --output model.gguf
              quantize vocab --checkpoint fcclip_cocopan.pth --clip open_clip_model.safetensors \\
                       --tokenizer bpe_simple_vocab_16e6.txt.gz --names names.txt --output vocabulary.gguf
            """,
        subcommands: [ModelCommand.self, VocabularyCommand.self, InspectCommand.self, StagesCommand.self, ReferenceCommand.self, EvaluateCommand.self],
        defaultSubcommand: ModelCommand.self)

    static func main() {
        ProgramStart.prepare(mappingFault: "quantize: error: a checkpoint was shortened, or its disk failed, while it was read\n")
        do {
            do {
                var command = try parseAsRoot(Array(try programArguments().dropFirst()))
                try command.run()
            } catch let fault as Fault {
                throw fault
            } catch  where exitCode(for: error) == .success {
                // The text of --help.
                try printLine(fullMessage(for: error))
            }
        } catch let fault as Fault {
            Log.write("quantize: error: \(fault.message)")
            exit(withError: ExitCode.failure)
        } catch {
            let lines = message(for: error).split(separator: "\n")
            Log.write("quantize: error: \(lines.joined(separator: " ")); see --help")
            exit(withError: ExitCode(exitCode(for: error).rawValue))
        }
    }
}

/// The checkpoint's one or two files.
struct CheckpointOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("FC-CLIP checkpoint: PyTorch (.pth, .pt, .bin) or .safetensors.", valueName: "file"))
    private var checkpoint: String?

    @Option(
        name: .long,
        help: ArgumentHelp("CLIP, where the checkpoint holds the trained head only: open_clip's file, or OpenAI's such as RN50.pt.", valueName: "file"))
    var clip: String?

    /// - Throws: when it is not given. The message names the released files.
    func path() throws -> String {
        guard let checkpoint else {
            throw Fault(
                """
                --checkpoint is missing: the released fcclip_cocopan.pth is linked in the README of github.com/bytedance/fc-clip; its CLIP, for --clip, is \
                open_clip_model.safetensors of huggingface.co/laion/CLIP-convnext_large_d_320.laion2B-s29B-b131K-ft-soup for ConvNeXt-L, and for a ResNet \
                that of huggingface.co/timm/resnet50_clip.openai, resnet101_clip.openai, ...
                """)
        }
        return checkpoint
    }

    /// Claims the files for reading.
    func claim(in claims: inout FileClaims) throws {
        claims.read(try path(), as: "--checkpoint")
        if let clip { claims.read(clip, as: "--clip") }
    }
}

/// Messages and progress on standard error.
enum Talk {
    private static let isTerminal = isatty(2) == 1

    static func line(_ text: String) {
        Log.write(text)
    }

    /// A line that the next one replaces on a terminal; elsewhere only the last, `isFinal`, is printed.
    static func progress(_ text: String, isFinal: Bool) {
        if isTerminal {
            // A closed terminal is no failure.
            _ = Array(("\r\u{1b}[K" + text + (isFinal ? "\n" : "")).utf8).withUnsafeBytes { writeAll($0, to: STDERR_FILENO) }
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
