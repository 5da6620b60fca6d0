import CHash
import CSystem
import Kernels
import ModelFormat
import System

/// One container of tensors, mapped: a PyTorch zip (`.pth`, `.pt`, `.bin`) or `.safetensors`, recognised by its contents.
///
/// The zip is what `torch.save` writes, or `torch.jit.save`, as for OpenAI's CLIPs; of a TorchScript program only the tensors are read.
public final class TensorFile {
    public let path: String
    /// In the container's order.
    public let names: [String]

    let file: MappedFile
    private let tensors: [String: StoredTensor]
    /// PyTorch: the zip entries that hold storages, by the first byte of their data.
    private var unverified: [Int: Zip.Entry]

    /// - Throws: when the file cannot be read, is of neither kind, is malformed, or when its pickle asks for anything but tensors.
    public static func open(path: String) throws(Fault) -> TensorFile {
        let file = try MappedFile(path: path)
        if let fault = misfit(file) { throw fault }
        if file.bytes.starts(with: [0x50, 0x4b, 0x03, 0x04]) { return try TensorFile(torch: file) }
        if SafeTensors.recognizes(file.bytes) { return try TensorFile(file, SafeTensors.read(file), [:]) }
        throw Fault("\(path): neither a PyTorch checkpoint nor a safetensors file")
    }

    public func tensor(_ name: String) -> StoredTensor? {
        tensors[name]
    }

    /// Compares the tensor's bytes with the container's checksum when that has not been done yet; safetensors has none.
    /// - Throws: when they differ.
    public func verify(_ tensor: StoredTensor) throws(Fault) {
        // Several tensors may share a storage; it starts at or before each of them.
        guard let entry = unverified[tensor.storage.lowerBound] else { return }
        guard CRC32.of(UnsafeRawBufferPointer(rebasing: file.bytes[entry.data])) == entry.checksum else {
            throw Fault("\(path): tensor \(abbreviated(tensor.name)) is damaged: the checksum of its data does not match; download or copy the file again")
        }
        unverified[tensor.storage.lowerBound] = nil
    }

    /// XXH3-64 of the whole file in 16 hexadecimal digits. The file is read, not touched through the mapping, so that it
    /// occupies no memory of this process.
    /// - Throws: when reading fails.
    public func contentHash() throws(Fault) -> String {
        let descriptor = system_open(path, O_RDONLY, 0)
        guard descriptor >= 0, let state = hash_begin() else { throw Fault("\(path): \(systemError())") }
        defer { close(descriptor) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { buffer.deallocate() }
        var count = 0
        repeat {
            count = read(descriptor, buffer.baseAddress, buffer.count)
            if count > 0 { hash_add(state, buffer.baseAddress, count) }
        } while count > 0
        let failure = count < 0 ? systemError() : nil
        let hash = hash_end(state)
        if let failure { throw Fault("\(path): \(failure)") }
        return hexadecimal(hash)
    }

    // MARK: - Formats

    private init(_ file: MappedFile, _ list: [StoredTensor], _ unverified: [Int: Zip.Entry]) throws(Fault) {
        var tensors: [String: StoredTensor] = [:]
        for tensor in list where tensors.updateValue(tensor, forKey: tensor.name) != nil {
            throw Fault("\(file.path): tensor \(abbreviated(tensor.name)) occurs twice")
        }
        guard !list.isEmpty else { throw Fault("\(file.path): holds no tensors") }
        path = file.path
        names = list.map(\.name)
        self.file = file
        self.tensors = tensors
        self.unverified = unverified
    }

    private convenience init(torch file: MappedFile) throws(Fault) {
        let path = file.path
        let zip = try Zip(file)
        let suffix = "/data.pkl"
        let pickles = zip.entries.keys.filter { $0.hasSuffix(suffix) }
        guard pickles.count == 1, let name = pickles.first, let entry = try zip.stored(name) else {
            throw Fault("\(path): a zip archive, but no PyTorch checkpoint: it has no data.pkl")
        }
        let stem = name.dropLast(suffix.count)
        if let order = try zip.stored("\(stem)/byteorder"), !file.bytes[order.data].elementsEqual(Array("little".utf8)) {
            throw Fault("\(path): written on a big-endian machine; only little-endian checkpoints are read")
        }
        let bytes = UnsafeRawBufferPointer(rebasing: file.bytes[entry.data])
        guard CRC32.of(bytes) == entry.checksum else { throw Fault("\(path): damaged: the checksum of \(abbreviated(name)) does not match") }

        let pickle = try Pickle(bytes, path: "\(path): \(abbreviated(name))")
        var list: [StoredTensor] = []
        var unverified: [Int: Zip.Entry] = [:]
        for (name, tensor) in try pickle.weights() {
            guard let entry = try zip.stored("\(stem)/data/\(tensor.storage.key)") else {
                throw Fault("\(path): truncated or corrupt: the data of tensor \(abbreviated(name)) is missing")
            }
            let size = tensor.storage.count.multipliedReportingOverflow(by: tensor.storage.kind.size)
            guard !size.overflow, size.partialValue == entry.data.count else {
                throw Fault(
                    "\(path): corrupt: tensor \(abbreviated(name)) announces \(tensor.storage.count) elements, but its data has \(entry.data.count) bytes")
            }
            list.append(
                try StoredTensor(
                    name: name, shape: tensor.shape, strides: tensor.strides, kind: tensor.storage.kind,
                    offset: tensor.offset, storage: entry.data, file: file))
            if !entry.data.isEmpty { unverified[entry.data.lowerBound] = entry }
        }
        try self.init(file, list, unverified)
    }

    /// Files that are often mistaken for a checkpoint, each with a remedy.
    private static func misfit(_ file: MappedFile) -> Fault? {
        let path = file.path
        let bytes = file.bytes
        if bytes.isEmpty { return Fault("\(path): empty") }
        if bytes.starts(with: Array("GGUF".utf8)) { return Fault("\(path): a GGUF file; the original checkpoint is needed here") }
        if bytes.starts(with: Array("version https://git-lfs".utf8)) {
            return Fault("\(path): a Git LFS pointer instead of the file; run git lfs pull, or download the file itself")
        }
        if bytes.prefix(512).contains(UInt8(ascii: "<")), String(decoding: bytes.prefix(512), as: UTF8.self).lowercased().contains("<html") {
            return Fault("\(path): a web page instead of the file; the download needs a confirmation in the browser")
        }
        // The number that torch.save wrote first before it wrote zip archives.
        if bytes.starts(with: [0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]) {
            return Fault("\(path): in PyTorch's format before 1.6; load it with torch.load and save it again with torch.save")
        }
        return nil
    }
}
