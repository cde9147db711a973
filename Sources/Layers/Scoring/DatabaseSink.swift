import Basics
import Columnar
import SQL

/// Adds rows to a table of a SQLite or PostgreSQL database: each partition in one transaction with the note that it is
/// there. Several runs may have their rows in one table.
struct DatabaseSink: TableSink {
    let database: Database
    let table: String
    let overwrite: Bool

    /// Runs, and partitions that are written, of all tables of the database.
    private static let runs = "modelworks_scoring_runs"
    private static let parts = "modelworks_scoring_parts"
    private static let parametersMax = 20_000

    private var target: String { SQLText.identifier(table) }
    private var refusedTable: String { "\(table)_dead_letters" }

    func unfinished() async throws -> ScoringRun? { try await known().first { $0.finished == nil } }

    /// The run with this plan, or else one that did not end: its rows would stand there half.
    func run(like plan: ScoringRun.Plan) async throws -> ScoringRun? {
        let runs = try await known()
        return runs.first { $0.plan == plan } ?? runs.first { $0.finished == nil }
    }

    private func known() async throws -> [ScoringRun] {
        let table = table
        return try await database.write { transaction in
            try transaction.execute(
                """
                CREATE TABLE IF NOT EXISTS \(Self.runs) (
                    run_id TEXT PRIMARY KEY, target TEXT NOT NULL, run TEXT NOT NULL, finished INTEGER NOT NULL)
                """)
            try transaction.execute(
                """
                CREATE TABLE IF NOT EXISTS \(Self.parts) (
                    run_id TEXT NOT NULL, part INTEGER NOT NULL, PRIMARY KEY (run_id, part))
                """)
            return try transaction.query("SELECT run FROM \(Self.runs) WHERE target = ?", [.text(table)]).map {
                try JSON.decode(ScoringRun.self, from: try $0.string("run"))
            }
        }
    }

    /// Of an earlier run with the same plan, or one that did not end, the rows go.
    func begin(_ run: ScoringRun) async throws {
        let (table, earlier) = (table, try await self.run(like: run.plan))
        let isThere = try await exists(table)
        let areRefused = try await exists(refusedTable)
        let refused = SQLText.identifier(refusedTable)
        let (target, text) = (target, try JSON.string(run))
        try await database.write { transaction in
            if let earlier {
                let id: [SQLValue] = [.text(earlier.id)]
                if isThere { try transaction.execute("DELETE FROM \(target) WHERE run_id = ?", id) }
                if areRefused { try transaction.execute("DELETE FROM \(refused) WHERE run_id = ?", id) }
                try transaction.execute("DELETE FROM \(Self.parts) WHERE run_id = ?", id)
                try transaction.execute("DELETE FROM \(Self.runs) WHERE run_id = ?", id)
            }
            try transaction.execute(
                "INSERT INTO \(Self.runs) (run_id, target, run, finished) VALUES (?, ?, ?, 0)",
                [.text(run.id), .text(table), .text(text)])
        }
    }

    func written(of run: ScoringRun) async throws -> Set<Int> {
        let id = run.id
        return try await database.read { transaction in
            Set(
                try transaction.query("SELECT part FROM \(Self.parts) WHERE run_id = ?", [.text(id)]).map {
                    try $0.int("part")
                })
        }
    }

    func write(
        _ partition: ScoredPartition, of run: ScoringRun, on connection: ColumnarConnection, _ thread: BlockingThread
    ) async throws {
        let (scored, refused) = try await thread.run {
            (try connection.query(partition.rows), try partition.deadLetters.map { try connection.query($0) })
        }
        let (target, side, id) = (target, SQLText.identifier(refusedTable), run.id)
        try await database.write { transaction in
            try Self.insert(scored, into: target, transaction)
            if let refused { try Self.insert(refused, into: side, transaction) }
            try transaction.execute(
                "INSERT INTO \(Self.parts) (run_id, part) VALUES (?, ?)", [.text(id), .init(partition.number)])
        }
    }

    func finish(_ run: ScoringRun, partitions: Int) async throws {
        let (id, text) = (run.id, try JSON.string(run))
        try await database.write { transaction in
            try transaction.execute(
                "UPDATE \(Self.runs) SET run = ?, finished = 1 WHERE run_id = ?", [.text(text), .text(id)])
        }
    }

    func close() async { await database.close() }

    private func exists(_ table: String) async throws -> Bool {
        // Both engines answer this with an error where there is none, and a read has nothing to undo.
        (try? await database.read { try $0.query("SELECT 1 FROM \(SQLText.identifier(table)) LIMIT 1") }) != nil
    }

    private static func insert(_ rows: Table, into target: String, _ transaction: Transaction) throws {
        let declared = zip(rows.names, rows.columns).map { "\(SQLText.identifier($0)) \($1.values.storedType)" }
        try transaction.execute("CREATE TABLE IF NOT EXISTS \(target) (\(declared.joined(separator: ", ")))")
        let names = rows.names.map(SQLText.identifier).joined(separator: ", ")
        let width = max(1, rows.columns.count)
        let step = max(1, parametersMax / width)
        let one = "(\(Array(repeating: "?", count: width).joined(separator: ", ")))"
        for start in stride(from: 0, to: rows.rowCount, by: step) {
            let range = start..<min(rows.rowCount, start + step)
            let values = range.flatMap { row in rows.columns.map { $0[row].stored } }
            let places = Array(repeating: one, count: range.count).joined(separator: ", ")
            try transaction.executeLater("INSERT INTO \(target) (\(names)) VALUES \(places)", values)
        }
    }
}

extension Column.Values {
    /// The type of the project's dialect of SQL. Moments are text, as people read them there.
    fileprivate var storedType: String {
        switch self {
        case .bools, .int32s, .int64s: "INTEGER"
        case .float32s, .doubles: "REAL"
        case .strings, .timestamps: "TEXT"
        }
    }
}

extension ColumnarValue {
    fileprivate var stored: SQLValue {
        switch self {
        case .null: .null
        case .bool(let value): .integer(value ? 1 : 0)
        case .integer(let value): .integer(value)
        // Every engine keeps the finite ones alone.
        case .double(let value): value.isFinite ? .double(value) : .null
        case .string(let value): .text(value)
        case .timestamp(let value): .text(value.description)
        }
    }
}
