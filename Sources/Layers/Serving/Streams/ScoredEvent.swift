import Basics
import Documents
import Streams

/// One event on its way to an output topic.
struct ScoredEvent {
    let event: StreamedRecord
    /// What the event is called: its own name, else its place.
    var id: String?
    let mark: SourceMark

    /// The answer of a model, with the event's key and headers.
    func answer(
        _ columns: [AnswerColumn], row: Int, by model: StreamModel, at now: Timestamp
    ) -> StreamRecord {
        var writer = JSONWriter(capacity: 320)
        let position = event.position
        writer.object { writer in
            writer.member("id", id ?? "\(position.topic)/\(position.partition)/\(position.offset)")
            writer.object("outputs") { writer in
                for column in columns { column.write(row: row, to: &writer) }
            }
            writer.object("model") { writer in
                writer.member("name", model.name)
                writer.member("version", model.version)
            }
            if let moment = event.record.timestamp { writer.member("event_time", moment.description) }
            writer.member("scored_at", now.description)
            writer.object("source") { writer in
                writer.member("topic", position.topic.text)
                writer.member("partition", Int64(position.partition))
                writer.member("offset", position.offset)
            }
        }
        return StreamRecord(key: event.record.key, value: writer.bytes, headers: passed + [mark.encoded])
    }

    /// The event as it came, with the reason why it has no answer.
    func letter(_ reason: String) -> StreamRecord {
        StreamRecord(
            key: event.record.key, value: event.record.value,
            headers: passed + [StreamRecord.Header("reason", Array(reason.utf8)), mark.encoded],
            timestamp: event.record.timestamp)
    }

    /// The event's headers without those that are set here.
    private var passed: [StreamRecord.Header] {
        event.record.headers.filter { $0.name != SourceMark.header && $0.name != "reason" }
    }
}
