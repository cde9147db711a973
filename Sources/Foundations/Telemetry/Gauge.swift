import Synchronization

/// A number that goes up and down.
public final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(0)

    init() {}

    /// Puts a new value in place of the old one.
    public func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    /// Adds `amount`, which may be negative.
    public func add(_ amount: Double) { bits.add(amount) }

    /// The present value.
    public var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

extension Atomic<UInt64> {
    /// Adds to the floating-point number whose bits are stored here.
    borrowing func add(_ amount: Double) {
        var old = load(ordering: .relaxed)
        while true {
            let sum = (Double(bitPattern: old) + amount).bitPattern
            let result = weakCompareExchange(expected: old, desired: sum, ordering: .relaxed)
            guard !result.exchanged else { return }
            old = result.original
        }
    }
}
