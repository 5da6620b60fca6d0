import CSystem
import Network

/// Scratch memory as a stack: taken piece by piece, released down to a mark.
///
/// A block can be reserved in advance. Beyond it the arena grows by chunks, which stay allocated for later frames.
public final class Arena {
    private struct Chunk {
        let base: UnsafeMutableRawPointer
        let capacity: Int
    }

    private var chunks: [Chunk] = []
    /// Whether the chunks are memory.
    private let isReal: Bool
    private var chunk = 0
    private var offset = 0
    /// Memory that pieces are taken from as long as it has room, and the bytes taken of it.
    private var lent: Chunk?
    private var lentOffset = 0
    private let chunkBytes: Int
    /// The most bytes of the reserved block that were taken at a time.
    public private(set) var peak = 0

    /// Every piece begins at a multiple of this many bytes and may be read that far beyond its end.
    public static let alignment = 64

    public init(chunkBytes: Int = 16 << 20) {
        self.chunkBytes = chunkBytes
        isReal = true
    }

    private init(chunk: Chunk) {
        chunkBytes = 0
        chunks = [chunk]
        isReal = false
    }

    /// An arena that counts: pieces of any size without memory behind them, and `peak`.
    static func counting() -> Arena {
        // In no process's address space: a stray access ends the program instead of changing values.
        Arena(chunk: Chunk(base: UnsafeMutableRawPointer(bitPattern: 1 << 55)!, capacity: 1 << 54))
    }

    /// Bytes held.
    public var capacity: Int { chunks.reduce(0) { $0 + $1.capacity } }

    /// Allocates one block of `bytes`, from which all memory is taken until an earlier mark is released, and frees the
    /// chunks behind the current one.
    public func reserve(_ bytes: Int) {
        let start = offset == 0 ? chunk : chunk + 1
        peak = 0
        if start == chunks.count || chunks[start].capacity < bytes {
            for unused in chunks[start...] { unused.base.deallocate() }
            chunks.removeSubrange(start...)
            append(capacity: bytes)
        }
        (chunk, offset) = (start, 0)
    }

    private func append(capacity: Int) {
        // Rows lie kilobytes apart: with small pages nearly every row would cost a look-up in the page tables. Systems
        // without huge pages refuse, which has no effect.
        let hugePage = 2 << 20
        let whole = capacity / hugePage * hugePage
        let base = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: whole > 0 ? hugePage : Self.alignment)
        if whole > 0 { madvise(base, whole, MADV_HUGEPAGE) }
        chunks.append(Chunk(base: base, capacity: capacity))
    }

    /// Uninitialised memory, valid until an earlier mark is released.
    public func take(bytes: Int) -> UnsafeMutableRawPointer {
        let needed = (bytes + 2 * Self.alignment - 1) / Self.alignment * Self.alignment
        if let lent, lentOffset + needed <= lent.capacity {
            defer { lentOffset += needed }
            return lent.base + lentOffset
        }
        while chunk < chunks.count {
            if offset + needed <= chunks[chunk].capacity {
                defer {
                    offset += needed
                    peak = max(peak, offset)
                }
                return chunks[chunk].base + offset
            }
            if offset == 0 {
                // Unused and too small: a larger one replaces it, so that growing pictures leave no chunks behind.
                chunks.remove(at: chunk).base.deallocate()
            } else {
                chunk += 1
                offset = 0
            }
        }
        append(capacity: max(needed, chunkBytes))
        offset = needed
        return chunks[chunk].base
    }

    public func take<Element>(_ type: Element.Type, count: Int) -> UnsafeMutablePointer<Element> {
        take(bytes: count * MemoryLayout<Element>.stride).bindMemory(to: type, capacity: count)
    }

    public func mark() -> ScratchMark {
        ScratchMark(chunk: chunk, offset: offset, lent: lentOffset)
    }

    public func release(_ mark: ScratchMark) {
        chunk = mark.chunk
        offset = mark.offset
        lentOffset = mark.lent
    }

    /// Takes the memory that `body` asks for from `count` bytes at `base` first, which nothing else uses. - Returns: bytes that are still taken.
    func lending(_ base: UnsafeMutableRawPointer, count: Int, _ body: () -> Void) -> Int {
        let outer = (lent, lentOffset)
        defer { (lent, lentOffset) = outer }
        let start = base.alignedUp(toMultipleOf: Self.alignment)
        lent = Chunk(base: start, capacity: count - (start - base))
        lentOffset = 0
        body()
        return lentOffset == 0 ? 0 : lentOffset + (start - base)
    }

    deinit {
        guard isReal else { return }
        for chunk in chunks { chunk.base.deallocate() }
    }
}
