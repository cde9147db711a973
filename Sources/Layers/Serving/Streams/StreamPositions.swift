import Streams

/// How far the scorers of one name have come, by what their topics hold. Also where no scorer runs.
public struct StreamPositions: Sendable, Codable, Equatable {
    /// One partition of the input.
    public struct Partition: Sendable, Codable, Equatable {
        public var partition: Int
        /// Where its next event will stand.
        public var end: Int64
        /// After the newest event that has an answer.
        public var position: Int64
        /// Events without an answer.
        public var lag: Int64
    }

    public var scorer: String
    public var partitions: [Partition]
    /// Records in the dead letters, of this scorer and others.
    public var rejected: Int64

    /// - Throws: `StreamFailure`, such as `.unknownTopic` before a scorer has begun.
    public static func of(_ scoring: StreamScoring, on streams: any EventStreams) async throws -> StreamPositions {
        let (starts, ends) = (try await streams.starts(scoring.from), try await streams.ends(scoring.from))
        var partitions: [Partition] = []
        for (partition, end) in ends.enumerated() {
            let point = try await ResumePoint.find(
                TopicPartition(topic: scoring.from, partition: partition), by: scoring, on: streams)
            let position = point.done.max().map { $0 + 1 } ?? starts[partition]
            partitions.append(
                Partition(partition: partition, end: end, position: position, lag: max(0, end - position)))
        }
        let letters = zip(try await streams.ends(scoring.deadLetters), try await streams.starts(scoring.deadLetters))
        return StreamPositions(
            scorer: scoring.name, partitions: partitions, rejected: letters.reduce(0) { $0 + $1.0 - $1.1 })
    }
}
