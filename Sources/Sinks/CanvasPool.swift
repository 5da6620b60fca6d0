import Imaging
import Kernels
import System

/// A fixed number of RGB8 pictures that circulate between the thread that segments and the one that draws.
final class CanvasPool: @unchecked Sendable {
    private let monitor = Monitor()
    private var free: [Picture?]
    private var keepsAll: Bool
    private var refusals = 0

    /// - Parameter keepsAll: whether `take` waits until a picture is free.
    init(count: Int, keepsAll: Bool) {
        self.keepsAll = keepsAll
        free = [Picture?](repeating: Picture(size: Size(height: 0, width: 0)), count: count)
    }

    /// A picture of `size`, not cleared; nil when all are in use. New memory only when the size changes.
    func take(_ size: Size) -> Picture? {
        monitor.locked {
            while keepsAll, !free.contains(where: { $0 != nil }) { monitor.wait() }
            guard let index = free.firstIndex(where: { $0 != nil }), let picture = free[index] else { return nil }
            free[index] = nil
            return picture.size == size ? picture : Picture(size: size)
        }
    }

    func giveBack(_ picture: Picture) {
        monitor.locked {
            if let index = free.firstIndex(where: { $0 == nil }) { free[index] = picture }
            monitor.wakeAll()
        }
    }

    /// Counts a frame that no picture was free for.
    func refused() {
        monitor.locked { refusals += 1 }
    }

    var refusedCount: Int { monitor.locked { refusals } }

    /// From now on `take` does not wait.
    func hurry() {
        monitor.locked {
            keepsAll = false
            monitor.wakeAll()
        }
    }
}
