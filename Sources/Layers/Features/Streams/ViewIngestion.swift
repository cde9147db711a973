import Aggregations
import Basics
import KeyValue
import Streams
import Telemetry

/// Keeps the online values of one view up to date with its stream.
///
/// What a few records change is written in one change of the store: values, states of the entities, when they are due next,
/// and the position behind the records. So a kill at any moment loses nothing and counts nothing twice. Where a change is
/// not made as a whole, values come first and the position last, and a state passes over events that it has taken in.
actor ViewIngestion {
    let target: StreamedView
    private let features: FeatureStore
    private let streams: any EventStreams
    private let table: KeyValueTable
    private let progress: StreamProgress
    private let metrics: IngestionMetrics
    private var loaded: Loaded?
    /// States of entities seen lately.
    private var states: [[UInt8]: Kept] = [:]

    private struct Kept: Sendable {
        var state: EntityState
        /// When the store says it is due.
        var due: Int64?
    }

    private struct Loaded {
        var position: IngestionPosition
        var stored: [UInt8]?
        /// Events that may not be used yet, by when they may, then by sequence.
        var waiting: [StreamEvent] = []
        var due: DueEntities
    }

    private struct Changes: Sendable {
        var rows: [(key: [UInt8], value: [UInt8])] = []
        var states: [(key: [UInt8], kept: Kept, before: Int64?)] = []
        var newest: Int64?
        var kept: [StreamEvent] = []
        var released: [StreamEvent] = []
    }

    /// Records of one change at most, and entities that are due.
    private static let recordsMax = 128
    private static let dueMax = 1000
    private static let statesMax = 20_000

    init(
        _ target: StreamedView, features: FeatureStore, streams: any EventStreams, table: KeyValueTable,
        progress: StreamProgress, metrics: IngestionMetrics
    ) {
        self.target = target
        self.features = features
        self.streams = streams
        self.table = table
        self.progress = progress
        self.metrics = metrics
    }

    /// What a step came to.
    enum Step: Sendable, Equatable {
        /// So many records were taken in.
        case records(Int)
        case nothing
        /// Values change by the clock alone: the stream has to be told what time it is.
        case clockNeeded
    }

    /// Takes in the next records, waiting for them if need be.
    ///
    /// After a failure nothing of it counts, and the next step begins at what is stored.
    func step(wait: Duration) async throws -> Step {
        do {
            return try await taken(wait)
        } catch {
            loaded = nil
            states = [:]
            throw error
        }
    }

    private func taken(_ wait: Duration) async throws -> Step {
        var now = try await load()
        let records = try await streams.read(
            target.source.topic, partition: 0, from: now.position.next, limit: Self.recordsMax, wait: wait)
        guard let last = records.last else {
            let moment = features.time.now.microseconds
            var due = now.due
            let first = try await features.readOnline { [due] reading in
                var due = due
                let first = try due.first(reading)
                return (first, due)
            }
            due = first.1
            loaded?.due = due
            guard min(first.0 ?? .max, now.waiting.first?.available ?? .max) <= moment else { return .nothing }
            return .clockNeeded
        }
        var clock = now.position.clock
        var events: [StreamEvent] = []
        for record in records { events += target.source.events(in: record, clock: &clock) }
        guard let arrived = clock.arrived else { return .nothing }
        let fresh = events.filter { $0.target.isOnline }
        now.position.next = last.position.offset + 1
        now.position.clock = clock
        now.position.events += Int64(fresh.count)
        var changes = Changes()
        changes.released = Array(now.waiting.prefix { $0.available <= arrived })
        var usable = changes.released
        for event in fresh {
            guard !event.isTooLate else {
                now.position.late += 1
                metrics.late.increment()
                continue
            }
            if event.available <= arrived { usable.append(event) } else { changes.kept.append(event) }
        }
        usable.sort { ($0.available, $0.sequence) < ($1.available, $1.sequence) }
        now.waiting.removeFirst(changes.released.count)
        now.waiting += changes.kept
        now.waiting.sort { ($0.available, $0.sequence) < ($1.available, $1.sequence) }
        var byEntity: [[UInt8]: [StreamEvent]] = [:]
        var order: [[UInt8]] = []
        for event in usable {
            guard let key = target.key(of: event) else {
                now.position.keyless += 1
                continue
            }
            if byEntity[key]?.append(event) == nil {
                byEntity[key] = [event]
                order.append(key)
            }
        }
        switch target.content {
        case .latest(let columns): latest(order, byEntity, columns, &changes)
        case .windows(let plan, let columns):
            try await fetch(order, plan)
            for key in order {
                try advance(key, plan, by: byEntity[key] ?? [], columns, to: arrived, &changes)
            }
        }
        try await write(changes, &now)
        metrics.events.increment(by: UInt64(clamping: fresh.count))
        metrics.watermark.set(Double(arrived) / 1e6)
        try await exits(through: arrived)
        if let next = loaded?.position.next { progress.reached(target.prefix, next) }
        return .records(records.count)
    }

    /// Brings entities of which nothing arrived to a moment.
    private func exits(through moment: Int64) async throws {
        guard case .windows(let plan, let columns) = target.content else { return }
        while var now = loaded {
            let due = now.due
            let (keys, moved) = try await features.readOnline { reading in
                var due = due
                guard let first = try due.first(reading), first <= moment else { return ([[UInt8]](), due) }
                return (try due.entities(reading, through: moment, limit: Self.dueMax), due)
            }
            now.due = moved
            loaded?.due = moved
            guard !keys.isEmpty else { return }
            var changes = Changes()
            try await fetch(keys, plan)
            for key in keys { try advance(key, plan, by: [], columns, to: moment, &changes) }
            try await write(changes, &now)
        }
    }

    private func latest(
        _ order: [[UInt8]], _ events: [[UInt8]: [StreamEvent]], _ columns: [Int], _ changes: inout Changes
    ) {
        var encoder = OnlineRowEncoder(target.layout)
        for key in order {
            guard
                let event = events[key]?.max(by: {
                    ($0.eventTime, $0.available, $0.sequence) < ($1.eventTime, $1.available, $1.sequence)
                })
            else { continue }
            encoder.begin(eventTime: event.eventTime, createdTime: event.available)
            for (index, place) in columns.enumerated() { encoder.set(index, .scalar(event.values[place])) }
            encoder.finish()
            changes.rows.append((key, encoder.bytes))
            changes.newest = max(changes.newest ?? event.eventTime, event.eventTime)
        }
    }

    private func advance(
        _ key: [UInt8], _ plan: WindowPlan, by events: [StreamEvent], _ columns: [Int], to moment: Int64,
        _ changes: inout Changes
    ) throws {
        // Taken out while it changes, so that nothing of it is copied.
        var kept = states.removeValue(forKey: key) ?? Kept(state: EntityState(plan: plan), due: nil)
        var row: WindowRow?
        for event in events {
            try kept.state.insert(
                WindowEvent(
                    eventTime: event.eventTime, availableTime: event.available, sequence: event.sequence,
                    values: columns.map { event.values[$0] })
            ) { row = $0 }
        }
        kept.state.advance(to: moment) { row = $0 }
        if let row {
            var encoder = OnlineRowEncoder(target.layout)
            encoder.begin(eventTime: row.time, createdTime: .min)
            for (index, feature) in target.view.features.enumerated() where index < row.values.count {
                encoder.set(index, FeatureValue(row.values[index], as: feature.type))
            }
            encoder.finish()
            changes.rows.append((key, encoder.bytes))
            changes.newest = max(changes.newest ?? row.time, row.time)
        }
        let before = kept.due
        kept.due = kept.state.nextChange
        changes.states.append((key, kept, before))
        states[key] = kept
    }

    /// Reads states that are not at hand.
    private func fetch(_ keys: [[UInt8]], _ plan: WindowPlan) async throws {
        if states.count > Self.statesMax { states = [:] }
        let missing = keys.filter { states[$0] == nil }
        guard !missing.isEmpty else { return }
        let (target, table) = (target, table)
        let found = try await features.readOnline { reading in
            try reading.values(missing.map(target.stateKey), in: table)
        }
        for (key, bytes) in zip(missing, found) {
            guard let bytes else { continue }
            let state = try EntityState(plan: plan, encoded: bytes)
            states[key] = Kept(state: state, due: state.nextChange)
        }
    }

    private func load() async throws -> Loaded {
        if let loaded { return loaded }
        let (target, table) = (target, table)
        let isInMemory = !features.online.isLocal
        let (stored, waiting, due) = try await features.readOnline { reading in
            var due = DueEntities(target, table, isInMemory: isInMemory)
            try due.load(reading)
            return (
                try reading.value(target.positionKey, in: table),
                try reading.entries(prefix: target.waitingPrefix, in: table), due
            )
        }
        let position = try stored.map { try JSON.decode(IngestionPosition.self, from: $0) } ?? IngestionPosition()
        let now = Loaded(
            position: position, stored: stored, waiting: waiting.compactMap { WaitingEvent.event($0.value) }, due: due)
        loaded = now
        // What was due when the position was written may not have been seen to.
        if let arrived = position.clock.arrived { try await exits(through: arrived) }
        progress.reached(target.prefix, position.next)
        return loaded ?? now
    }

    private func write(_ changes: Changes, _ now: inout Loaded) async throws {
        let position = try JSON.canonical(now.position)
        let (target, table, values, expected) = (target, table, features.onlineTable, now.stored)
        var batch: [(key: [UInt8], value: [UInt8]?)] = []
        for (key, kept, before) in changes.states {
            if before != kept.due {
                if let before { batch.append((target.dueKey(key, at: before), nil)) }
                if let due = kept.due { batch.append((target.dueKey(key, at: due), [1])) }
            }
            // An entity that nothing more happens to is forgotten, where no event can come a second time.
            let isOver = features.online.isAtomic && kept.due == nil && kept.state.tileCount == 0
            batch.append((target.stateKey(key), isOver ? nil : kept.state.encoded()))
        }
        for event in changes.released { batch.append((target.waitingKey(event), nil)) }
        for event in changes.kept { batch.append((target.waitingKey(event), WaitingEvent.bytes(event))) }
        let beside = batch
        try await features.online.write { transaction in
            guard try transaction.value(target.positionKey, in: table) == expected else {
                throw FeaturesFailure.offlineEngine(
                    "another process brings the view '\(target.view.name)' along its stream",
                    remedy: "Nothing was written; it is tried again.")
            }
            if !changes.rows.isEmpty {
                let stored = try transaction.values(changes.rows.map(\.key), in: values)
                for (row, old) in zip(changes.rows, stored) where Self.isNewer(row.value, than: old) {
                    try transaction.put(row.key, row.value, in: values)
                }
            }
            if let newest = changes.newest {
                let key = OnlineMark.newestKey(target.prefix)
                let stamp = KeyValueStamp(newest, 0).bytes
                if Self.isNewer(stamp, than: try transaction.value(key, in: values)) {
                    try transaction.put(key, stamp, in: values)
                }
            }
            for item in beside {
                if let value = item.value {
                    try transaction.put(item.key, value, in: table)
                } else {
                    try transaction.delete(item.key, in: table)
                }
            }
            if position != expected { try transaction.put(target.positionKey, position, in: table) }
        }
        now.stored = position
        for (key, kept, before) in changes.states where before != kept.due { now.due.moved(key, to: kept.due) }
        loaded = now
    }

    private static func isNewer(_ value: [UInt8], than stored: [UInt8]?) -> Bool {
        guard let stored, let old = stored.withUnsafeBytes({ KeyValueStamp(of: $0) }) else { return true }
        return value.withUnsafeBytes { KeyValueStamp(of: $0) }.map { $0 >= old } ?? false
    }
}

/// Events that wait for their time, as bytes.
enum WaitingEvent {
    static func bytes(_ event: StreamEvent) -> [UInt8] {
        let times = [event.eventTime, event.available, event.arrived, event.sequence].map { ScalarValue.integer($0) }
        return StreamBatch(
            stamp: event.arrived, target: event.target, columns: (0..<times.count + event.values.count).map { "\($0)" },
            rows: [times + event.values]
        ).encoded()
    }

    static func event(_ bytes: [UInt8]) -> StreamEvent? {
        guard let batch = StreamBatch(bytes), let row = batch.rows.first, row.count >= 4,
            case .integer(let eventTime) = row[0], case .integer(let available) = row[1],
            case .integer(let arrived) = row[2], case .integer(let sequence) = row[3]
        else { return nil }
        return StreamEvent(
            eventTime: eventTime, available: available, arrived: arrived, sequence: sequence,
            values: Array(row.dropFirst(4)), target: batch.target, isTooLate: false)
    }
}

/// What one view counts along its stream.
struct IngestionMetrics: Sendable {
    let events: Counter
    let late: Counter
    let watermark: Gauge

    init(_ registry: MetricsRegistry, view: String, source: String) {
        let labels = ["view": view, "source": source]
        events = registry.counter(
            "modelworks_stream_events_total", help: "Events that a view took in from its stream.", labels: labels)
        late = registry.counter(
            "modelworks_stream_late_events_total", help: "Events dropped because they arrived too late.",
            labels: labels)
        watermark = registry.gauge(
            "modelworks_stream_watermark_seconds", help: "Arrival of the newest event that a view took in.",
            labels: labels)
    }
}
