import COpenBLAS
import Checkpoint
import Kernels
import ModelFormat
import System

/// CLIP's text transformer in fp32 (Radford et al. 2021, section 2.4): tokens to embeddings of CLIP's joint space.
///
/// Pre-norm residual blocks with causal attention; the answer is read at the end token. Weights stay in the checkpoint's mapped file.
public final class TextEncoder {
    /// Channels of the residual stream, 64 for each attention head.
    public let width: Int
    public let heads: Int
    /// Tokens that it knows.
    public let tokenCount: Int
    public let activation: TextArchitecture.Activation
    /// Channels of an embedding.
    public let embeddingWidth: Int

    private let tokenEmbedding: StoredTensor
    private let positionalEmbedding: [Float]
    private let blocks: [Block]
    private let finalNorm: Norm
    /// width x embeddingWidth, applied from the right, without bias.
    private let projection: StoredTensor

    /// Rows of one batch: enough to keep the matrix product busy, few enough to need little memory compared with the weights.
    private static let batchRows = 2048

    private struct Norm {
        let weight, bias: [Float]
    }

    /// y = x W^T + b.
    private struct Linear {
        /// outputs x inputs.
        let weight: StoredTensor
        let bias: [Float]
    }

    private struct Block {
        let norm1, norm2: Norm
        let attentionIn, attentionOut, expand, reduce: Linear
    }

    // MARK: - Weights

    /// - Parameter activation: nil: the checkpoint's, as far as its tensors tell (`Checkpoint.textArchitecture()`).
    /// - Throws: when a tensor is missing or has an unexpected shape, or when texts are not 77 tokens long.
    public init(checkpoint: Checkpoint, activation: TextArchitecture.Activation? = nil) throws(Fault) {
        let architecture = try checkpoint.textArchitecture()
        guard architecture.context == Tokenizer.contextLength else {
            throw Fault("\(checkpoint.sources[0].path): a text encoder for texts of \(architecture.context) tokens, expected CLIP's \(Tokenizer.contextLength)")
        }
        let names = try checkpoint.textNames()
        func table(_ name: String) throws(Fault) -> StoredTensor { try checkpoint.tensor(try names.parameter("text." + name).key) }
        func norm(_ name: String) throws(Fault) -> Norm {
            Norm(weight: try table(name + ".weight").floats(), bias: try table(name + ".bias").floats())
        }
        func linear(_ name: String) throws(Fault) -> Linear {
            let layer = try names.layer("text." + name)
            return Linear(
                weight: try checkpoint.tensor(layer.weight), bias: try layer.bias.map { (key) throws(Fault) in try checkpoint.tensor(key).floats() } ?? [])
        }
        width = architecture.width
        heads = architecture.heads
        tokenCount = architecture.vocabulary
        self.activation = activation ?? architecture.activation
        tokenEmbedding = try table("token_embedding")
        positionalEmbedding = try table("positional_embedding").floats()
        finalNorm = try norm("norm")
        projection = try table("projection")
        embeddingWidth = projection.shape[1]
        var blocks = [Block]()
        for index in 0..<architecture.layers {
            let name = "block\(index)."
            blocks.append(
                Block(
                    norm1: try norm(name + "attention_norm"), norm2: try norm(name + "feed_forward_norm"),
                    attentionIn: try linear(name + "attention_input"), attentionOut: try linear(name + "attention_output"),
                    expand: try linear(name + "expand"), reduce: try linear(name + "project")))
        }
        self.blocks = blocks
    }

    // MARK: - Encoding

    /// The embeddings of prompts given as tokens (`Tokenizer.encode`): prompts x embeddingWidth, row-major, not normalised.
    ///
    /// - Parameter progress: called with the number of prompts done after each batch.
    public func encode(_ prompts: [[Int32]], progress: (Int) -> Void = { _ in }) -> [Float] {
        var result = [Float](repeating: 0, count: prompts.count * embeddingWidth)
        var tree = PrefixTree()
        var done = 0
        for (index, prompt) in prompts.enumerated() {
            tree.insert(prompt)
            guard tree.count >= Self.batchRows || index == prompts.count - 1 else { continue }
            result.withUnsafeMutableBufferPointer {
                encode(tree, Matrix($0.baseAddress! + done * embeddingWidth, rows: tree.ends.count, columns: embeddingWidth))
            }
            done = index + 1
            progress(done)
            tree = PrefixTree()
        }
        return result
    }

    private func encode(_ tree: PrefixTree, _ result: Matrix) {
        let rows = tree.count
        withMatrices(rows: rows, columns: [width, width, 4 * width]) { stream, normed, wide in
            embed(tree, stream)
            // In turn the attention's queries, keys and values, and the hidden layer.
            let attention = Matrix(wide.base, rows: rows, columns: 3 * width)
            for block in blocks {
                layerNorm(stream, block.norm1, normed)
                multiply(normed, block.attentionIn, attention)
                causalAttention(attention, heads: heads, tree, normed)
                multiply(normed, block.attentionOut, adding: stream)
                layerNorm(stream, block.norm2, normed)
                multiply(normed, block.expand, wide)
                activate(wide)
                multiply(wide, block.reduce, adding: stream)
            }
            // Only the rows of end tokens are read.
            let ends = Matrix(wide.base, rows: tree.ends.count, columns: width)
            for (index, node) in tree.ends.enumerated() { ends.row(index).update(from: stream.row(node), count: width) }
            let normedEnds = normed.rows(0..<ends.rows)
            layerNorm(ends, finalNorm, normedEnds)
            projection.withFloats { weight in
                gemm(normedEnds, weight.baseAddress!, transposed: false, result, beta: 0)
            }
        }
    }

    /// Token embedding plus the embedding of the token's position.
    private func embed(_ tree: PrefixTree, _ stream: Matrix) {
        tokenEmbedding.withFloats { table in
            for node in 0..<tree.count {
                let token = table.baseAddress! + Int(tree.tokens[node]) * width
                let position = (tree.pathStarts[node + 1] - tree.pathStarts[node] - 1) * width
                for column in 0..<width { stream[node, column] = token[column] + positionalEmbedding[position + column] }
            }
        }
    }

    // MARK: - Steps

    private func layerNorm(_ input: Matrix, _ norm: Norm, _ output: Matrix) {
        parallel(input.rows) { row in
            Kernels.layerNorm(input.row(row), count: width, epsilon: 1e-5, weight: norm.weight, bias: norm.bias, into: output.row(row))
        }
    }

    private func activate(_ hidden: Matrix) {
        parallel(hidden.rows) { row in
            switch activation {
            case .gelu: gelu(hidden.row(row), count: hidden.columns)
            case .quickGELU: quickGELU(hidden.row(row), count: hidden.columns)
            }
        }
    }

    private func multiply(_ input: Matrix, _ linear: Linear, _ output: Matrix) {
        for row in 0..<output.rows { output.row(row).update(from: linear.bias, count: output.columns) }
        linear.weight.withFloats { gemm(input, $0.baseAddress!, transposed: true, output, beta: 1) }
    }

    private func multiply(_ input: Matrix, _ linear: Linear, adding stream: Matrix) {
        for row in 0..<stream.rows {
            for column in 0..<stream.columns { stream[row, column] += linear.bias[column] }
        }
        linear.weight.withFloats { gemm(input, $0.baseAddress!, transposed: true, stream, beta: 1) }
    }
}

/// output = input * weight (or its transpose) + beta * output.
private func gemm(_ input: Matrix, _ weight: UnsafePointer<Float>, transposed: Bool, _ output: Matrix, beta: Float) {
    cblas_sgemm(
        CblasRowMajor, CblasNoTrans, transposed ? CblasTrans : CblasNoTrans, blasint(output.rows), blasint(output.columns), blasint(input.columns),
        1, input.base, blasint(input.columns), weight, blasint(transposed ? input.columns : output.columns), beta, output.base, blasint(output.columns))
}

/// Calls `body` with matrices of uninitialised memory that lives as long as the call.
private func withMatrices(rows: Int, columns: [Int], _ body: (Matrix, Matrix, Matrix) -> Void) {
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: rows * columns.reduce(0, +))
    defer { memory.deallocate() }
    var next = memory
    let matrices = columns.map { columns in
        defer { next += rows * columns }
        return Matrix(next, rows: rows, columns: columns)
    }
    body(matrices[0], matrices[1], matrices[2])
}
