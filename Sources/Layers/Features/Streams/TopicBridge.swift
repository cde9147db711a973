import Basics
import Datasets
import Streams
import Telemetry

/// Reads events of a topic that others fill, checks them, and keeps them in the log of their stream; what is no event goes
/// to a topic of rejected records with the reason. Each record once, however often this is interrupted.
struct TopicBridge: Sendable {
    let events: EventsDefinition
    let source: StreamSource
    let from: TopicName
    let streams: any EventStreams
    let time: any TimeSource
    let rejected: Counter

    static func rejectedTopic(of topic: String) throws -> TopicName { try TopicName("\(topic).rejected") }

    /// Takes records over until the task is cancelled.
    func run() async throws {
        let consumer = try await streams.consumer(group: "features.\(source.name)", topics: [from])
        do {
            while !Task.isCancelled {
                try await streams.transact(consumer, limit: StreamBatch.rowsMax, wait: .milliseconds(200)) {
                    try outputs($0)
                }
            }
            await consumer.close()
        } catch {
            await consumer.close()
            throw error
        }
    }

    private func outputs(_ records: [StreamedRecord]) throws -> [StreamOutput] {
        let now = time.now
        var batch = StreamBatch(stamp: now.microseconds, columns: source.definition.columns.map(\.name))
        var outputs: [StreamOutput] = []
        for record in records {
            do {
                let value = try JSON.decode(JSONValue.self, from: record.record.value)
                guard case .object(var members) = value else {
                    throw FeaturesFailure.request("the record is no JSON object", remedy: nil)
                }
                for column in source.definition.columns where members[column.name] == nil {
                    members[column.name] = .null
                }
                batch.rows += try StreamRows(
                    FeatureRows(objects: [.object(members)]), of: events, source.definition, now: now
                ).rows
            } catch {
                rejected.increment()
                let reason = (error as? any Failure)?.message ?? "the record is no JSON"
                var letter = record.record
                letter.headers.append(.init("reason", Array(reason.utf8)))
                letter.headers.append(.init("offset", Array("\(record.position.offset)".utf8)))
                outputs.append(StreamOutput(topic: try Self.rejectedTopic(of: from.text), record: letter))
            }
        }
        for record in batch.records() { outputs.append(StreamOutput(topic: source.topic, record: record)) }
        return outputs
    }
}

extension StreamBatch {
    /// Bytes of a record at most, below what every store takes.
    private static let bytesMax = 900_000

    /// The events as records of the log, each small enough.
    func records() -> [StreamRecord] {
        guard !rows.isEmpty else { return [] }
        let bytes = rows.count <= Self.rowsMax ? encoded() : []
        if !bytes.isEmpty, bytes.count <= Self.bytesMax || rows.count == 1 { return [StreamRecord(value: bytes)] }
        let middle = rows.count / 2
        var (left, right) = (self, self)
        left.rows = Array(rows[..<middle])
        right.rows = Array(rows[middle...])
        return left.records() + right.records()
    }
}
