/// Marks code that is compiled for one kind of registers.
public protocol VectorRegisters {
    /// The number of `Lanes` that all its registers hold.
    static var registers: Int { get }
}

/// One call of a kernel other than an int8 GEMM or convolution, with its arguments. This is the one list of kernels that an instruction set
/// compiles for its own registers; all give the same bits.
public enum FloatKernel {
    case epilogue(Epilogue)
    case layerNorm(LayerNorm)
    case channelMoments(ChannelMoments)
    /// The rows `rows` of `x`, dense, to `output`, which is int8 or a copy.
    case quantize(Matrix, rows: Range<Int>, output: RowOutput)
    case softmaxes(Softmaxes)
    case attentionWeights(AttentionWeights)
    case attentionMeans(AttentionMeans)
    case sampledAttention(SampledAttention)
    case dotProducts(DotProducts)
    case halvedRows(HalvedRows)
    case panopticArgmax(PanopticArgmax)
    case transposedSums(TransposedSums)
    case resizedLine(ResizedLine)
    case averagePool(AveragePool)
    case maskedAttention(MaskedAttention)
    case signBits(SignBits)

    /// - Parameter registers: a type of the module that this is compiled into. Functions that are not inlined carry its name, so that the
    ///   linker never merges one module's code with another's.
    @inlinable @inline(__always)
    public func perform<Registers: VectorRegisters>(_ registers: Registers.Type) {
        switch self {
        case .epilogue(let kernel): kernel.perform(registers)
        case .layerNorm(let kernel): kernel.perform(registers)
        case .channelMoments(let kernel): kernel.perform(registers)
        case .quantize(let x, let rows, let output):
            for row in rows {
                forEachGroup(x.columns) {
                    output.write(load(x.row(row) + $0), row: row, column: $0, count: 16)
                } rest: {
                    output.write(load(x.row(row) + $0, count: $1), row: row, column: $0, count: $1)
                }
            }
        case .softmaxes(let kernel): kernel.perform(registers)
        case .attentionWeights(let kernel): kernel.perform(registers)
        case .attentionMeans(let kernel): kernel.perform(registers)
        case .sampledAttention(let kernel): kernel.perform(registers)
        case .dotProducts(let kernel): kernel.perform(registers)
        case .halvedRows(let kernel): kernel.perform(registers)
        case .panopticArgmax(let kernel): kernel.perform(registers)
        case .transposedSums(let kernel): kernel.perform(registers)
        case .resizedLine(let kernel): kernel.perform(registers)
        case .averagePool(let kernel): kernel.perform(registers)
        case .maskedAttention(let kernel): kernel.perform(registers)
        case .signBits(let kernel): kernel.perform(registers)
        }
    }
}
