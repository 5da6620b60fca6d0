import CSystem

/// An operating-system thread that runs one closure.
public final class Thread: @unchecked Sendable {
    private final class Work {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }

    private var thread = system_thread()

    /// Starts immediately. - Throws: when the system cannot start a thread.
    public init(_ body: @escaping @Sendable () -> Void) throws(Fault) {
        let work = Unmanaged.passRetained(Work(body))
        let result = pthread_create(
            &thread.id, nil,
            { pointer in
                Unmanaged<Work>.fromOpaque(pointer!).takeRetainedValue().body()
                return nil
            }, work.toOpaque())
        guard result == 0 else {
            work.release()
            throw Fault("no thread can be started: \(errorText(result))")
        }
    }

    /// Waits until the closure returns. Call it at most once.
    public func join() {
        pthread_join(thread.id, nil)
    }
}

/// A mutex with a condition variable.
public final class Monitor: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

    public init() {
        pthread_mutex_init(mutex, nil)
        system_condition_init(condition)
    }

    public func locked<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }

    /// Call inside `locked`: releases the mutex until `wakeAll`, or until `deadline` on the clock of `monotonicMilliseconds()`. Wake-ups may be
    /// spurious: test the condition again.
    public func wait(until deadline: Double? = nil) {
        guard let deadline else {
            pthread_cond_wait(condition, mutex)
            return
        }
        var time = timespec()
        time.tv_sec = Int(deadline / 1000)
        time.tv_nsec = Int((deadline - Double(time.tv_sec) * 1000) * 1_000_000)
        pthread_cond_timedwait(condition, mutex, &time)
    }

    /// Call inside `locked`.
    public func wakeAll() {
        pthread_cond_broadcast(condition)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }
}
