import Basics
import Columnar
import Foundation
import Journal
import SQL

extension DatasetStore {
    /// Reads a table's source, checks it and publishes a version; returns the version there is where nothing changed.
    ///
    /// Rows travel by way of a Parquet file, so memory stays bounded. An ingest that was cut off is done again from the
    /// start and leaves nothing behind.
    /// - Parameter folder: the factory's data folder.
    /// - Throws: ``DatasetsFailure``, or the failure of the engine or store for a source that it can not read.
    public func ingest(_ table: TableDefinition, from folder: String, by principal: String) async throws
        -> DatasetVersion
    {
        let definition = Digest(of: try JSON.canonical(table))
        let reader = try reader(of: table, from: folder)
        let state = try await reader.look()
        if let identity = state.identity, let last = try await versions(of: table.name).first,
            last.source == identity, last.definition == definition
        {
            return last
        }
        return try await withFolder { scratch in
            let rows = try await reader.open(state, in: scratch)
            let staged = try await stage(rows, of: table, in: scratch)
            try await reader.hold()
            return try await staging(staged, of: table) { staging, reasons in
                try await self.refuseAbsent(reader, table, staging: staging)
                let source: Digest
                if let identity = state.identity {
                    source = identity
                } else {
                    source = try await BlockingThread(name: "datasets.files").run { try FileDigests(staged).sha256 }
                }
                let draft = Draft(
                    table: table, dataFolder: folder, definition: definition, source: source, lineage: rows.lineage)
                return try await self.publish(draft, staging: staging, reasons: reasons, by: principal)
            }
        }
    }

    /// The reader of a table's source.
    func reader(of table: TableDefinition, from folder: String) throws -> any TableReader {
        try ReaderTools(
            table: table, engine: engine, folder: folder, environment: environment, time: time, random: random
        ).reader()
    }

    /// What is known of a version before its rows are checked.
    private struct Draft {
        let table: TableDefinition
        let dataFolder: String
        let definition: Digest
        let source: Digest
        let lineage: DatasetVersion.Lineage
    }

    /// Writes the rows of a source with their numbers, from 1, into a file.
    func stage(_ rows: RawRows, of table: TableDefinition, in folder: String) async throws -> String {
        let path = "\(folder)/staged.parquet"
        // Rows without an order of their own are put into that of their key, then of all their values.
        let order = table.key + table.columns.map(\.name).filter { !table.key.contains($0) }
        let sorted =
            rows.isUnordered
            ? "SELECT * FROM (\(rows.query)) ORDER BY \(order.map(SQLText.identifier).joined(separator: ", "))"
            : rows.query
        try await engine.writeParquet(
            query: "SELECT row_number() OVER () AS __row, * FROM (\(sorted))", to: path, context: "data/\(table.name)")
        return path
    }

    /// Lends the names of the staged rows and of an empty table of reasons.
    private func staging<Value>(
        _ path: String, of table: TableDefinition, _ body: (String, String) async throws -> Value
    ) async throws -> Value {
        // Two ingests of a table at the same time must not see each other's rows.
        let mark = random.identifier()
        let (staging, reasons) = (
            SQLText.identifier("staging_\(table.name)_\(mark)"), SQLText.identifier("reasons_\(table.name)_\(mark)")
        )
        let context = "data/\(table.name)"
        let drop = "DROP VIEW IF EXISTS \(staging); DROP TABLE IF EXISTS \(reasons)"
        do {
            try await engine.execute(
                "CREATE VIEW \(staging) AS SELECT * FROM read_parquet(\(SQLText.literal(path.engineLiteral)))",
                context: context)
            try await engine.execute("CREATE TABLE \(reasons) (__row BIGINT, expectation VARCHAR)", context: context)
            let value = try await body(staging, reasons)
            try await engine.execute(drop, context: context)
            return value
        } catch {
            // After a cancellation the engine takes no more work from this task.
            let engine = engine
            _ = await Task { try? await engine.execute(drop, context: context) }.value
            throw error
        }
    }

    private func refuseAbsent(_ reader: any TableReader, _ table: TableDefinition, staging: String) async throws {
        let query = (reader as? FileReader)?.query ?? (reader as? S3Reader)?.query
        guard let query, query.origin.format == .json else { return }
        let counts = table.columns.enumerated().map { "count(\(SQLText.identifier($1.name))) AS c\($0)" }
        let found = try await engine.query(
            "SELECT count(*) AS n, \(counts.joined(separator: ", ")) FROM \(staging)", context: "data/\(table.name)")
        guard try found.count("n") > 0 else { return }
        var empty: [String] = []
        for (index, column) in table.columns.enumerated() where try found.count("c\(index)") == 0 {
            empty.append(column.name)
        }
        if !empty.isEmpty { try await query.refuseAbsent(empty) }
    }

    private func publish(_ draft: Draft, staging: String, reasons: String, by principal: String) async throws
        -> DatasetVersion
    {
        let table = draft.table
        let context = "data/\(table.name)"
        let results = try await check(table, staging: staging, reasons: reasons, dataFolder: draft.dataFolder)
        try await refuseEmpty(table, staging: staging, reasons: reasons)
        let range = try await range(of: table, staging: staging, reasons: reasons)
        let columns = table.columns.map { SQLText.identifier($0.name) }.joined(separator: ", ")
        let kept = try await publish(
            "SELECT \(columns) FROM \(staging) WHERE __row NOT IN (SELECT __row FROM \(reasons)) ORDER BY __row",
            context: context)
        let aside = try await publish(
            """
            SELECT s.*, r.reasons FROM \(staging) AS s JOIN (
              SELECT __row, string_agg(expectation, ', ' ORDER BY expectation) AS reasons FROM \(reasons) GROUP BY __row
            ) AS r USING (__row) ORDER BY __row
            """, context: context)
        let version = DatasetVersion(
            table: table.name, number: 0, digest: kept.digest, rows: kept.rows, schema: table.columns, key: table.key,
            range: range, quarantine: aside.rows > 0 ? aside.digest : nil, quarantined: aside.rows, results: results,
            source: draft.source, definition: draft.definition, lineage: draft.lineage, created: time.now)
        return try await record(version, by: principal)
    }

    private func refuseEmpty(_ table: TableDefinition, staging: String, reasons: String) async throws {
        guard !table.mayBeEmpty else { return }
        let found = try await engine.query(
            "SELECT (SELECT count(*) FROM \(staging)) AS n, (SELECT count(DISTINCT __row) FROM \(reasons)) AS aside",
            context: "data/\(table.name)")
        let aside = try found.count("aside")
        guard try found.count("n") > aside else { throw DatasetsFailure.empty(table: table.name, quarantined: aside) }
    }

    /// The least and greatest time of the rows that are kept.
    private func range(of table: TableDefinition, staging: String, reasons: String) async throws
        -> DatasetVersion.TimeRange?
    {
        guard let column = table.rangeColumn else { return nil }
        let name = SQLText.identifier(column)
        let found = try await engine.query(
            """
            SELECT min(\(name)) AS least, max(\(name)) AS greatest FROM \(staging)
            WHERE isfinite(\(name)) AND __row NOT IN (SELECT __row FROM \(reasons))
            """, context: "data/\(table.name)")
        guard let from = try found.timestamps("least").first.flatMap({ $0 }),
            let to = try found.timestamps("greatest").first.flatMap({ $0 })
        else { return nil }
        return .init(column: column, from: from, to: to)
    }

    /// Adds a version to its table's history, unless the newest has the same content and definition.
    private func record(_ draft: DatasetVersion, by principal: String) async throws -> DatasetVersion {
        try await database.write { transaction in
            let last = try transaction.first(
                "SELECT number, record FROM dataset_versions WHERE \"table\" = ? ORDER BY number DESC LIMIT 1",
                [.text(draft.table)]
            ).map { try DatasetVersion($0) }
            if let last, last.digest == draft.digest, last.definition == draft.definition,
                last.quarantine == draft.quarantine
            {
                return last
            }
            var version = draft
            version.number = (last?.number ?? 0) + 1
            version.lineage.parent = last?.digest
            try transaction.execute(
                "INSERT INTO dataset_versions (\"table\", number, digest, record, created) VALUES (?, ?, ?, ?, ?)",
                [
                    .text(version.table), .integer(version.number), .text(version.digest.description),
                    .text(try JSON.string(version)), .init(version.created),
                ])
            try Journal.append(
                JournalDraft(
                    principal: principal, type: "dataset.published", subject: "dataset/\(version.table)",
                    body: [
                        "digest": .string(version.digest.description), "rows": .integer(version.rows),
                        "number": .integer(version.number), "quarantined": .integer(version.quarantined),
                        "source": .string(version.source.description), "from": .string(version.lineage.place),
                    ]),
                in: transaction, at: version.created)
            return version
        }
    }
}

extension ReaderTools {
    /// The reader of the table's source.
    func reader() throws -> any TableReader {
        switch table.origin {
        case .files(let files): files.isRemote ? try S3Reader(self, files) : FileReader(self, files)
        case .postgresql(let origin): try PostgresReader(self, origin)
        case .delta(let origin): DeltaReader(self, origin)
        case .iceberg(let origin): IcebergReader(self, origin)
        }
    }
}

extension DatasetVersion {
    /// Reads a row with `number` and `record`.
    init(_ row: Row) throws {
        self = try JSON.decode(DatasetVersion.self, from: try row.string("record"))
        number = try row.integer("number")
    }
}
