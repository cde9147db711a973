import Basics
import Journal
import SQL

extension ExperimentStore {
    /// How many traces one call may name.
    public static let traceBatchLimit = 500
    private static let previewLength = 10_000
    private static let identifierLength = 128

    /// Keeps what is known of a trace that has ended. Where spans of it came before, what is given now counts, and what is
    /// not given stays.
    /// - Returns: the same with the tags that say where its spans and files are.
    /// - Throws: ``ExperimentsFailure/experimentDeleted(_:)``, `.unknownExperiment(_:)`, `.invalid(_:remedy:)`.
    public func keepTrace(_ info: TraceInfo) async throws -> TraceInfo {
        try Self.checkTrace(info.id)
        // Clients send back what they were told; where files lie is not theirs to say.
        let tags = try Self.tracePairs(info.tags).filter { $0.key != TraceKey.location }
        let metadata = try Self.tracePairs(info.metadata)
        return try await database.write { transaction in
            try Self.insertTrace(info, in: transaction)
            try transaction.execute(
                """
                UPDATE traces SET started = ?, duration = coalesce(?, duration), state = ?,
                  client_request = coalesce(?, client_request), request_preview = coalesce(?, request_preview),
                  response_preview = coalesce(?, response_preview)
                WHERE id = ?
                """,
                [
                    .init(info.started), .init(info.duration), .text(info.state.rawValue), .init(info.clientRequest),
                    .init(Self.preview(info.requestPreview)), .init(Self.preview(info.responsePreview)),
                    .text(info.id),
                ])
            for tag in tags { try Self.insert(tag, "trace_tags", of: info.id, in: transaction) }
            for pair in metadata { try Self.insert(pair, "trace_metadata", of: info.id, in: transaction) }
            return try Self.trace(info.id, in: transaction)
        }
    }

    /// Keeps spans, of any number of traces; one that came before is replaced. A trace that is not known begins with its
    /// first span, and has ended when its outermost span comes.
    /// - Throws: ``ExperimentsFailure/experimentDeleted(_:)``, `.unknownExperiment(_:)`, `.invalid(_:remedy:)`.
    public func keep(_ spans: [TraceSpan], in experiment: Int64) async throws {
        let groups = Dictionary(grouping: spans, by: \.trace).sorted { $0.key < $1.key }
        for (trace, _) in groups { try Self.checkTrace(trace) }
        try await database.write { transaction in
            try Self.requireActive(experiment, in: transaction)
            for (trace, spans) in groups {
                try Self.extend(trace, by: spans, in: experiment, transaction)
                for span in spans { try Self.insert(span, in: transaction) }
            }
        }
    }

    /// - Throws: ``ExperimentsFailure/unknownTrace(_:)``.
    public func trace(_ id: String) async throws -> TraceInfo {
        try await database.read { try Self.trace(id, in: $0) }
    }

    /// Those of the traces that are known, in the order they are named.
    public func traces(_ ids: [String]) async throws -> [TraceInfo] {
        try Self.checkBatch(ids)
        return try await database.read { transaction in
            let rows = try transaction.query(
                "\(Self.selectTraces) WHERE t.id IN (\(SearchStatement.marks(ids.count)))", ids.map { .text($0) })
            let found = Dictionary(
                try Self.traces(rows, in: transaction).map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
            var seen: Set<String> = []
            return ids.compactMap { seen.insert($0).inserted ? found[$0] : nil }
        }
    }

    /// The documents of a trace's spans, in the order they began; none where there is no such trace.
    public func spans(of trace: String) async throws -> [[UInt8]] {
        try await database.read { transaction in
            try transaction.query(
                "SELECT content FROM trace_spans WHERE trace = ? ORDER BY started, id", [.text(trace)]
            ).map { Array(try $0.string("content").utf8) }
        }
    }

    /// Sets a tag of a trace. The one that says where its files are stays as it is.
    /// - Throws: ``ExperimentsFailure/unknownTrace(_:)``, `.invalid(_:remedy:)`.
    public func setTag(_ tag: Pair, ofTrace id: String) async throws {
        let tags = try Self.tracePairs([tag])
        try await database.write { transaction in
            let trace = try Self.trace(id, in: transaction)
            if tag.key == TraceKey.location, !trace.tags.contains(tag) { throw Self.fixedLocation }
            for tag in tags { try Self.insert(tag, "trace_tags", of: id, in: transaction) }
        }
    }

    /// Removes a tag of a trace. The one that says where its files are stays.
    /// - Throws: ``ExperimentsFailure/unknownTrace(_:)``, ``ExperimentsFailure/unknownTag(_:)``, `.invalid(_:remedy:)`.
    public func deleteTag(_ key: String, ofTrace id: String) async throws {
        try await database.write { transaction in
            _ = try Self.trace(id, in: transaction)
            guard key != TraceKey.location else { throw Self.fixedLocation }
            let count = try transaction.execute(
                "DELETE FROM trace_tags WHERE trace = ? AND key = ?", [.text(id), .text(key)])
            guard count > 0 else { throw ExperimentsFailure.unknownTag(key) }
        }
    }

    /// Which traces are meant.
    public enum TraceSelection: Sendable {
        case these([String])
        /// The oldest of those that began no later, at most so many; nil for all.
        case until(Timestamp, limit: Int?)
    }

    /// Deletes traces of an experiment for good, with their spans and the names of their files, and journals how many.
    /// - Returns: how many there were.
    /// - Throws: ``ExperimentsFailure/artifactPinned(_:holder:)``.
    public func deleteTraces(
        _ selection: TraceSelection, of experiment: Int64, by principal: String
    ) async throws -> Int {
        if case .these(let ids) = selection { try Self.checkBatch(ids) }
        let now = time.now
        return try await database.write { transaction in
            let rows: [Row]
            switch selection {
            case .these(let ids):
                rows = try transaction.query(
                    "SELECT id FROM traces WHERE experiment = ? AND id IN (\(SearchStatement.marks(ids.count)))",
                    [.integer(experiment)] + ids.map { .text($0) })
            case .until(let moment, let limit):
                rows = try transaction.query(
                    "SELECT id FROM traces WHERE experiment = ? AND started <= ? ORDER BY started, id LIMIT ?",
                    [.integer(experiment), .init(moment), .integer(Int64(limit ?? .max))])
            }
            guard !rows.isEmpty else { return 0 }
            try Journal.append(
                JournalDraft(
                    principal: principal, type: "traces.deleted", subject: "experiment/\(experiment)",
                    body: ["count": .integer(Int64(rows.count))]), in: transaction, at: now)
            let location = try Self.experiment(experiment, in: transaction).location
            for row in rows { try Self.deleteTrace(try row.string("id"), below: location, in: transaction) }
            return rows.count
        }
    }

    static let selectTraces = """
        SELECT t.id, t.experiment, t.started, t.duration, t.state, t.client_request, t.request_preview,
          t.response_preview FROM traces AS t
        """

    static func traces(_ rows: [Row], in transaction: Transaction) throws -> [TraceInfo] {
        try rows.map { row in
            let id = try row.string("id")
            func pairs(_ table: String) throws -> [Pair] {
                try transaction.query("SELECT key, value FROM \(table) WHERE trace = ? ORDER BY key", [.text(id)])
                    .map(pair)
            }
            return TraceInfo(
                id: id, experiment: try row.integer("experiment"), started: try row.timestamp("started"),
                duration: try row.optionalInteger("duration"),
                state: TraceState(rawValue: try row.string("state")) ?? .unspecified,
                clientRequest: try row.optionalString("client_request"),
                requestPreview: try row.optionalString("request_preview"),
                responsePreview: try row.optionalString("response_preview"), metadata: try pairs("trace_metadata"),
                tags: try pairs("trace_tags"))
        }
    }

    private static func trace(_ id: String, in transaction: Transaction) throws -> TraceInfo {
        let rows = try transaction.query("\(selectTraces) WHERE t.id = ?", [.text(id)])
        guard let found = try traces(rows, in: transaction).first else { throw ExperimentsFailure.unknownTrace(id) }
        return found
    }

    /// Makes the row of a trace where there is none, with the tag that says where its files go.
    /// - Returns: whether there was none.
    @discardableResult
    private static func insertTrace(_ info: TraceInfo, in transaction: Transaction) throws -> Bool {
        let location = try requireActive(info.experiment, in: transaction)
        let count = try transaction.execute(
            """
            INSERT INTO traces (id, experiment, started, duration, state) VALUES (?, ?, ?, ?, ?)
            ON CONFLICT (id) DO NOTHING
            """,
            [
                .text(info.id), .integer(info.experiment), .init(info.started), .init(info.duration),
                .text(info.state.rawValue),
            ])
        guard count > 0 else { return false }
        let files = Pair(key: TraceKey.location, value: Self.files(of: info.id, below: location))
        try insert(files, "trace_tags", of: info.id, in: transaction)
        return true
    }

    /// Where the files of a trace are, as a URI.
    /// - Parameter location: of its experiment.
    private static func files(of trace: String, below location: String) -> String {
        PathBytes.append("traces/\(trace)/artifacts", to: location)
    }

    /// Notes what new spans tell of their trace: where it began and, once it is there, how the outermost ended.
    private static func extend(
        _ id: String, by spans: [TraceSpan], in experiment: Int64, _ transaction: Transaction
    ) throws {
        guard let first = spans.map(\.started).min() else { return }
        let root = spans.first { $0.parent == nil }
        let ends = spans.compactMap(\.ended).max()
        var info = TraceInfo(
            id: id, experiment: experiment, started: first, duration: ends.map { microseconds(from: first, to: $0) },
            state: root.map { $0.hasFailed ? .failed : .good } ?? .running)
        if try !insertTrace(info, in: transaction) {
            let known = try trace(id, in: transaction)
            // What was said at its end counts more than what its spans tell.
            if known.state == .running {
                info.started = min(first, known.started)
                let end = [known.duration.map { moment(known.started, $0) }, ends].compactMap { $0 }.max()
                info.duration = end.map { microseconds(from: info.started, to: $0) }
                try transaction.execute(
                    "UPDATE traces SET started = ?, duration = ?, state = ? WHERE id = ?",
                    [.init(info.started), .init(info.duration), .text(info.state.rawValue), .text(id)])
            }
        }
        try insert(Pair(key: TraceKey.spansLocation, value: TraceKey.here), "trace_tags", of: id, in: transaction)
        guard let root else { return }
        try transaction.execute(
            "INSERT INTO trace_tags (trace, key, value) VALUES (?, ?, ?) ON CONFLICT (trace, key) DO NOTHING",
            [.text(id), .text(TraceKey.name), .text(RecordRules.cut(root.name, RecordRules.tagLength))])
        try transaction.execute(
            """
            UPDATE traces SET request_preview = coalesce(request_preview, ?),
              response_preview = coalesce(response_preview, ?) WHERE id = ?
            """, [.init(preview(root.input)), .init(preview(root.output)), .text(id)])
    }

    private static func insert(_ span: TraceSpan, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO trace_spans (trace, id, started, content) VALUES (?, ?, ?, ?)
            ON CONFLICT (trace, id) DO UPDATE SET started = excluded.started, content = excluded.content
            """,
            [
                .text(span.trace), .text(span.id), .init(span.started),
                .text(String(decoding: span.content, as: UTF8.self)),
            ])
    }

    private static func insert(_ pair: Pair, _ table: String, of trace: String, in transaction: Transaction) throws {
        try transaction.execute(
            """
            INSERT INTO \(table) (trace, key, value) VALUES (?, ?, ?)
            ON CONFLICT (trace, key) DO UPDATE SET value = excluded.value
            """, [.text(trace), .text(pair.key), .text(pair.value)])
    }

    /// - Parameter location: of its experiment. The tag of the trace does not count: clients could once set it.
    private static func deleteTrace(_ id: String, below location: String, in transaction: Transaction) throws {
        if let folder = try? ArtifactPath(location: files(of: id, below: location)) {
            try deleteArtifacts(at: folder, in: transaction)
        }
        for table in ["trace_spans", "trace_metadata", "trace_tags"] {
            try transaction.execute("DELETE FROM \(table) WHERE trace = ?", [.text(id)])
        }
        try transaction.execute("DELETE FROM traces WHERE id = ?", [.text(id)])
    }

    private static func checkTrace(_ id: String) throws {
        let isPlain = id.utf8.allSatisfy { byte in
            (48...58).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
                || [UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: ".")].contains(byte)
        }
        guard isPlain, (1...identifierLength).contains(id.utf8.count), id != ".", id != ".." else {
            throw ExperimentsFailure.invalid(
                "Invalid trace ID '\(RecordRules.cut(id, identifierLength))'",
                remedy: "An ID has letters, digits and the signs '._:-', at most \(identifierLength) in all.")
        }
    }

    private static var fixedLocation: ExperimentsFailure {
        .invalid(
            "The tag '\(TraceKey.location)' of a trace can not be changed",
            remedy: "It says where the files of the trace are; use another key.")
    }

    private static func checkBatch(_ ids: [String]) throws {
        guard ids.count <= traceBatchLimit else {
            throw ExperimentsFailure.invalid(
                "\(ids.count) traces are named, the most is \(traceBatchLimit)", remedy: "Ask in several calls.")
        }
    }

    private static func tracePairs(_ pairs: [Pair]) throws -> [Pair] {
        try pairs.map { pair in
            try RecordRules.checkLength(pair.key, RecordRules.keyLength, "key")
            return Pair(key: pair.key, value: RecordRules.cut(pair.value, RecordRules.tagLength))
        }
    }

    private static func preview(_ text: String?) -> String? { text.map { RecordRules.cut($0, previewLength) } }

    private static func microseconds(from start: Timestamp, to end: Timestamp) -> Int64 {
        let (difference, isTooFar) = end.microseconds.subtractingReportingOverflow(start.microseconds)
        return isTooFar ? .max : max(difference, 0)
    }

    private static func moment(_ start: Timestamp, _ microseconds: Int64) -> Timestamp {
        let (sum, isTooFar) = start.microseconds.addingReportingOverflow(microseconds)
        return isTooFar ? .distantFuture : Timestamp(microseconds: sum)
    }
}
