import CSIMD

/// y[column][row] = Float(sum[row][column] + offset[column]) * scale: the sums of a GEMM whose columns become rows.
public struct TransposedSums {
    /// `[rows][stride]`; rows and stride may be read up to the next multiple of 16.
    public let sums: UnsafePointer<Int32>
    public let stride, rows, columns: Int
    public let offset: UnsafePointer<Int32>
    public let scale: Float
    /// Rows are `yStride` values apart; of each the first `rows` values are written.
    public let y: UnsafeMutablePointer<Float>
    public let yStride: Int

    public init(
        _ sums: UnsafePointer<Int32>, stride: Int, rows: Int, columns: Int, offset: UnsafePointer<Int32>, scale: Float,
        into y: UnsafeMutablePointer<Float>, stride yStride: Int
    ) {
        (self.sums, self.stride, self.rows, self.columns) = (sums, stride, rows, columns)
        (self.offset, self.scale, self.y, self.yStride) = (offset, scale, y, yStride)
    }

    @inlinable @inline(__always)
    func perform<Registers>(_: Registers.Type) {
        for column in Swift.stride(from: 0, to: columns, by: 4) {
            let count = min(4, columns - column)
            for row in Swift.stride(from: 0, to: rows, by: 16) {
                let first = sums + (row * stride + column)
                // Each quarter of a register holds four rows, transposed four by four.
                let a = sixteen(first)
                let b = sixteen(first + stride)
                let c = sixteen(first + 2 * stride)
                let d = sixteen(first + 3 * stride)
                let left = simd_low_words(a, b)
                let right = simd_low_words(c, d)
                let upperLeft = simd_high_words(a, b)
                let upperRight = simd_high_words(c, d)
                let seen = min(16, rows - row)
                finish(simd_low_pairs(left, right), column, row, count: seen)
                if count > 1 { finish(simd_high_pairs(left, right), column + 1, row, count: seen) }
                if count > 2 { finish(simd_low_pairs(upperLeft, upperRight), column + 2, row, count: seen) }
                if count > 3 { finish(simd_high_pairs(upperLeft, upperRight), column + 3, row, count: seen) }
            }
        }
    }

    /// Four columns of the rows 0, 4, 8 and 12 from `pointer` on.
    @usableFromInline @_transparent
    func sixteen(_ pointer: UnsafePointer<Int32>) -> Words {
        simd_join(quarter(pointer), quarter(pointer + 4 * stride), quarter(pointer + 8 * stride), quarter(pointer + 12 * stride))
    }

    @usableFromInline @_transparent
    func quarter(_ pointer: UnsafePointer<Int32>) -> SIMD4<Int32> {
        UnsafeRawPointer(pointer).loadUnaligned(as: SIMD4<Int32>.self)
    }

    @usableFromInline @_transparent
    func finish(_ sums: Words, _ column: Int, _ row: Int, count: Int) {
        let total = simd_add_words(sums, simd_splat_words(offset[column]))
        store(converted(total) * scale, y + (column * yStride + row), count: count)
    }
}
