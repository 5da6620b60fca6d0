import CBoard
import Network

/// Scratch memory in the order of a stack: taken piece by piece, given back to a mark.
///
/// Grows by chunks while the first frame runs; later frames of the same size allocate nothing.
public final class Arena {
    private struct Chunk {
        let base: UnsafeMutableRawPointer
        let capacity: Int
    }

    private var chunks: [Chunk] = []
    private var chunk = 0
    private var offset = 0
    private let chunkBytes: Int

    /// Every piece begins at a multiple of this many bytes and may be read that far beyond its end.
    public static let alignment = 64

    public init(chunkBytes: Int = 16 << 20) {
        self.chunkBytes = chunkBytes
    }

    /// Bytes held.
    public var capacity: Int { chunks.reduce(0) { $0 + $1.capacity } }

    /// Uninitialised memory that lives until a mark before it is released.
    public func take(bytes: Int) -> UnsafeMutableRawPointer {
        let needed = (bytes + 2 * Self.alignment - 1) / Self.alignment * Self.alignment
        while chunk < chunks.count {
            if offset + needed <= chunks[chunk].capacity {
                defer { offset += needed }
                return chunks[chunk].base + offset
            }
            if offset == 0 {
                // Unused and too small: a larger one takes its place, so that growing pictures leave nothing behind.
                chunks.remove(at: chunk).base.deallocate()
            } else {
                chunk += 1
                offset = 0
            }
        }
        let capacity = max(needed, chunkBytes)
        chunks.append(Chunk(base: UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: Self.alignment), capacity: capacity))
        offset = needed
        return chunks[chunk].base
    }

    public func take<Element>(_ type: Element.Type, count: Int) -> UnsafeMutablePointer<Element> {
        take(bytes: count * MemoryLayout<Element>.stride).bindMemory(to: type, capacity: count)
    }

    public func mark() -> ScratchMark {
        ScratchMark(chunk: chunk, offset: offset)
    }

    public func release(_ mark: ScratchMark) {
        chunk = mark.chunk
        offset = mark.offset
    }

    deinit {
        for chunk in chunks { chunk.base.deallocate() }
    }
}
