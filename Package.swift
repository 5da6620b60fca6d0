// swift-tools-version: 6.2
import PackageDescription

// MARK: - Settings

/// Code that runs on boards: the Embedded Swift subset (no Foundation, no existentials, typed throws).
/// The host compiles the same sources in normal mode; `Boards/` compiles them for aarch64.
let embedded: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
]

/// Kernels of one instruction set. `-Xcc -march` decides which intrinsics the C shim exposes and which
/// instructions the compiler may select, hence the unsafe flags; nothing generic leaves such a target.
func instructionSet(_ march: String, _ extensions: [String]) -> [SwiftSetting] {
    embedded + [
        .unsafeFlags(["-Ounchecked", "-Xcc", "-march=" + march, "-Xcc", "-Wno-psabi", "-Xcc", "-ffp-contract=off"] + extensions.flatMap { ["-Xcc", $0] })
    ]
}

// The processor built for: the host's own, or what `Boards/build` cross-compiles for. This file itself runs on the host.
#if arch(x86_64)
let host = "x86_64"
#else
let host = "aarch64"
#endif
let architecture = Context.environment["FCCLIP_TARGET"] ?? host

// The commit that is built, as `git describe` names it: for `--version`. The scripts that build set it. (Not `Context.gitInformation`: SwiftPM
// caches what this file gives, and a later commit would go by the name of an earlier one.)
let commit = Context.environment["FCCLIP_COMMIT"].flatMap { $0.isEmpty ? nil : $0 }

func kernels(_ name: String, _ march: String, _ extensions: String...) -> Target {
    .target(name: name, dependencies: ["CSIMD", "Kernels"], exclude: ["README.md"], swiftSettings: instructionSet(march, extensions))
}

/// A target of the runtime, in `Sources/<name>`.
func target(_ name: String, _ dependencies: String..., others: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .target(
        name: name, dependencies: dependencies.map { .byName(name: $0) } + others, exclude: ["README.md"] + exclude, swiftSettings: embedded)
}

let kernelTargets: [Target] =
    architecture == "x86_64"
    ? [
        // Haswell, Zen and later.
        kernels("KernelsAVX2", "x86-64-v3"),
        // Cascade Lake, Zen 4 and later.
        kernels("KernelsVNNI", "x86-64-v4", "-mavx512vnni"),
    ]
    : [
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
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        // MARK: - C: header-only modules, one for each library or concern

        // System calls, threads, atomics.
        .systemLibrary(name: "CSystem", path: "Sources/CSystem"),
        // XXH3 checksums.
        .systemLibrary(name: "CHash", path: "Sources/CHash"),
        // Vectors, intrinsics, the entry points of the kernels.
        .systemLibrary(name: "CSIMD", path: "Sources/CSIMD"),
        // libjpeg and libpng.
        .systemLibrary(name: "CImage", path: "Sources/CImage"),
        // V4L2.
        .systemLibrary(name: "CVideo", path: "Sources/CVideo"),
        // libgpiod.
        .systemLibrary(name: "CGPIO", path: "Sources/CGPIO"),
        // Swift closures as C sees them, for threads that share one.
        .target(name: "CThreads", exclude: ["README.md"]),
        // The commit that is built.
        .target(name: "CVersion", exclude: ["README.md"], cSettings: commit.map { [.define("FCCLIP_COMMIT", to: $0)] } ?? []),

        // MARK: - Runtime, in the order the data flows

        // The operating system in Swift: errors, files, threads, clocks, signals, /proc and /sys, systemd, text.
        target("System", "CSystem", "CVersion"),
        // Pure kernels: packed layouts, GEMM, convolution, attention, sampling, the scalar reference, the one list of kernels.
        target("Kernels", "CSIMD", exclude: ["SPEED.md"]),
        // Sizes, colours, JPEG and PNG both ways, orientation, resizing, preprocessing.
        target("Imaging", "CImage", "Kernels", "System"),
        // GGUF, model and vocabulary files, the architecture's numbers: what the quantizer and the runtime share.
        target("ModelFormat", "CHash", "Imaging", "Kernels", "System"),
        // FC-CLIP written once, generic over the arithmetic.
        target("Network", "Imaging", "Kernels", "ModelFormat", "System"),
        // Memory, threads, int8 arithmetic, the engine.
        target("Runtime", "CSystem", "CThreads", "Imaging", "Kernels", "ModelFormat", "Network", "System", others: kernelNames),
        // Frame sources: folders of pictures, pipes, V4L2 cameras.
        target("Capture", "CSystem", "CVideo", "CImage", "Imaging", "Kernels", "System"),
        // Segments to overlays, label maps, JSON lines and GPIO lines.
        target("Sinks", "CGPIO", "CSystem", "Imaging", "Kernels", "ModelFormat", "Network", "System", exclude: ["segments.schema.json"]),
        // What `fcclip-edge bench` measures.
        target("Benchmark", "CSystem", "Imaging", "Kernels", "ModelFormat", "Network", "Runtime", "Sinks", "System"),
        // The program on the board.
        .executableTarget(
            name: "fcclip-edge",
            dependencies: ["Benchmark", "Capture", "CSystem", "Imaging", "Kernels", "ModelFormat", "Network", "Runtime", "Sinks", "System"],
            exclude: ["README.md"], swiftSettings: embedded),

        // MARK: - Quantizer (host only)

        // PyTorch and safetensors readers, the names of upstream's tensors.
        .target(
            name: "Checkpoint", dependencies: ["CHash", "CSystem", "CZlib", "Kernels", "ModelFormat", "System"], path: "Quantize/Checkpoint",
            exclude: ["README.md"]),
        // CLIP's tokenizer and text encoder, name lists, vocabulary files.
        .target(
            name: "Text", dependencies: ["Checkpoint", "COpenBLAS", "CSystem", "CZlib", "Imaging", "Kernels", "ModelFormat", "System"], path: "Quantize/Text",
            exclude: ["README.md"], resources: [.embedInCode("coco-panoptic.txt")]),
        // fp32 arithmetic over OpenBLAS, folding, observation, quantization, comparison.
        .target(
            name: "Calibrate",
            dependencies: ["CHash", "Checkpoint", "COpenBLAS", "CSystem", "Imaging", "Kernels", "ModelFormat", "Network", "Runtime", "System"],
            path: "Quantize/Calibrate", exclude: ["README.md"]),
        // PQ, mIoU and mask AP, readers of annotated data sets, the report.
        .target(
            name: "Evaluate", dependencies: ["Capture", "Imaging", "Kernels", "ModelFormat", "Network", "Sinks", "System"], path: "Quantize/Evaluate",
            exclude: ["README.md"]),
        // OpenBLAS, for the fp32 arithmetic.
        .systemLibrary(name: "COpenBLAS", path: "Quantize/COpenBLAS"),
        // zlib, for merges files that are gzip-compressed and for the checksums of zip archives.
        .systemLibrary(name: "CZlib", path: "Quantize/CZlib"),
        // The command line of the quantizer.
        .executableTarget(
            name: "quantize",
            dependencies: [
                "Calibrate", "Capture", "Checkpoint", "CSystem", "Evaluate", "Imaging", "Kernels", "ModelFormat", "Network", "Runtime", "Sinks", "System",
                "Text",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Quantize/quantize", exclude: ["README.md"]),

        // MARK: - Tests

        // Fixtures, temporary folders, running the built programs.
        .target(
            name: "TestSupport", dependencies: ["Checkpoint", "CZlib", "Imaging", "Kernels", "ModelFormat", "System", "Text"], path: "Tests/TestSupport",
            exclude: ["README.md"]),
        // Mutates small files and feeds them to everything that reads files; see its README.
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                "Capture", "Checkpoint", "CSystem", "Evaluate", "Imaging", "Kernels", "ModelFormat", "Network", "Runtime", "System", "Text", "TestSupport",
            ],
            path: "Tests/Fuzz", exclude: ["README.md"]),
        // The kernels of each instruction set against the reference, without a test framework: runs on boards and their emulation.
        .executableTarget(
            name: "BoardKernels", dependencies: ["CSIMD", "CSystem", "Kernels", "Runtime", "System"] + kernelNames, path: "Tests/BoardKernels",
            exclude: ["README.md"],
            swiftSettings: embedded),
        // Counts the allocations of a program that it is loaded before.
        .target(name: "AllocationCounter", path: "Tests/AllocationCounter"),
        .testTarget(name: "KernelTests", dependencies: ["Kernels", "Network", "Runtime", "System", "TestSupport"]),
        .testTarget(name: "CheckpointTests", dependencies: ["Checkpoint", "ModelFormat", "System", "TestSupport"]),
        .testTarget(name: "TextTests", dependencies: ["Checkpoint", "Imaging", "ModelFormat", "System", "Text", "TestSupport"]),
        .testTarget(
            name: "PictureTests", dependencies: ["Capture", "CHash", "Imaging", "Kernels", "ModelFormat", "Network", "Sinks", "System", "TestSupport"]),
        .testTarget(
            name: "StreamTests",
            dependencies: ["Capture", "CSystem", "CVideo", "Imaging", "Kernels", "ModelFormat", "Network", "Sinks", "System", "TestSupport"]),
        .testTarget(
            name: "NetworkTests", dependencies: ["Calibrate", "Imaging", "Kernels", "ModelFormat", "Network", "Runtime", "System", "Text", "TestSupport"]),
        .testTarget(
            name: "CalibrateTests",
            dependencies: ["Calibrate", "Checkpoint", "Imaging", "Kernels", "ModelFormat", "Network", "Runtime", "System", "TestSupport"]),
        .testTarget(name: "EvaluateTests", dependencies: ["Evaluate", "Imaging", "Kernels", "ModelFormat", "Network", "System", "TestSupport"]),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "Capture", "Checkpoint", "Evaluate", "Imaging", "Kernels", "ModelFormat", "Network", "Runtime", "Sinks", "System", "TestSupport", "fcclip-edge",
                "quantize",
            ]),
    ] + kernelTargets
)
