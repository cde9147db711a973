import Basics
import Journal
import SQL

/// Rows in three tables, a counter and an entry of the journal, all in one change.
struct SQLStorm: StormStore {
    private let database: Database
    private static let most = 2000
    private static let parts = 2
    private static let migration = Migration(
        room: "storm", version: 1,
        sql: """
            CREATE TABLE items (name TEXT NOT NULL, body BLOB NOT NULL);
            CREATE TABLE parts (name TEXT NOT NULL, part INTEGER NOT NULL);
            CREATE TABLE counters (n INTEGER NOT NULL);
            INSERT INTO counters (n) VALUES (0);
            """)

    init(_ url: StoreURL) async throws {
        database = try await Database.open(url)
        try await database.migrate(Journal.migrations + [Self.migration])
    }

    func put(_ item: StormItem) async throws {
        let bytes = item.bytes(most: Self.most)
        try await database.write { transaction in
            try transaction.execute(
                "INSERT INTO items (name, body) VALUES (?, ?)", [.text("\(item)"), .blob(bytes)])
            for part in 0..<Self.parts {
                try transaction.executeLater(
                    "INSERT INTO parts (name, part) VALUES (?, ?)", [.text("\(item)"), .init(part)])
            }
            try transaction.execute("UPDATE counters SET n = n + 1")
            try Journal.append(
                JournalDraft(principal: "storm", type: "item.stored", subject: "\(item)", body: .null), in: transaction,
                at: Timestamp(seconds: Int64(item.number)))
        }
    }

    func isCertain(_ error: any Error) -> Bool {
        if case SQLFailure.outcomeUnknown = error { false } else { true }
    }

    func survey() async throws -> StormSurvey {
        var survey = try await database.read { transaction in
            var survey = StormSurvey()
            try transaction.forEach("SELECT body FROM items") { survey.add(try $0.bytes("body"), most: Self.most) }
            let names = survey.items.map(\.description).sorted()
            let parts = try transaction.query("SELECT name FROM parts").map { try $0.string("name") }.sorted()
            if parts != names.flatMap({ Array(repeating: $0, count: Self.parts) }) {
                survey.faults.append("\(parts.count) parts of \(names.count) items")
            }
            let count = try transaction.first("SELECT n FROM counters")?.integer("n")
            if count != Int64(names.count) {
                survey.faults.append("the counter shows \(count ?? -1) for \(names.count) items")
            }
            let told = try transaction.query("SELECT subject FROM journal").map { try $0.string("subject") }.sorted()
            if told != names { survey.faults.append("the journal tells of \(told.count) of \(names.count) items") }
            return survey
        }
        let verdict = try await Journal(database).verify()
        guard case .intact = verdict else {
            survey.faults.append("the journal: \(verdict)")
            return survey
        }
        return survey
    }

    func close() async { await database.close() }
}
