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

    @Test func ends() {
        for _ in 0..<50 { ThreadPool(threads: 4).run(8) { _ in } }
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
