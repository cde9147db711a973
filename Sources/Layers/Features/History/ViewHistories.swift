import Basics
import Columnar
import Datasets
import Foundation
import Journal
import ObjectStorage
import SQL

/// A view's values through all of time, as one Parquet object.
public struct ViewHistory: Sendable, Codable, Equatable {
    public var view: String
    /// The digest of the definition and of the data it was computed from.
    public var key: Digest
    public var digest: Digest
    public var rows: Int64
}

extension FeatureStore {
    public static let migrations =
        streamMigrations + [
            Migration(
                room: "features", version: 1,
                sql: """
                    CREATE TABLE view_histories (
                      view TEXT NOT NULL, "key" TEXT NOT NULL, digest TEXT NOT NULL, rows INTEGER NOT NULL,
                      created INTEGER NOT NULL, PRIMARY KEY (view, "key"));
                    """),
            profileMigration,
        ]

    /// The SQL of a view over its sources, each cut to what was knowable at a moment where one is given.
    ///
    /// - Parameter moment: SQL for a TIMESTAMP.
    func query(of view: FeatureView, knowableAt moment: String? = nil) throws -> String {
        func typed(_ name: String, _ type: String) -> String {
            "CAST(\(SQLText.identifier(name)) AS \(type)) AS \(SQLText.identifier(name))"
        }
        let columns =
            view.joinKeys.map(SQLText.identifier)
            + [view.eventTime, view.createdTime].compactMap { $0 }.map { typed($0, "TIMESTAMP") }
            + view.features.map { typed($0.name, $0.type.sqlType) }
        let selection = "SELECT \(columns.joined(separator: ", ")) FROM (\n\(try sql(of: view))\n)"
        guard let moment else { return selection }
        let cuts = try view.sources.map { source in
            let name = SQLText.identifier(source)
            let available = SQLText.identifier(try catalogue.eventSource(source).availableAt)
            return "\(name) AS (SELECT * FROM main.\(name) WHERE \(available) <= \(moment))"
        }
        return "WITH \(cuts.joined(separator: ", ")) \(selection)"
    }

    /// The query of a view in SQL, or that of one that holds the newest events.
    private func sql(of view: FeatureView) throws -> String {
        guard view.content == .latest, let name = view.sources.first else { return view.sql }
        let source = try catalogue.eventSource(name)
        let columns =
            (view.joinKeys + view.featureNames).map(SQLText.identifier)
            + ["\(SQLText.identifier(source.eventTime)) AS \(SQLText.identifier(view.eventTime))"]
            + (view.createdTime.map { ["\(SQLText.identifier(source.availableAt)) AS \(SQLText.identifier($0))"] } ?? [])
        return "SELECT \(columns.joined(separator: ", ")) FROM \(SQLText.identifier(name))"
    }

    /// Computes the history of every view that has none yet for its definition and data.
    ///
    /// - Parameter progress: called before each view that has to be computed.
    public func buildViews(
        by principal: String, progress: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws -> [ViewHistory] {
        var histories: [ViewHistory] = []
        for view in catalogue.views.values.sorted(by: { $0.name < $1.name }) {
            histories.append(try await build(view, by: principal, progress: progress))
        }
        return histories
    }

    /// The rows of a population as SQL for a table, computed once for its definition and the data there is.
    func file(of population: Population) async throws -> String {
        let events = try catalogue.events.keys.sorted().map { try catalogue.digest(ofEvents: $0) }
        let definition = Digest(of: try JSON.canonical(population))
        let name = "population"
        let context = "the population"
        if let stored = try await storedHistory(
            name,
            historyKey(definition, datasetVersions().mapValues(\.digest), events, streams: newestStreams(readBy: nil)))
        {
            return try await relation(of: stored)
        }
        let key = try historyKey(
            definition, try await bind().mapValues(\.digest), events, streams: boundStreams(readBy: nil))
        let order = [population.time, population.id].map(SQLText.identifier).joined(separator: ", ")
        let published = try await datasets.publish(
            "SELECT * FROM (\n\(population.sql)\n) ORDER BY \(order)", context: context)
        let history = ViewHistory(view: name, key: key, digest: published.digest, rows: published.rows)
        try await store(history)
        return try await relation(of: history)
    }

    /// What a history is looked up by: its definition, and the data it is computed from.
    func historyKey(
        _ definition: Digest, _ datasets: [String: Digest], _ events: [Digest] = [],
        streams: [String: Digest]
    ) throws -> Digest {
        struct Content: Codable {
            var view: Digest
            var data: [String: Digest]
            var events: [Digest]
        }
        // No table and event source share a name.
        let data = datasets.merging(streams) { table, _ in table }
        return Digest(of: try JSON.canonical(Content(view: definition, data: data, events: events)))
    }

    /// - Parameter drafts: the journal's entries; none for what is only kept so as not to be computed again.
    private func store(
        _ history: ViewHistory, _ profile: KeptProfile? = nil, journaling drafts: [JournalDraft] = []
    ) async throws {
        let now = time.now
        try await database.write { transaction in
            try transaction.execute(
                """
                INSERT INTO view_histories (view, "key", digest, rows, created) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (view, "key") DO NOTHING
                """,
                [
                    .text(history.view), .text(history.key.description), .text(history.digest.description),
                    .integer(history.rows), .init(now),
                ])
            try profile?.insert(in: transaction)
            for draft in drafts { try Journal.append(draft, in: transaction, at: now) }
        }
    }

    /// The history of a view, computed now if it is not there.
    ///
    /// - Parameter lateData: in place of what the view's definition says.
    func history(
        of name: String, lateData: FeatureView.LateData? = nil, by principal: String = "system:features"
    ) async throws -> ViewHistory {
        var view = try catalogue.view(name)
        if let lateData, view.createdTime != nil { view.lateData = lateData }
        return try await build(view, by: principal, progress: { _ in })
    }

    /// A history's file, as a table of SQL.
    func relation(of history: ViewHistory) async throws -> String {
        "read_parquet(\(SQLText.literal(try await objects.localPath(history.digest))))"
    }

    /// Where the rows of a view come from for one request: its history, or the view's own query where no history is stored
    /// and this is the first request that wants it. To order and keep a history takes longer than one join saves.
    ///
    /// - Parameters:
    ///   - view: with what the request says of late data.
    ///   - mayCompute: whether a request can take anything but a history.
    /// - Throws: ``FeaturesFailure/drifted(_:)`` where the values have drifted and the view blocks such.
    func historySource(of view: FeatureView, mayCompute: Bool) async throws -> HistorySource {
        // Only of histories is it known whether they drift.
        if mayCompute, case .sql = view.content, view.drift == nil {
            let definition = try view.digest(sources: view.sources.map { try catalogue.digest(ofEvents: $0) })
            let key = try await presentKey(of: view, definition: definition)
            if try await storedHistory(view.name, key) == nil, isFirstRequest(key) {
                try await bind()
                let table = "rows_\(scratchNumber())"
                return .computed(ComputedHistory(view: view, query: try query(of: view), table: table))
            }
        }
        let history = try await usableHistory(of: view.name, lateData: view.lateData)
        return .stored(history, path: try await objects.localPath(history.digest))
    }

    private func build(
        _ view: FeatureView, by principal: String, progress: (String) -> Void
    ) async throws -> ViewHistory {
        let definition = try view.digest(sources: view.sources.map { try catalogue.digest(ofEvents: $0) })
        if let history = try await presentHistory(of: view, definition: definition) { return history }
        progress(view.name)
        // Loading the sources takes long, so it waits until they are needed; they may have moved on meanwhile.
        let key = try historyKey(
            definition, try await bind().mapValues(\.digest), streams: boundStreams(readBy: view.sources))
        let (published, leftOut) = try await computed(view)
        let history = ViewHistory(view: view.name, key: key, digest: published.digest, rows: published.rows)
        var body: [String: JSONValue] = [
            "definition": .string(definition.description), "digest": .string(history.digest.description),
            "rows": .integer(history.rows),
        ]
        if leftOut > 0 { body["rows_without_key"] = .integer(leftOut) }
        var drafts = [
            JournalDraft(
                principal: principal, type: "features.computed", subject: "view/\(history.view)", body: .object(body))
        ]
        // A history under another rule for late rows serves one request, and is no reference for others.
        let kept =
            catalogue.views[view.name] == view ? try await profile(of: history, view, definition: definition) : nil
        if let kept { drafts += kept.drafts(view.drift ?? .standard, by: principal) }
        try await store(history, kept, journaling: drafts)
        return history
    }

    /// The history of a view over the data there is; nil where it is not computed yet.
    func presentHistory(of view: FeatureView, definition: Digest) async throws -> ViewHistory? {
        try await storedHistory(view.name, presentKey(of: view, definition: definition))
    }

    /// What the history of a view over the data there is is looked up by.
    private func presentKey(of view: FeatureView, definition: Digest) async throws -> Digest {
        try await historyKey(
            definition, datasetVersions().mapValues(\.digest), streams: newestStreams(readBy: view.sources))
    }

    /// Runs a view's query once, checks its rows, and publishes what of them can ever be used.
    ///
    /// - Returns: the history, and how many rows were left out because a join key is null.
    private func computed(_ view: FeatureView) async throws -> (history: (digest: Digest, rows: Int64), leftOut: Int64)
    {
        if case .windows = view.content {
            guard let name = view.sources.first else {
                throw FeaturesFailure.badView(view: view.name, problem: "it names no source")
            }
            let outcome = try await WindowHistory(
                features: self, view: view, source: try catalogue.eventSource(name)
            ).compute { try await datasets.publish($0, context: "features/\(view.name)") }
            return (outcome.content, outcome.keyless)
        }
        let context = "features/\(view.name)"
        let path = scratchPath("parquet")
        defer { try? FileManager.default.removeItem(atPath: path) }
        try await engine.writeParquet(query: try query(of: view), to: path, context: context)
        let pruning = HistoryPruning(
            view: view, rows: "read_parquet(\(SQLText.literal(path)), file_row_number = true)")
        let found = try await engine.query(pruning.checks, context: context)
        let checked = try pruning.judge(found)
        let published = try await datasets.publish(pruning.ordered(hasTies: checked.hasTies), context: context)
        return (published, checked.keyless)
    }

    private func storedHistory(_ view: String, _ key: Digest) async throws -> ViewHistory? {
        try await database.read { transaction in
            guard
                let row = try transaction.first(
                    "SELECT digest, rows FROM view_histories WHERE view = ? AND \"key\" = ?",
                    [.text(view), .text(key.description)]),
                let digest = Digest(try row.string("digest"))
            else { return nil }
            return ViewHistory(view: view, key: key, digest: digest, rows: try row.integer("rows"))
        }
    }
}
