import Basics
import Columnar
import Datasets
import Foundation
import ObjectStorage
import SQL
import Streams

/// A stretch of a stream's log as an object that the offline engine reads.
struct StreamSegment: Sendable, Hashable {
    var source: String
    /// The first record, and the first that is not in it.
    var first: Int64
    var next: Int64
    /// The stream's clock after it.
    var arrived: Int64?
    /// Nil where no event was in it.
    var digest: Digest?
    var rows: Int64
    /// Events that arrived too late, which its file holds too: the definition in force leaves them out.
    var late: Int64
}

extension FeatureStore {
    /// Where the stretches of streams stand.
    static let streamMigrations = [
        Migration(
            room: "feature_streams", version: 1,
            sql: """
                CREATE TABLE stream_segments (
                  source TEXT NOT NULL, first_record INTEGER NOT NULL, next_record INTEGER NOT NULL, arrived INTEGER,
                  digest TEXT, row_count INTEGER NOT NULL, late_count INTEGER NOT NULL, created INTEGER NOT NULL,
                  PRIMARY KEY (source, first_record));
                """)
    ]

    /// A stream's stretches, in order.
    func segments(of source: String) async throws -> [StreamSegment] {
        try await database.read { transaction in
            try transaction.query(
                "SELECT * FROM stream_segments WHERE source = ? ORDER BY first_record", [.text(source)]
            ).map { row in
                StreamSegment(
                    source: source, first: try row.integer("first_record"), next: try row.integer("next_record"),
                    arrived: try row.optionalInteger("arrived"),
                    digest: try row.optionalString("digest").flatMap { Digest($0) },
                    rows: try row.integer("row_count"), late: try row.integer("late_count"))
            }
        }
    }

    /// Writes what came into a stream's log since the last stretch as new ones, each kept as a whole or not at all.
    /// - Returns: how many events were written.
    func writeSegments(of source: StreamSource, from streams: any EventStreams) async throws -> Int64 {
        var written: Int64 = 0
        while true {
            let last = try await segments(of: source.name).last
            let stretch = try await stretch(of: source, after: last, from: streams)
            // A few records without events are read again next time.
            guard stretch.segment.next - stretch.segment.first > (stretch.events.isEmpty ? 10_000 : 0) else {
                return written
            }
            var segment = stretch.segment
            if !stretch.events.isEmpty { segment.digest = try await object(of: source, stretch.events) }
            try await keep(segment)
            written += segment.rows
        }
    }

    private static let segmentRows = 100_000

    private func stretch(
        of source: StreamSource, after last: StreamSegment?, from streams: any EventStreams
    ) async throws -> (segment: StreamSegment, events: [StreamEvent]) {
        var clock = StreamClock(arrived: last?.arrived)
        let first = last?.next ?? 0
        var next = first
        var events: [StreamEvent] = []
        while events.count < Self.segmentRows {
            let records = try await streams.read(source.topic, partition: 0, from: next, limit: 500, wait: .zero)
            guard let last = records.last else { break }
            for record in records {
                events += source.events(in: record, clock: &clock).filter { $0.target.isOffline }
            }
            next = last.position.offset + 1
        }
        let segment = StreamSegment(
            source: source.name, first: first, next: next, arrived: clock.arrived, digest: nil,
            rows: Int64(events.count), late: Int64(events.count(where: \.isTooLate)))
        return (segment, events)
    }

    private func object(of source: StreamSource, _ events: [StreamEvent]) async throws -> Digest {
        var members: [(name: String, column: Column)] = []
        for (place, column) in source.definition.columns.enumerated() {
            members.append((column.name, try Self.column(events.lazy.map { $0.values[place] }, column.type)))
        }
        members.append((StreamDefinition.arrivedAt, try Column(.timestamps(events.map(\.arrived)))))
        members.append((WindowHistory.sequence, .int64s(events.map(\.sequence))))
        let table = try Table(members)
        let name = "stream_segment_\(scratchNumber())"
        let context = "data/\(source.name)"
        do {
            try await engine.store(table, as: name)
            let published = try await datasets.publish("SELECT * FROM \(name)", context: context)
            try await engine.execute("DROP TABLE \(name)", context: context)
            return published.digest
        } catch {
            _ = try? await engine.execute("DROP TABLE IF EXISTS \(name)", context: context)
            throw error
        }
    }

    private static func column(_ values: some Sequence<ScalarValue>, _ type: ScalarType) throws -> Column {
        let validity = values.map { $0 != .null }
        func integers() -> [Int64] {
            values.map { value in
                switch value {
                case .integer(let number): number
                case .timestamp(let moment): moment.microseconds
                default: 0
                }
            }
        }
        func doubles() -> [Double] { values.map { if case .double(let number) = $0 { number } else { 0 } } }
        return switch type {
        case .integer: try Column(.int64s(integers()), validity: validity)
        case .timestamp: try Column(.timestamps(integers()), validity: validity)
        case .double: try Column(.doubles(doubles()), validity: validity)
        case .float: try Column(.float32s(doubles().map { Float($0) }), validity: validity)
        case .boolean:
            try Column(.bools(values.map { $0 == .boolean(true) }), validity: validity)
        case .string:
            .strings(nullable: values.map { value in if case .string(let text) = value { text } else { nil } })
        }
    }

    private func keep(_ segment: StreamSegment) async throws {
        let now = time.now
        try await database.write { transaction in
            // Where another process was faster, its stretch stays.
            try transaction.execute(
                """
                INSERT INTO stream_segments
                  (source, first_record, next_record, arrived, digest, row_count, late_count, created)
                VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, first_record) DO NOTHING
                """,
                [
                    .text(segment.source), .integer(segment.first), .integer(segment.next),
                    segment.arrived.map { .integer($0) } ?? .null,
                    segment.digest.map { .text($0.description) } ?? .null, .integer(segment.rows),
                    .integer(segment.late), .init(now),
                ])
        }
    }

    /// What the stretches of a stream are known by.
    static func digest(of segments: [StreamSegment]) -> Digest {
        Digest(of: segments.compactMap { $0.digest?.description }.joined(separator: "\n"))
    }

    /// Makes the engine's table of a stream show its stretches.
    func bind(_ events: EventsDefinition, _ stream: StreamDefinition, _ segments: [StreamSegment]) async throws {
        var paths: [String] = []
        for digest in segments.compactMap(\.digest) { paths.append(try await objects.localPath(digest)) }
        let blank =
            stream.columns.map { "CAST(NULL AS \($0.type.sqlType)) AS \(SQLText.identifier($0.name))" }
            + [
                "CAST(NULL AS TIMESTAMP) AS \(StreamDefinition.arrivedAt)",
                "CAST(NULL AS BIGINT) AS \(WindowHistory.sequence)",
            ]
        // The blank row gives the columns their types, and those that older stretches do not have.
        var rows = "SELECT \(blank.joined(separator: ", ")) WHERE false"
        if !paths.isEmpty {
            let files = paths.map(SQLText.literal).joined(separator: ", ")
            rows += " UNION ALL BY NAME SELECT * FROM read_parquet([\(files)], union_by_name = true)"
        }
        let happened = SQLText.identifier(events.eventTime)
        let stated = events.availableAt == StreamDefinition.arrivedAt ? nil : SQLText.identifier(events.availableAt)
        // As a stream computes it when it takes events in.
        let available = "greatest(\(StreamDefinition.arrivedAt), \(happened)\(stated.map { ", \($0)" } ?? ""))"
        let list =
            stream.columns.map { column in
                let name = SQLText.identifier(column.name)
                return column.name == events.availableAt
                    ? "\(available) AS \(name)" : "CAST(\(name) AS \(column.type.sqlType)) AS \(name)"
            } + [
                "\(stated == nil ? available : StreamDefinition.arrivedAt) AS \(StreamDefinition.arrivedAt)",
                WindowHistory.sequence,
            ]
        let limit = stream.latenessSeconds.map {
            " WHERE epoch_us(\(available)) - epoch_us(CAST(\(happened) AS TIMESTAMP)) <= \(FeatureView.microseconds($0))"
        }
        try await engine.execute(
            "CREATE OR REPLACE VIEW \(SQLText.identifier(events.name)) AS "
                + "SELECT \(list.joined(separator: ", ")) FROM (\(rows))\(limit ?? "")",
            context: "data/\(events.name)")
    }
}
