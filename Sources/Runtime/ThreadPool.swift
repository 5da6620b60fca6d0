import CSystem
import CThreads
import System

/// A fixed set of threads that distribute the items of one piece of work after another among themselves.
///
/// A free thread takes the next item, so cores of different speed finish together. A waiting thread spins for tens of
/// microseconds, then blocks. It blocks at once where there are more threads than processors, because spinning would
/// take processor time from threads that work. Items must not depend on each other; then results do not depend on the
/// number of threads.
public final class ThreadPool: Sendable {
    /// Threads that take part in `run`, the caller included.
    public let threads: Int
    private let shared: Shared
    private let workers: [system_thread]

    /// - Parameter threads: 1 or more, the caller of `run` included. The pool has fewer when the system refuses to
    ///   start them.
    public init(threads: Int) {
        shared = Shared(spins: threads > processorCount() ? 0 : Shared.mostSpins)
        var started: [system_thread] = []
        for _ in 1..<max(shared.isKeyed.pointee == 1 ? threads : 1, 1) {
            var thread = system_thread()
            guard pthread_create(&thread.id, nil, { Shared(raw: $0!).work() }, shared.raw) == 0 else { break }
            started.append(thread)
        }
        workers = started
        self.threads = started.count + 1
    }

    deinit {
        shared.stop()
        for thread in workers { pthread_join(thread.id, nil) }
        shared.deallocate()
    }

    /// Calls `body` once with each of 0..<count, on any thread and in any order, and returns when all calls have.
    ///
    /// The caller works too. A call from inside `body` runs on the calling thread alone. A call from a thread outside
    /// the pool waits until the pool has finished its current work.
    public func run(_ count: Int, _ body: (Int) -> Void) {
        guard shared.place == 0 else {
            for index in 0..<max(count, 0) { body(index) }
            return
        }
        pthread_mutex_lock(shared.turn)
        // The caller is the first of the threads.
        shared.place = 1
        if threads > 1, count > 1, count < Shared.indexMask {
            withUnsafePointer(to: (threads: shared, count: count)) { work in
                lend(
                    body,
                    { closure, work in
                        let work = work.assumingMemoryBound(to: (threads: Shared, count: Int).self).pointee
                        work.threads.distribute(work.count, closure)
                    }, UnsafeRawPointer(work))
            }
        } else {
            for index in 0..<max(count, 0) { body(index) }
        }
        shared.place = 0
        pthread_mutex_unlock(shared.turn)
    }

    /// Index of the calling thread among the pool's threads, `0..<threads`; 0 outside of `run`.
    var slot: Int { max(shared.place - 1, 0) }
}

/// The state that all threads of a pool use: numbers that are read and written atomically, each on its own cache line,
/// and the mutexes and conditions on which threads block.
private struct Shared: @unchecked Sendable {
    static let indexMask = 1 << 32 - 1
    /// Rounds of waiting before a thread blocks: some tens of microseconds.
    static let mostSpins = 2000

    let raw: UnsafeMutableRawPointer

    init(raw: UnsafeMutableRawPointer) {
        self.raw = raw
    }

    init(spins: Int) {
        raw = .allocate(byteCount: 1152, alignment: 64)
        raw.initializeMemory(as: UInt8.self, repeating: 0, count: 1152)
        system_atomic_store(self.spins, Int64(spins))
        // Without a key threads cannot be identified: none is started, and every caller counts as the only thread.
        isKeyed.pointee = pthread_key_create(key, nil) == 0 ? 1 : 0
        pthread_mutex_init(turn, nil)
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(wake, nil)
        pthread_cond_init(end, nil)
    }

    func deallocate() {
        pthread_cond_destroy(end)
        pthread_cond_destroy(wake)
        pthread_mutex_destroy(mutex)
        pthread_mutex_destroy(turn)
        if isKeyed.pointee == 1 { pthread_key_delete(key.pointee) }
        raw.deallocate()
    }

    private func number(_ index: Int) -> UnsafeMutablePointer<Int64> {
        (raw + index * 64).assumingMemoryBound(to: Int64.self)
    }

    /// Number of the work << 32 | next item. A thread takes an item by a compare-and-swap of both, which fails for a
    /// thread that read the ticket of earlier work.
    var ticket: UnsafeMutablePointer<Int64> { number(0) }
    /// Items of the work.
    var count: UnsafeMutablePointer<Int64> { number(1) }
    /// The work's closure.
    var function: UnsafeMutablePointer<Int64> { number(2) }
    var context: UnsafeMutablePointer<Int64> { number(8) }
    /// Items done.
    var finished: UnsafeMutablePointer<Int64> { number(3) }
    /// Rounds of waiting before a thread blocks; never changes.
    var spins: UnsafeMutablePointer<Int64> { number(4) }
    var stopping: UnsafeMutablePointer<Int64> { number(5) }
    /// Workers that block, or are about to.
    var sleepers: UnsafeMutablePointer<Int64> { number(6) }
    var callerSleeps: UnsafeMutablePointer<Int64> { number(7) }
    var mutex: UnsafeMutablePointer<pthread_mutex_t> { (raw + 640).assumingMemoryBound(to: pthread_mutex_t.self) }
    /// Signalled when there is work, or no more to come.
    var wake: UnsafeMutablePointer<pthread_cond_t> { (raw + 768).assumingMemoryBound(to: pthread_cond_t.self) }
    /// Signalled when the last item is done.
    var end: UnsafeMutablePointer<pthread_cond_t> { (raw + 896).assumingMemoryBound(to: pthread_cond_t.self) }
    /// Held by the thread whose work this is.
    var turn: UnsafeMutablePointer<pthread_mutex_t> { (raw + 1024).assumingMemoryBound(to: pthread_mutex_t.self) }
    /// Workers that have begun.
    var workers: UnsafeMutablePointer<Int64> { number(9) }
    /// The key of every thread's place; whether there is such a key.
    private var key: UnsafeMutablePointer<pthread_key_t> { (raw + 1088).assumingMemoryBound(to: pthread_key_t.self) }
    var isKeyed: UnsafeMutablePointer<Int64> { (raw + 1096).assumingMemoryBound(to: Int64.self) }

    /// Number of the calling thread among the pool's threads, from 1; 0 for other threads.
    var place: Int {
        get { isKeyed.pointee == 1 ? Int(bitPattern: pthread_getspecific(key.pointee)) : 1 }
        nonmutating set { pthread_setspecific(key.pointee, UnsafeRawPointer(bitPattern: newValue)) }
    }

    /// Publishes a piece of work, takes part in it and waits for its end.
    func distribute(_ items: Int, _ closure: threads_closure) {
        let generation = (system_atomic_load(ticket) >> 32) &+ 1
        // Closed first: no thread may take an item of the old work by the new count.
        let closed = generation << 32 | Int64(Shared.indexMask)
        system_atomic_store(ticket, closed)
        system_atomic_store(count, Int64(items))
        system_atomic_store(function, Int64(Int(bitPattern: closure.function)))
        system_atomic_store(context, Int64(Int(bitPattern: closure.context)))
        system_atomic_store(finished, 0)
        // Here and below a number is changed by a read-modify-write, not by a store, before another is read: emulators
        // let that read overtake a store.
        _ = system_atomic_exchange(ticket, closed, generation << 32)
        if system_atomic_load(sleepers) > 0 { locked { pthread_cond_broadcast(wake) } }
        while takeItem() {}
        for _ in 0..<system_atomic_load(spins) {
            if system_atomic_load(finished) == Int64(items) { return }
            system_pause()
        }
        locked {
            _ = system_atomic_add(callerSleeps, 1)
            while system_atomic_load(finished) != Int64(items) { pthread_cond_wait(end, mutex) }
            _ = system_atomic_add(callerSleeps, -1)
        }
    }

    /// Takes the next item, if any, and does it.
    func takeItem() -> Bool {
        let current = system_atomic_load(ticket)
        let items = system_atomic_load(count)
        let closure = threads_closure(
            function: UnsafeMutableRawPointer(bitPattern: Int(system_atomic_load(function))),
            context: UnsafeMutableRawPointer(bitPattern: Int(system_atomic_load(context))))
        let index = current & Int64(Shared.indexMask)
        guard index < items else { return false }
        guard system_atomic_exchange(ticket, current, current &+ 1) else { return true }
        threads_call(closure, index)
        if system_atomic_add(finished, 1) &+ 1 == items, system_atomic_load(callerSleeps) != 0 {
            locked { pthread_cond_signal(end) }
        }
        return true
    }

    /// The body of a worker thread.
    func work() -> UnsafeMutableRawPointer? {
        place = Int(system_atomic_add(workers, 1)) + 2
        let spins = system_atomic_load(spins)
        while system_atomic_load(stopping) == 0 {
            var idle: Int64 = 0
            repeat {
                idle = takeItem() ? 0 : idle + 1
                if idle > 0 { system_pause() }
            } while idle < spins || idle == 0
            locked {
                _ = system_atomic_add(sleepers, 1)
                while !hasItem, system_atomic_load(stopping) == 0 { pthread_cond_wait(wake, mutex) }
                _ = system_atomic_add(sleepers, -1)
            }
        }
        return nil
    }

    func stop() {
        locked {
            system_atomic_store(stopping, 1)
            pthread_cond_broadcast(wake)
        }
    }

    private var hasItem: Bool {
        system_atomic_load(ticket) & Int64(Shared.indexMask) < system_atomic_load(count)
    }

    private func locked(_ action: () -> Void) {
        pthread_mutex_lock(mutex)
        action()
        pthread_mutex_unlock(mutex)
    }
}

/// Passes a non-escaping closure to `borrow`, in which other threads may call it; it is valid until `borrow` returns.
///
/// Swift does not let such a closure be stored, and `withoutActuallyEscaping` allocates at every call. C receives the
/// closure as Swift's calling convention passes it: a function and its context (`closure.c`).
@_silgen_name("threads_lend")
private func lend(_ closure: (Int) -> Void, _ borrow: @convention(c) (threads_closure, UnsafeRawPointer) -> Void, _ value: UnsafeRawPointer)
