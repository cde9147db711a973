import Basics

/// All that is kept of one entity for the windows of a plan: its tiles, and how far its rows have been handed out.
///
/// History and stream both are this: `insert` takes events in order of available time and sequence, `advance` moves the
/// clock, and both hand out the rows that have become due. Rows stand at the publish times of events and at the moments
/// when tiles leave windows; one of the latter kind is left out where all values have the same bits as before. The row
/// after which all windows are empty is handed out too.
///
/// After a failure thrown by `insert` before anything was handed out the state is as it was. After a failure of `emit` it
/// is of no use any more.
public struct EntityState: Sendable {
    private struct Cursor: Sendable {
        /// The first tile of the window.
        var first: Int64?
        /// When it leaves.
        var exit = Int64.max
        var isStale = true
    }

    struct Position: Sendable, Equatable {
        let availableTime: Int64
        let sequence: Int64
    }

    /// Times handed to a state are brought into plus and minus this.
    static let farthestClock: Int64 = 1 << 61

    public let plan: WindowPlan
    var values: StateValues
    /// Up to when rows have been handed out; nil before the first.
    public internal(set) var clock: Int64?
    /// When the events count that have been taken in but have no row yet.
    var pending: Int64?
    /// That of the newest event.
    var position: Position?

    private var cursors: [Cursor]
    private var current: [AggregateValue]
    /// The moment that `current` is of.
    private var moment: Int64?

    public init(plan: WindowPlan) {
        self.plan = plan
        values = StateValues(plan)
        cursors = Array(repeating: Cursor(), count: plan.layout.windows.count)
        current = Array(repeating: .null, count: plan.features.count)
    }

    /// When the next row may be due: that of events taken in, or of the next exit; nil where nothing will change.
    public var nextChange: Int64? { pending ?? clock.flatMap { nextExit(after: $0) } }

    /// The number of tiles that hold events.
    public var tileCount: Int { values.tree.count }

    /// The first moment after `time` at which a tile leaves a window.
    public func nextExit(after time: Int64) -> Int64? {
        let time = EntityState.clamped(time)
        return plan.layout.windows.compactMap { window in
            values.tree.first(from: plan.grid.lowestTile(in: window.length, at: time)).map {
                plan.grid.exit(of: $0, from: window.length)
            }
        }.min()
    }

    /// Takes in an event, after handing out all rows due before it counts. The event's own row is due at its publish time.
    @discardableResult
    public mutating func insert(
        _ event: WindowEvent, emit: (WindowRow) throws -> Void
    ) throws -> Insertion {
        try plan.check(event)
        guard !plan.isTooLate(eventTime: event.eventTime, availableTime: event.availableTime) else { return .tooLate }
        if let position,
            (event.availableTime, event.sequence) <= (position.availableTime, position.sequence)
        {
            return .notNewer
        }
        let published = plan.grid.roundedUp(event.availableTime)
        if let clock, published < clock {
            throw AggregationFailure.behindClock(published: published, clock: clock)
        }
        if pending != published { try advance(to: published - 1, emit: emit) }
        pending = published
        position = Position(availableTime: event.availableTime, sequence: event.sequence)
        let lowest = plan.grid.lowestTile(in: plan.layout.longestWindow, at: published)
        values.drop(below: lowest)
        let tile = plan.grid.tile(holding: event.eventTime)
        guard tile >= lowest else { return .outside }
        values.insert(event, tile: tile)
        for index in cursors.indices { cursors[index].isStale = true }
        return .counted
    }

    /// Hands out all rows due up to a moment. All events available until then must have been taken in: later ones must
    /// not count before it.
    public mutating func advance(to time: Int64, emit: (WindowRow) throws -> Void) rethrows {
        let time = EntityState.clamped(time)
        if let clock, time <= clock, pending.map({ $0 > time }) ?? true { return }
        if let pending {
            guard pending <= time else {
                clock = max(clock ?? time, time)
                return
            }
            refresh(at: pending)
            self.pending = nil
            clock = max(clock ?? pending, pending)
            try emit(WindowRow(time: pending, cause: .events, values: current))
        } else if let clock {
            refresh(at: clock)
        }
        while let next = cursors.map(\.exit).min(), next <= time {
            if refresh(at: next) { try emit(WindowRow(time: next, cause: .exit, values: current)) }
        }
        clock = max(clock ?? time, time)
        values.drop(below: plan.grid.lowestTile(in: plan.layout.longestWindow, at: time))
    }

    /// The values at a moment, one per feature: those of the newest row that is not after it. Nil where the moment is
    /// before the clock or before events that have been taken in: the state does not know the past.
    public mutating func values(at time: Int64) -> [AggregateValue]? {
        let time = EntityState.clamped(time)
        guard time >= max(pending ?? .min, clock ?? .min) else { return nil }
        refresh(at: time)
        return current
    }

    /// Forgets everything, as for another entity.
    public mutating func removeAll() {
        values.removeAll()
        clock = nil
        pending = nil
        position = nil
        moment = nil
    }

    static func clamped(_ time: Int64) -> Int64 { min(max(time, -farthestClock), farthestClock) }

    /// Brings `current` to a moment; whether a value changed.
    @discardableResult
    private mutating func refresh(at time: Int64) -> Bool {
        if moment.map({ time < $0 }) ?? true {
            for index in cursors.indices { cursors[index].isStale = true }
        }
        moment = time
        var isChanged = false
        for index in cursors.indices where cursors[index].isStale || cursors[index].exit <= time {
            let window = plan.layout.windows[index]
            let first = values.tree.first(from: plan.grid.lowestTile(in: window.length, at: time))
            cursors[index].first = first
            cursors[index].exit = first.map { plan.grid.exit(of: $0, from: window.length) } ?? .max
            cursors[index].isStale = false
            if values.evaluate(window, from: first, into: &current) { isChanged = true }
        }
        return isChanged
    }
}
