import Basics

/// Computes the rows of many entities, one entity after the other, from their events. Holds the state of one.
public struct HistoryBuilder: Sendable {
    /// How many events were given, and what became of them.
    public struct Counts: Sendable, Hashable {
        public var events = 0
        /// Dropped, since they became known more than the plan's lateness after they happened.
        public var tooLate = 0
        /// In no window any more when they became known.
        public var outside = 0
        public var entities = 0
        public var rows = 0
    }

    public private(set) var counts = Counts()
    private var state: EntityState
    private var key: [UInt8]?
    private let until: Int64

    /// - Parameter until: the last moment that may have a row, in microseconds since 1970.
    public init(plan: WindowPlan, until: Int64 = .max) {
        state = EntityState(plan: plan)
        self.until = until
    }

    /// Takes in the next event. All events of an entity must come together, ascending by available time and sequence.
    ///
    /// - Parameter emit: takes rows that are complete, those of one entity in order of time; also of the entity before.
    public mutating func add(
        key: [UInt8], _ event: WindowEvent, emit: (_ key: [UInt8], WindowRow) throws -> Void
    ) throws {
        if self.key != key {
            try finish(emit: emit)
            self.key = key
            counts.entities += 1
        }
        counts.events += 1
        var rows = 0
        defer { counts.rows += rows }
        let until = until
        let insertion = try state.insert(event) { row in
            guard row.time <= until else { return }
            rows += 1
            try emit(key, row)
        }
        switch insertion {
        case .counted: break
        case .outside: counts.outside += 1
        case .tooLate: counts.tooLate += 1
        case .notNewer:
            throw AggregationFailure.unsorted(available: event.availableTime, sequence: event.sequence)
        }
    }

    /// Hands out what is left of the last entity. More events may follow, of other entities.
    public mutating func finish(emit: (_ key: [UInt8], WindowRow) throws -> Void) rethrows {
        guard let key else { return }
        var rows = 0
        defer { counts.rows += rows }
        try state.advance(to: until) { row in
            rows += 1
            try emit(key, row)
        }
        state.removeAll()
        self.key = nil
    }
}
