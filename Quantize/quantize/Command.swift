import ArgumentParser

@main
struct Quantize: ParsableCommand {
    func run() {}
}
