import Foundation
import Runtime
import Testing

@Suite struct ThreadPoolTests {
    @Test(arguments: [1, 2, 3, 8]) func everyItemOnce(_ threads: Int) {
        let pool = ThreadPool(threads: threads)
        #expect(pool.threads == threads)
        for count in [0, 1, 2, 3, 7, 64, 1000, 20_000] {
            let hits = Counters(count)
            pool.run(count) { hits.increment($0) }
            #expect(hits.all(equal: 1), "\(count) items on \(threads) threads")
        }
    }

    /// Short pieces of work in quick succession: a late worker must not take an item of the next.
    @Test func manyRuns() {
        let pool = ThreadPool(threads: 4)
        let hits = Counters(5)
        for round in 0..<20_000 { pool.run(2 + round % 4) { hits.increment($0) } }
        #expect((0..<5).map { hits.value($0) } == [20_000, 20_000, 15_000, 10_000, 5_000])
    }

    @Test func afterSleep() {
        let pool = ThreadPool(threads: 3)
        for _ in 0..<5 {
            usleep(20_000)
            let hits = Counters(100)
            pool.run(100) {
                hits.increment($0)
                if $0 == 50 { usleep(5_000) }
            }
            #expect(hits.all(equal: 1))
        }
    }

    @Test func nested() {
        let pool = ThreadPool(threads: 3)
        let hits = Counters(400)
        pool.run(20) { outer in pool.run(20) { hits.increment(outer * 20 + $0) } }
        #expect(hits.all(equal: 1))
    }

    @Test func fromSeveralThreads() {
        let pool = ThreadPool(threads: 2)
        let hits = Counters(1000)
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<100 { pool.run(1000) { hits.increment($0) } }
        }
        #expect(hits.all(equal: 800))
    }

    /// No two threads have one slot at a time, whether calls are nested or come from threads outside; scratch memory depends on it.
    @Test(arguments: [1, 2, 3]) func slotsAreOneThreadsOwn(threads: Int) {
        let pool = ThreadPool(threads: threads)
        let hits = Counters(200)
        let owners = Owners(threads)
        DispatchQueue.concurrentPerform(iterations: 4) { _ in
            for _ in 0..<20 {
                pool.slots(200) { index, slot in
                    owners.enter(slot)
                    hits.increment(index)
                    pool.slots(3) { _, inner in
                        owners.enter(inner)
                        owners.leave(inner)
                    }
                    if index % 64 == 0 { usleep(100) }
                    owners.leave(slot)
                }
                // Also with few items, for which no thread is woken.
                pool.slots(1) { _, slot in
                    owners.enter(slot)
                    owners.leave(slot)
                }
            }
        }
        #expect(hits.all(equal: 80) && owners.strangers == 0)
    }

    @Test func ends() {
        for _ in 0..<50 { ThreadPool(threads: 4).run(8) { _ in } }
    }

    /// The thread in each slot, and the number of times that two threads were in one slot.
    final class Owners: @unchecked Sendable {
        private var owners: [(thread: pthread_t, depth: Int)?]
        private let lock = NSLock()
        private(set) var strangers = 0

        init(_ slots: Int) {
            owners = .init(repeating: nil, count: slots)
        }

        func enter(_ slot: Int) {
            lock.withLock {
                if let owner = owners[slot], owner.depth > 0, owner.thread != pthread_self() { strangers += 1 }
                owners[slot] = (pthread_self(), (owners[slot]?.depth ?? 0) + 1)
            }
        }

        func leave(_ slot: Int) {
            lock.withLock { owners[slot]?.depth -= 1 }
        }
    }

    /// Counters that any thread may increment.
    final class Counters: @unchecked Sendable {
        private let values: UnsafeMutablePointer<Int>
        private let count: Int
        private let lock = NSLock()

        init(_ count: Int) {
            self.count = count
            values = .allocate(capacity: count)
            values.initialize(repeating: 0, count: count)
        }

        func increment(_ index: Int) {
            lock.lock()
            values[index] += 1
            lock.unlock()
        }

        func value(_ index: Int) -> Int { values[index] }
        func all(equal value: Int) -> Bool { (0..<count).allSatisfy { values[$0] == value } }

        deinit { values.deallocate() }
    }
}
