// swift-tools-version: 6.2
import PackageDescription

// MARK: - Settings

/// Code of the board: the Embedded Swift subset (no Foundation, no existentials, typed throws).
/// The desk compiles the same sources in normal mode; `Boards/` compiles them for aarch64.
let board: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
]

/// Kernels of one instruction set. `-Xcc -march` decides which intrinsics the C shim exposes and which
/// instructions the compiler may select, hence the unsafe flags; nothing generic leaves such a target.
func instructionSet(_ march: String, _ extensions: [String]) -> [SwiftSetting] {
    board + [.unsafeFlags(["-Ounchecked", "-Xcc", "-march=" + march, "-Xcc", "-ffp-contract=off"] + extensions.flatMap { ["-Xcc", $0] })]
}

// The processor built for: the desk's own, or what `Boards/build` cross-compiles for. This file itself runs on the desk.
#if arch(x86_64)
let desk = "x86_64"
#else
let desk = "aarch64"
#endif
let architecture = Context.environment["FCCLIP_TARGET"] ?? desk

func kernels(_ name: String, _ march: String, _ extensions: String...) -> Target {
    .target(name: name, dependencies: ["Kernels", "CBoard"], exclude: ["README.md"], swiftSettings: instructionSet(march, extensions))
}

let kernelTargets: [Target] = architecture == "x86_64" ? [
    // Haswell, Zen and later.
    kernels("KernelsAVX2", "x86-64-v3"),
    // Cascade Lake, Zen 4 and later.
    kernels("KernelsVNNI", "x86-64-v4", "-mavx512vnni"),
] : [
    // Every 64-bit ARM processor; with dot products (Cortex-A55, A76 and later); with matrix products (Cortex-A510, A710 and later).
    // Not armv8.2-a: every object carries copies of Swift's runtime functions, which would use that version's atomics.
    kernels("KernelsNEON", "armv8-a"),
    kernels("KernelsDotProd", "armv8-a+dotprod"),
    kernels("KernelsI8MM", "armv8-a+dotprod+i8mm"),
]
let kernelNames: [Target.Dependency] = kernelTargets.map { .byName(name: $0.name) }

let package = Package(
    name: "fcclip-edge",
    products: [
        .executable(name: "fcclip-edge", targets: ["fcclip-edge"]),
        .executable(name: "quantize", targets: ["quantize"]),
        // For tests: loaded before a program, it counts how often that allocates memory.
        .library(name: "AllocationCounter", type: .dynamic, targets: ["AllocationCounter"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    ],
    targets: [
        // MARK: - Runtime, in the order the data flows

        // Header-only C and module maps: system calls, V4L2, intrinsics, libjpeg, libpng, libgpiod, xxHash.
        .systemLibrary(name: "CBoard", path: "Sources/CBoard"),
        // The operating system in Swift: errors, mapped files, atomic writes, threads, signals, text.
        .target(name: "Board", dependencies: ["CBoard"], exclude: ["README.md"], swiftSettings: board),
        // The kernel contract: layouts, packing, requantization, scalar reference, the one list of kernels.
        .target(name: "Kernels", dependencies: ["CBoard"], exclude: ["README.md", "SPEED.md"], swiftSettings: board),
        // FC-CLIP written once, generic over the arithmetic.
        .target(name: "Network", dependencies: ["Board", "Kernels"], exclude: ["README.md"], swiftSettings: board),
        // Swift closures as C sees them, for threads that share one.
        .target(name: "CThreads", exclude: ["README.md"]),
        // Model and vocabulary files, memory, threads, int8 arithmetic.
        .target(name: "Runtime", dependencies: ["Board", "CThreads", "Kernels", "Network"] + kernelNames, exclude: ["README.md"], swiftSettings: board),
        // Pictures and live frames to the network's input.
        .target(name: "Camera", dependencies: ["Board", "CBoard", "Network"], exclude: ["README.md"], swiftSettings: board),
        // Segments to overlays, label maps and JSON: one file per sink.
        .target(name: "Output", dependencies: ["Board", "CBoard", "Runtime"], exclude: ["README.md", "segments.schema.json"], swiftSettings: board),
        // Running long: systemd, the machine's health, durations.
        .target(name: "Service", dependencies: ["Board", "CBoard"], exclude: ["README.md"], swiftSettings: board),
        // Lines of the board: trigger, alarms, heartbeat.
        .target(name: "GPIO", dependencies: ["Board", "CBoard", "Network", "Output"], exclude: ["README.md"], swiftSettings: board),
        // What `fcclip-edge bench` measures.
        .target(name: "Benchmark", dependencies: ["Board", "Kernels", "Network", "Runtime", "Camera", "Output"], exclude: ["README.md"], swiftSettings: board),
        // The program on the board.
        .executableTarget(name: "fcclip-edge", dependencies: ["Runtime", "Camera", "Output", "GPIO", "Service", "Benchmark"], exclude: ["README.md"], swiftSettings: board),

        // MARK: - Quantizer (desk only)

        // PyTorch and safetensors readers, the writer of GGUF files.
        .target(name: "Checkpoint", dependencies: ["Board", "CBoard", "CZlib", "Network", "Runtime"], path: "Quantize/Checkpoint", exclude: ["README.md"]),
        // CLIP's tokenizer and text encoder, name lists, vocabulary files.
        .target(name: "Text", dependencies: ["Board", "Kernels", "Checkpoint", "Runtime", "COpenBLAS", "CZlib"], path: "Quantize/Text", exclude: ["README.md"], resources: [.embedInCode("coco-panoptic.txt")]),
        // fp32 arithmetic over OpenBLAS, folding, observation, quantization, comparison.
        .target(name: "Calibrate", dependencies: ["CBoard", "Checkpoint", "Camera", "Runtime", "COpenBLAS"], path: "Quantize/Calibrate", exclude: ["README.md"]),
        // PQ, mIoU and mask AP, readers of annotated data sets, the report.
        .target(name: "Evaluate", dependencies: ["Board", "Camera", "Network", "Output", "Runtime"], path: "Quantize/Evaluate", exclude: ["README.md"]),
        // OpenBLAS, for the fp32 arithmetic.
        .systemLibrary(name: "COpenBLAS", path: "Quantize/COpenBLAS"),
        // zlib, for merges files that are gzip-compressed and for the checksums of zip archives.
        .systemLibrary(name: "CZlib", path: "Quantize/CZlib"),
        // The command line of the quantizer.
        .executableTarget(name: "quantize", dependencies: ["Board", "Checkpoint", "Text", "Calibrate", "Evaluate", .product(name: "ArgumentParser", package: "swift-argument-parser")], path: "Quantize/quantize", exclude: ["README.md"]),

        // MARK: - Tests

        // Fixtures, temporary folders, running the built programs.
        .target(name: "TestSupport", dependencies: ["Checkpoint", "Text"], path: "Tests/TestSupport", exclude: ["README.md"]),
        // Mutates small containers and feeds them to the readers of checkpoints, models and vocabularies; see its README.
        .executableTarget(name: "Fuzz", dependencies: ["Camera", "Checkpoint", "Evaluate", "Kernels", "Runtime", "Text", "TestSupport"], path: "Tests/Fuzz", exclude: ["README.md"]),
        // The kernels of each instruction set against the reference, without a test framework: runs on boards and their emulation.
        .executableTarget(name: "BoardKernels", dependencies: ["Board", "CBoard", "Kernels"] + kernelNames, path: "Tests/BoardKernels", exclude: ["README.md"], swiftSettings: board),
        // Counts the allocations of a program that it is loaded before.
        .target(name: "AllocationCounter", path: "Tests/AllocationCounter"),
        .testTarget(name: "KernelTests", dependencies: ["Kernels", "Runtime", "TestSupport"]),
        .testTarget(name: "CheckpointTests", dependencies: ["Checkpoint", "TestSupport"]),
        .testTarget(name: "TextTests", dependencies: ["Text", "Checkpoint", "Runtime", "TestSupport"]),
        .testTarget(name: "PictureTests", dependencies: ["Camera", "Output", "TestSupport"]),
        .testTarget(name: "StreamTests", dependencies: ["Board", "Camera", "CBoard", "GPIO", "Output", "Service", "TestSupport"]),
        .testTarget(name: "NetworkTests", dependencies: ["Calibrate", "Kernels", "Network", "Text", "TestSupport"]),
        .testTarget(name: "EvaluateTests", dependencies: ["Evaluate", "TestSupport"]),
        .testTarget(name: "CommandTests", dependencies: ["Camera", "Checkpoint", "Evaluate", "Kernels", "Network", "Output", "Runtime", "TestSupport", "fcclip-edge", "quantize"]),
    ] + kernelTargets
)
