import Foundation
import Synchronization

/// Where a room reads the time from. Rooms are handed one; none asks the system itself.
public protocol TimeSource: Sendable {
    /// The present moment.
    var now: Timestamp { get }
}

/// The machine's own clock.
public struct SystemTime: TimeSource {
    public init() {}

    public var now: Timestamp {
        var value = timespec()
        clock_gettime(CLOCK_REALTIME, &value)
        return Timestamp(microseconds: Int64(value.tv_sec) * 1_000_000 + Int64(value.tv_nsec) / 1000)
    }

    /// Nanoseconds of a clock that never goes back; only differences mean something.
    public static var monotonicNanoseconds: UInt64 {
        var value = timespec()
        clock_gettime(CLOCK_MONOTONIC, &value)
        return UInt64(value.tv_sec) * 1_000_000_000 + UInt64(value.tv_nsec)
    }
}

/// A clock that stands still until it is set: event time in a replay, and the clock of tests.
public final class ManualTime: TimeSource {
    private let moment: Atomic<Int64>

    public init(_ start: Timestamp) { moment = Atomic(start.microseconds) }

    public var now: Timestamp { Timestamp(microseconds: moment.load(ordering: .acquiring)) }

    /// Moves the clock forward to `moment`; an earlier moment leaves it where it is.
    public func advance(to target: Timestamp) {
        moment.max(target.microseconds, ordering: .acquiringAndReleasing)
    }
}
