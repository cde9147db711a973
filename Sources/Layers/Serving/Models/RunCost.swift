import Synchronization

/// What a run of a model takes by its number of rows, learned from the runs.
///
/// It keeps nanoseconds per row for each power of two of rows, newer runs weighing more: an average over about eight of
/// them, in which one that took very long counts for less. Threads that learn at the same time may lose a run, which does not matter.
final class RunCost: Sendable {
    private static let powers = 24
    private static let weight = 0.125
    /// A run counts as at most so many times what was known.
    private static let most = 4.0

    // An array can not hold atomics; these live as long as the object and never move. 0 stands for never seen.
    private nonisolated(unsafe) let perRow: UnsafeMutableBufferPointer<Atomic<UInt64>>

    init() {
        perRow = .allocate(capacity: Self.powers)
        for power in 0..<Self.powers { perRow.initializeElement(at: power, to: Atomic(0)) }
    }

    deinit { perRow.deinitialize().deallocate() }

    /// Takes in that a run of `rows` rows took so long.
    func learn(rows: Int, nanoseconds: UInt64) {
        let rows = max(rows, 1)
        let power = Self.power(of: rows)
        let seen = Double(max(nanoseconds, 1)) / Double(rows)
        let known = Double(bitPattern: perRow[power].load(ordering: .relaxed))
        // A thread that was made to wait in the middle of a run tells nothing of the model.
        let mean = known == 0 ? seen : known + Self.weight * (min(seen, Self.most * known) - known)
        perRow[power].store(mean.bitPattern, ordering: .relaxed)
    }

    /// What a run of `rows` rows may take, in nanoseconds; nil as long as nothing was learned.
    ///
    /// A size that was never seen is taken to cost as much for each row as the next smaller one, which is more than it
    /// turns out to be, or as much as the next larger one in all.
    func estimate(rows: Int) -> Double? {
        let rows = max(rows, 1)
        let power = Self.power(of: rows)
        for smaller in stride(from: power, through: 0, by: -1) {
            if let each = each(smaller) { return each * Double(rows) }
        }
        for larger in power + 1..<max(Self.powers, power + 2) where larger < Self.powers {
            if let each = each(larger) { return each * Double(1 << larger) }
        }
        return nil
    }

    private func each(_ power: Int) -> Double? {
        let bits = perRow[power].load(ordering: .relaxed)
        return bits == 0 ? nil : Double(bitPattern: bits)
    }

    private static func power(of rows: Int) -> Int {
        min(Int.bitWidth - 1 - rows.leadingZeroBitCount, powers - 1)
    }
}
