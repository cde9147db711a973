import Basics

/// The newest values of a column that are not null, newest first: by event time, then available time, then sequence.
/// Windows end at the newest tile, so what of these is in a window is the newest of the window.
struct NewestValues: Sendable {
    private struct Entry: Sendable {
        let eventTime: Int64
        let availableTime: Int64
        let sequence: Int64
        let value: ScalarValue

        func isNewer(than other: Entry) -> Bool {
            (eventTime, availableTime, sequence) > (other.eventTime, other.availableTime, other.sequence)
        }
    }

    private var entries: [Entry] = []
    private let capacity: Int

    init(capacity: Int) { self.capacity = capacity }

    /// `value` is as its column keeps it.
    mutating func insert(_ event: WindowEvent, _ value: ScalarValue) {
        guard !value.isMissing else { return }
        let entry = Entry(
            eventTime: event.eventTime, availableTime: event.availableTime, sequence: event.sequence, value: value)
        let place = entries.firstIndex { entry.isNewer(than: $0) } ?? entries.count
        guard place < capacity else { return }
        if entries.count == capacity { entries.removeLast() }
        entries.insert(entry, at: place)
    }

    /// The newest with an event time after `start`.
    func newest(after start: Int64) -> ScalarValue {
        guard let entry = entries.first, entry.eventTime > start else { return .null }
        return entry.value
    }

    /// At most `count` of those with an event time after `start`.
    func list(after start: Int64, count: Int) -> [ScalarValue] {
        entries.prefix(count).prefix { $0.eventTime > start }.map(\.value)
    }

    mutating func removeAll() { entries.removeAll(keepingCapacity: true) }

    /// Writes those with an event time after `start`.
    func write(to writer: inout StateWriter, after start: Int64) {
        let held = entries.prefix { $0.eventTime > start }
        writer.count(held.count)
        for entry in held {
            writer.signed(entry.eventTime)
            writer.signed(entry.availableTime)
            writer.signed(entry.sequence)
            writer.value(entry.value)
        }
    }

    init(from reader: inout StateReader, capacity: Int, type: ScalarType) throws(AggregationFailure) {
        self.init(capacity: capacity)
        let count = try reader.count()
        guard count <= capacity else { throw .badState("it holds too many newest values") }
        for _ in 0..<count {
            let (eventTime, availableTime) = (try reader.time(), try reader.time())
            let sequence = try reader.signed()
            let entry = Entry(
                eventTime: eventTime, availableTime: availableTime, sequence: sequence,
                value: try reader.value(of: type))
            if let last = entries.last, !last.isNewer(than: entry) {
                throw .badState("its newest values are out of order")
            }
            entries.append(entry)
        }
    }
}
