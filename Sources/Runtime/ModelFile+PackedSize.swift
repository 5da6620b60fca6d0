import Kernels
import ModelFormat

extension ModelFile {
    /// Bytes of all weights and tables in memory: int8 weights in `layout`, and the values for each column and for the
    /// scales of its input.
    func packedBytes(_ layout: PackedLayout) -> Int {
        var bytes = 0
        for tensor in file.tensors {
            let columns = tensor.shape[0]
            let depth = tensor.count / columns
            bytes += tensor.kind == .int8 ? layout.byteCount(columns: columns, depth: depth) + 4 * columns + 8 * depth : tensor.byteCount
            bytes += 8 * Arena.alignment
        }
        return bytes
    }
}
