import CSystem

/// A thread of the operating system that runs one closure.
public final class Thread: @unchecked Sendable {
    private final class Work {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) {
            self.body = body
        }
    }

    private var thread = system_thread()

    /// Starts at once. - Throws: when the system has no thread to give.
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

    /// Waits for the closure's end; to be called at most once.
    public func join() {
        pthread_join(thread.id, nil)
    }
}

/// A lock with something to wait for.
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

    /// Inside `locked`: lets others in until `wakeAll`, or until `deadline` of `monotonicMilliseconds()` if there is one. It may also
    /// return for no reason: ask again for what is waited for.
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

    /// Inside `locked`.
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
