import Basics
import Synchronization

/// The factory's clock: the system's, or event time that a replay drives.
final class FactoryClock: TimeSource {
    /// Microseconds of event time; `Int64.min` while the clock is the system's.
    private let event = Atomic<Int64>(.min)
    private let system: any TimeSource

    init(system: any TimeSource) { self.system = system }

    var isReplay: Bool { event.load(ordering: .acquiring) != .min }

    var now: Timestamp {
        let moment = event.load(ordering: .acquiring)
        return moment == .min ? system.now : Timestamp(microseconds: moment)
    }

    /// Lets event time begin at `moment`, where it has not begun yet.
    func replay(from moment: Timestamp) {
        _ = event.compareExchange(
            expected: .min, desired: moment.microseconds, ordering: .acquiringAndReleasing)
    }

    func useSystem() { event.store(.min, ordering: .releasing) }

    /// Moves event time forward, never back.
    func advance(to moment: Timestamp) { event.max(moment.microseconds, ordering: .acquiringAndReleasing) }
}
