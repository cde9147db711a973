import Basics
import Documents
import Streams

extension StreamScorer {
    /// One event of a batch, and what is known of it.
    private struct Candidate: Sendable {
        var event: ScoredEvent
        var members: Result<[String: JSONValue], EventProblem>
    }

    /// The outputs of a batch, in the order of its events; events that have been answered before give none.
    func score(_ records: [StreamedRecord], by model: StreamModel) async throws -> [StreamOutput] {
        var began = SystemTime.monotonicNanoseconds
        var candidates = decode(records)
        if let join = model.join {
            let known = candidates.indices.filter { (try? candidates[$0].members.get()) != nil }
            let members = try known.map { try candidates[$0].members.get() }
            let filled = try await thread.run { try join.fill(members) }
            for (index, members) in zip(known, filled) { candidates[index].members = members }
        }
        let reader = EventReader(model.model)
        var rows: [Int: EventRow] = [:]
        var reasons: [Int: String] = [:]
        for (index, candidate) in candidates.enumerated() {
            do { rows[index] = try reader.row(try candidate.members.get()) } catch { reasons[index] = error.reason }
        }
        began = metrics.finish(.decode, since: began)
        let answers = try await Answers.of(rows, by: model.model, reader: reader, on: thread)
        began = metrics.finish(.infer, since: began)
        let now = time.now
        let outputs = candidates.enumerated().map { index, candidate -> StreamOutput in
            let partition = candidate.event.mark.partition
            if let place = answers.places[index] {
                return StreamOutput(
                    topic: scoring.to,
                    record: candidate.event.answer(
                        answers.batches[place.batch], row: place.row, by: model, at: now),
                    partition: ResumePoint.partition(of: partition, among: counts.answers))
            }
            return StreamOutput(
                topic: scoring.deadLetters,
                record: candidate.event.letter(
                    reasons[index] ?? answers.reasons[index] ?? "the model gave no answer"),
                partition: ResumePoint.partition(of: partition, among: counts.letters))
        }
        _ = metrics.finish(.encode, since: began)
        return outputs
    }

    /// The events that have no answer yet. All of them go into their windows.
    private func decode(_ records: [StreamedRecord]) -> [Candidate] {
        var bases: [TopicPartition: Int64] = [:]
        var candidates: [Candidate] = []
        candidates.reserveCapacity(records.count)
        for record in records {
            let position = record.position
            let id = TopicPartition(topic: position.topic, partition: position.partition)
            let base = bases[id] ?? position.offset
            bases[id] = base
            var event = ScoredEvent(
                event: record, id: nil,
                mark: SourceMark(
                    scorer: scoring.name, topic: position.topic.text, partition: position.partition,
                    offset: position.offset, base: base))
            let members: Result<[String: JSONValue], EventProblem>
            do {
                var found = try Self.members(record.record)
                event.id = Self.id(found[scoring.idField])
                try windows?.add(record, &found)
                members = .success(found)
            } catch {
                members = .failure(error)
            }
            guard progress[id]?.done.contains(position.offset) != true else { continue }
            candidates.append(Candidate(event: event, members: members))
        }
        return candidates
    }

    /// The members of an event.
    static func members(_ record: StreamRecord) throws(EventProblem) -> [String: JSONValue] {
        let value: JSONValue
        do { value = try JSONTree.value(record.value) } catch {
            throw EventProblem("the event is no JSON: \(error.message)")
        }
        guard case .object(let members) = value else { throw EventProblem("the event is no JSON object") }
        return members
    }

    private static func id(_ value: JSONValue?) -> String? {
        switch value {
        case .string(let text): text
        case .integer(let number): "\(number)"
        default: nil
        }
    }
}
