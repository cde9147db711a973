import Basics
import Streams

/// Where a scorer goes on in a partition, by what its output topics hold.
struct ResumePoint: Sendable {
    /// The first event of the newest batch of which something is there; nil where nothing is.
    var base: Int64?
    /// The events from `base` on whose answers are there.
    var done: Set<Int64> = []

    /// How many of the newest records of an output partition are looked at: other scorers may write to it too.
    static let recordsMax = 65_536

    /// Looks for the newest answers to events of one partition.
    ///
    /// Batches of a partition follow each other: when a record of one can be read, all of those before it are there. So
    /// what may be missing is in the newest batch only, and which of its events are there is told by their marks.
    static func find(
        _ source: TopicPartition, by scoring: StreamScoring, on streams: any EventStreams
    ) async throws -> ResumePoint {
        async let answers = newest(source, in: scoring.to, by: scoring, on: streams)
        async let letters = newest(source, in: scoring.deadLetters, by: scoring, on: streams)
        let marks = try await answers + letters
        guard let base = marks.map(\.base).max() else { return ResumePoint() }
        return ResumePoint(base: base, done: Set(marks.map(\.offset).filter { $0 >= base }))
    }

    /// The partition of a topic that answers to a partition's events go to.
    static func partition(of source: Int, among count: Int) -> Int { source % max(1, count) }

    /// The marks of the newest batch in one output topic, and perhaps older ones.
    private static func newest(
        _ source: TopicPartition, in topic: TopicName, by scoring: StreamScoring, on streams: any EventStreams
    ) async throws -> [SourceMark] {
        let (starts, ends) = (try await streams.starts(topic), try await streams.ends(topic))
        let partition = partition(of: source.partition, among: ends.count)
        guard starts.indices.contains(partition), ends.indices.contains(partition) else { return [] }
        var upper = ends[partition]
        let lowest = max(starts[partition], upper - Int64(recordsMax))
        var marks: [SourceMark] = []
        while upper > lowest {
            let from = max(lowest, upper - Int64(max(256, scoring.rows)))
            let records = try await streams.held(topic, partition: partition, from: from, limit: Int(upper - from))
            marks += records.compactMap { record -> SourceMark? in
                guard record.position.offset < upper, let mark = SourceMark(record.record),
                    mark.scorer == scoring.name, mark.topic == source.topic.text, mark.partition == source.partition
                else { return nil }
                return mark
            }
            if let base = marks.map(\.base).max(), marks.contains(where: { $0.offset < base }) { break }
            upper = from
        }
        return marks
    }
}
