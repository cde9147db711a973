import Basics
import ObjectStorage
import Streams

/// Carries records over a topic for each channel, so that everything that reads streams sees them as they happen.
///
/// Each record names its spool and its place there. The archive takes a record only where it follows the last one of its
/// spool: one that was sent twice is passed over, and so is one behind a gap, which the spool then sends again.
struct StreamRelay: RecordRelay {
    let streams: any EventStreams
    /// Tells one place of streams from another: offsets of one mean nothing in the other.
    let place: String
    private static let batch = 1000
    private static let wait = Duration.seconds(2)

    func send(_ records: [SpooledRecord], from source: String, over channel: String) async throws {
        let topic = try await topic(channel)
        var rest = records[...]
        while !rest.isEmpty {
            try await streams.publish(rest.prefix(Self.batch).map { Envelope($0, source).record }, to: topic)
            rest = rest.dropFirst(Self.batch)
        }
    }

    func collect(_ channel: String, into archive: RecordArchive) async throws {
        let topic = try await topic(channel)
        var positions = try await archive.positions(of: channel)
        for (partition, end) in try await streams.ends(topic).enumerated() {
            let cursor = "\(place):\(partition)"
            while positions[cursor] ?? 0 < end {
                let offset = positions[cursor] ?? 0
                let found = try await streams.read(
                    topic, partition: partition, from: offset, limit: Self.batch, wait: Self.wait)
                // What lies before the end and is not handed over are the marks of transactions.
                guard let last = found.last else { break }
                let (next, wide) = last.position.offset.addingReportingOverflow(1)
                guard !wide else { break }
                let batch = try Self.batch(found, source: cursor, from: offset, to: next, after: positions)
                positions =
                    try await archive.append(batch, to: channel)
                    ? positions.merging(batch.origins.merging([cursor: next]) { $1 }) { $1 }
                    : try await archive.positions(of: channel)
            }
        }
    }

    private static func batch(
        _ found: [StreamedRecord], source: String, from: Int64, to: Int64, after positions: [String: Int64]
    ) throws -> RecordArchive.Batch {
        var batch = RecordArchive.Batch(source: source, from: from, to: to)
        for streamed in found {
            // Others may write to the topic too; only spools are archived.
            guard let envelope = Envelope(streamed.record),
                batch.origins[envelope.source] ?? positions[envelope.source] ?? 0 == envelope.spooled.start
            else { continue }
            try envelope.spooled.bytes.withUnsafeBytes { try RecordFile.append($0, to: &batch.bytes) }
            batch.records += 1
            batch.origins[envelope.source] = envelope.spooled.end
        }
        return batch
    }

    /// The topic of a channel, made where there is none.
    private func topic(_ channel: String) async throws -> TopicName {
        let name = try TopicName("records.\(channel.replacing("/", with: ".").replacing("%", with: "_"))")
        do { _ = try await streams.ends(name) } catch StreamFailure.unknownTopic {
            try await streams.createTopic(name, partitions: 4)
        }
        return name
    }

    /// A record with its spool and its place there, as it travels.
    private struct Envelope {
        let source: String
        let spooled: SpooledRecord

        init(_ spooled: SpooledRecord, _ source: String) {
            self.spooled = spooled
            self.source = source
        }

        init?(_ record: StreamRecord) {
            var texts: [String: String] = [:]
            for header in record.headers { texts[header.name] = String(decoding: header.value, as: UTF8.self) }
            guard let source = texts["spool"], let start = texts["start"].flatMap({ Int64($0) }),
                let end = texts["end"].flatMap({ Int64($0) })
            else { return nil }
            self.source = source
            spooled = SpooledRecord(start: start, end: end, bytes: record.value)
        }

        var record: StreamRecord {
            // The key keeps the records of a spool in one partition, and so in order.
            StreamRecord(
                key: Array(source.utf8), value: spooled.bytes,
                headers: [
                    .init("spool", Array(source.utf8)), .init("start", Array("\(spooled.start)".utf8)),
                    .init("end", Array("\(spooled.end)".utf8)),
                ])
        }
    }
}
