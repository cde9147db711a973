import Basics
import Streams

extension StreamScorer {
    /// Drops what belongs to partitions that are taken over only now and do not begin where the output ends: of those the
    /// right records are polled next.
    func resume(_ polled: [StreamedRecord], _ consumer: any StreamConsumer) async throws -> [StreamedRecord] {
        var first: [TopicPartition: StreamedRecord] = [:]
        for record in polled {
            let id = TopicPartition(topic: record.position.topic, partition: record.position.partition)
            if progress[id] == nil, first[id] == nil { first[id] = record }
        }
        guard !first.isEmpty else { return polled }
        let found = try await points(Array(first.keys))
        var moved: Set<TopicPartition> = []
        for (id, record) in first {
            let point = found[id] ?? ResumePoint()
            let offset = record.position.offset
            let next = max(point.base ?? offset, offset)
            if next > offset {
                try await consumer.seek(id, to: next)
                moved.insert(id)
            }
            try await restoreWindows(id, before: next)
            progress[id] = Progress(next: next, done: point.done)
        }
        guard !moved.isEmpty else { return polled }
        return polled.filter {
            !moved.contains(TopicPartition(topic: $0.position.topic, partition: $0.position.partition))
        }
    }

    /// What the outputs tell of partitions, looked up at the same time.
    private func points(_ partitions: [TopicPartition]) async throws -> [TopicPartition: ResumePoint] {
        try await withThrowingTaskGroup(of: (TopicPartition, ResumePoint).self) { [scoring, streams] group in
            for id in partitions {
                group.addTask { (id, try await ResumePoint.find(id, by: scoring, on: streams)) }
            }
            var found: [TopicPartition: ResumePoint] = [:]
            for try await (id, point) in group { found[id] = point }
            return found
        }
    }

    /// Reads again the events before `next` that its windows reach back to.
    private func restoreWindows(_ id: TopicPartition, before next: Int64) async throws {
        guard let reach = windows?.reach else { return }
        windows?.forget(id)
        let lowest = try await streams.starts(id.topic).dropFirst(id.partition).first ?? 0
        // Times are told by events, so one that is no event tells nothing.
        func moment(_ offset: Int64) async throws -> Int64? {
            let record = try await streams.held(id.topic, partition: id.partition, from: offset, limit: 1).first
            guard let record, let members = try? Self.members(record.record) else { return nil }
            return (try? windows?.moment(of: record.record, members))?.microseconds
        }
        guard let latest = try await moment(next) else { return }
        var from = next
        var step = Int64(1024)
        while from > lowest {
            from = max(lowest, from - step)
            step *= 2
            if let found = try await moment(from), found < latest.subtractingReportingOverflow(reach).partialValue {
                break
            }
        }
        while from < next {
            let records = try await streams.held(id.topic, partition: id.partition, from: from, limit: 4096)
            guard let last = records.last else { return }
            for record in records where record.position.offset < next {
                guard var members = try? Self.members(record.record) else { continue }
                try? windows?.add(record, &members)
            }
            from = last.position.offset + 1
        }
    }
}
