import Aggregations
import Basics
import Features
import Streams

/// Windows over the events of each key, as the model of a stream sees them: an event's own values are in its windows.
///
/// They follow from the events of the partition alone, in their order, so that what is scored again after a restart gets the
/// same values. An event that is older than one of its key before it counts at that one's time.
struct EventWindows: Sendable {
    private struct Entity {
        var state: EntityState
        /// The newest time of its events, in microseconds since 1970.
        var newest: Int64
    }

    private struct Partition {
        var entities: [[UInt8]: Entity] = [:]
        var newest = Int64.min
        var untilSweep = EventWindows.eventsPerSweep
    }

    private let definition: StreamScoring.Windows
    private let plan: WindowPlan
    /// Microseconds after which an event is in no window any more.
    let reach: Int64
    private var partitions: [TopicPartition: Partition] = [:]
    private static let eventsPerSweep = 4096

    /// - Throws: `AggregationFailure` or `FeaturesFailure` where the windows can not be computed.
    init(_ definition: StreamScoring.Windows) throws {
        self.definition = definition
        plan = try WindowFeature.plan(definition.features, of: "the windows", tileSeconds: definition.tileSeconds)
        reach = (plan.features.map(\.window).max() ?? 0) + plan.tile
    }

    /// Forgets a partition.
    mutating func forget(_ partition: TopicPartition) { partitions[partition] = nil }

    /// Forgets all partitions.
    mutating func forgetAll() { partitions = [:] }

    /// Takes an event in and adds the values of its key's windows to its members.
    /// - Throws: ``EventProblem`` where a column, the key or the time does not fit; then the event is in no window.
    mutating func add(_ record: StreamedRecord, _ members: inout [String: JSONValue]) throws(EventProblem) {
        let source = TopicPartition(topic: record.position.topic, partition: record.position.partition)
        let happened = try moment(of: record.record, members).microseconds
        let key = try key(of: record.record, members)
        var values: [ScalarValue] = []
        for column in plan.columns { values.append(try value(members[column.name] ?? .null, of: column)) }
        var partition = partitions[source] ?? Partition()
        // Taken out while it changes, so that it is not copied.
        partitions[source] = nil
        defer { partitions[source] = partition }
        var entity = partition.entities.removeValue(forKey: key) ?? Entity(state: EntityState(plan: plan), newest: .min)
        defer { partition.entities[key] = entity }
        let counts = max(happened, entity.newest)
        do {
            try entity.state.insert(
                WindowEvent(
                    eventTime: happened, availableTime: counts, sequence: record.position.offset, values: values)
            ) { _ in }
        } catch {
            throw EventProblem((error as? any Failure)?.message ?? "\(error)")
        }
        entity.newest = counts
        partition.newest = max(partition.newest, counts)
        let computed = entity.state.values(at: counts) ?? []
        for (feature, value) in zip(plan.features, computed) { members[feature.name] = Self.json(value) }
        partition.untilSweep -= 1
        if partition.untilSweep <= 0 {
            partition.untilSweep = Self.eventsPerSweep
            let oldest = partition.newest.subtractingReportingOverflow(reach).partialValue
            partition.entities = partition.entities.filter { $0.value.newest >= oldest }
        }
    }

    /// When an event happened.
    func moment(of record: StreamRecord, _ members: [String: JSONValue]) throws(EventProblem) -> Timestamp {
        guard let name = definition.time else { return record.timestamp ?? Timestamp(microseconds: 0) }
        switch members[name] {
        case .string(let text):
            if let moment = Timestamp(text) { return moment }
        case .integer(let milliseconds):
            let (microseconds, isWide) = milliseconds.multipliedReportingOverflow(by: 1000)
            if !isWide { return Timestamp(microseconds: microseconds) }
        default: break
        }
        throw EventProblem("'\(name)' must be a time as 2026-01-31T12:00:00Z, or milliseconds since 1970")
    }

    private func key(of record: StreamRecord, _ members: [String: JSONValue]) throws(EventProblem) -> [UInt8] {
        guard let name = definition.key else { return record.key ?? [] }
        switch members[name] {
        case .string(let text): return Array(text.utf8)
        case .integer(let number): return Array("\(number)".utf8)
        default: throw EventProblem("'\(name)' tells events apart and must be a text or a whole number")
        }
    }

    private func value(_ value: JSONValue, of column: WindowColumn) throws(EventProblem) -> ScalarValue {
        switch (value, column.type) {
        case (.null, _): return .null
        case (.integer(let number), .integer): return .integer(number)
        case (.integer(let number), .double), (.integer(let number), .float): return .double(Double(number))
        case (.number(let number), .double), (.number(let number), .float): return .double(number)
        case (.string(let text), .string): return .string(text)
        case (.bool(let truth), .boolean): return .boolean(truth)
        default: throw EventProblem("'\(column.name)' must be of type \(column.type.rawValue) for its windows")
        }
    }

    private static func json(_ value: AggregateValue) -> JSONValue {
        func scalar(_ value: ScalarValue) -> JSONValue {
            switch value {
            case .null: .null
            case .integer(let number): .integer(number)
            case .double(let number): .number(number)
            case .string(let text): .string(text)
            case .boolean(let truth): .bool(truth)
            case .timestamp(let moment): .string(moment.description)
            }
        }
        return switch value {
        case .scalar(let value): scalar(value)
        case .list(let values): .array(values.map(scalar))
        }
    }
}
