import Basics
import Datasets
import Streams

/// An event source that is a stream, as its log is read.
///
/// The log has one partition, and all that decides a value follows from it alone: an event's sequence is its place, and its
/// arrival the clock of who kept it, but not before that of any before it. So history, and a stream that is read again after a kill
/// or for a new view, come to the same.
struct StreamSource: Sendable {
    let name: String
    let definition: StreamDefinition
    let topic: TopicName
    private let eventTime: Int
    private let available: Int?
    private let lateness: Int64?

    /// Further in the future an event is refused: its clock or its unit is wrong.
    static let aheadMax: Int64 = 86_400_000_000

    init(_ events: EventsDefinition, _ stream: StreamDefinition) throws {
        name = events.name
        definition = stream
        topic = try Self.topic(of: events.name)
        let names = stream.columns.map(\.name)
        guard let eventTime = names.firstIndex(of: events.eventTime) else {
            throw FeaturesFailure.badEvents(name: events.name, problem: "it has no column '\(events.eventTime)'")
        }
        self.eventTime = eventTime
        available = names.firstIndex(of: events.availableAt)
        lateness = stream.latenessSeconds.map(FeatureView.microseconds)
    }

    /// The topic of the log.
    static func topic(of events: String) throws -> TopicName { try TopicName("features.\(events)") }

    func column(_ name: String) -> Int? { definition.columns.firstIndex { $0.name == name } }

    /// The events of a record.
    /// - Parameter clock: moves to the arrival of the record.
    func events(in record: StreamedRecord, clock: inout StreamClock) -> [StreamEvent] {
        // What is no batch was written by something else; no event of ours is in it.
        guard let batch = StreamBatch(record.record.value) else { return [] }
        let arrived = clock.advance(to: batch.stamp)
        let places = definition.columns.map { column in batch.columns.firstIndex(of: column.name) }
        return batch.rows.enumerated().compactMap { number, row in
            let values = zip(places, definition.columns).map { place, column in
                place.map { $0 < row.count ? Self.kept(row[$0], as: column.type) : .null } ?? .null
            }
            guard case .timestamp(let happened) = values[eventTime] else { return nil }
            var moment = max(arrived, happened.microseconds)
            if let available, case .timestamp(let stated) = values[available] {
                moment = max(moment, stated.microseconds)
            }
            return StreamEvent(
                eventTime: happened.microseconds, available: moment, arrived: arrived,
                sequence: record.position.offset << 16 | Int64(number), values: values, target: batch.target,
                isTooLate: isLate(moment, after: happened.microseconds))
        }
    }

    private func isLate(_ moment: Int64, after happened: Int64) -> Bool {
        guard let lateness else { return false }
        let (difference, overflow) = moment.subtractingReportingOverflow(happened)
        return overflow || difference > lateness
    }

    /// A value under a definition that has changed since it was kept is null where its type is another.
    private static func kept(_ value: ScalarValue, as type: ScalarType) -> ScalarValue {
        switch (value, type) {
        case (.integer, .integer), (.double, .double), (.double, .float), (.string, .string), (.boolean, .boolean),
            (.timestamp, .timestamp):
            value
        case (.integer(let number), .double), (.integer(let number), .float): .double(Double(number))
        default: .null
        }
    }
}

/// The time in a stream: arrivals of records do not descend, whatever the clocks of those who kept them.
struct StreamClock: Sendable, Hashable, Codable {
    /// The arrival of the newest record, in microseconds since 1970; nil before the first.
    private(set) var arrived: Int64?

    init(arrived: Int64? = nil) { self.arrived = arrived }

    mutating func advance(to stamp: Int64) -> Int64 {
        let next = max(stamp, arrived ?? stamp)
        arrived = next
        return next
    }
}

/// One event of a stream; times in microseconds since 1970.
struct StreamEvent: Sendable, Hashable {
    var eventTime: Int64
    /// When it may be used: when it arrived, and not before it happened or is said to be known.
    var available: Int64
    var arrived: Int64
    /// Its place in the log.
    var sequence: Int64
    /// In the order of the stream's columns.
    var values: [ScalarValue]
    var target: StreamBatch.Target
    var isTooLate: Bool
}
