import Synchronization

/// Counters beside each other that many threads add to without a lock.
final class CounterRow: @unchecked Sendable {
    let count: Int
    private let counters: UnsafeMutablePointer<Atomic<Int64>>

    init(_ count: Int) {
        self.count = max(1, count)
        counters = .allocate(capacity: self.count)
        for index in 0..<self.count { (counters + index).initialize(to: Atomic(0)) }
    }

    deinit {
        counters.deinitialize(count: count)
        counters.deallocate()
    }

    /// Adds one to a counter; one that is not there is left alone.
    @inline(__always)
    func increment(_ index: Int) {
        guard index >= 0, index < count else { return }
        counters[index].wrappingAdd(1, ordering: .relaxed)
    }

    /// Every counter as it is now.
    func read() -> [Int64] { (0..<count).map { counters[$0].load(ordering: .relaxed) } }
}
