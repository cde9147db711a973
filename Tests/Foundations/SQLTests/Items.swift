import Engines
import SQL
import TestSupport

extension SQLEngine {
    /// A database with a table of every type.
    func items(in folder: TemporaryFolder) async throws -> Database {
        let database = try await self.database(in: folder)
        try await database.write {
            try $0.script(
                """
                CREATE TABLE items (
                  id INTEGER PRIMARY KEY, name TEXT UNIQUE, number INTEGER, real REAL, text TEXT, blob BLOB)
                """)
        }
        return database
    }
}

/// How many items there are.
func count(_ database: Database) async throws -> Int64 {
    try await database.read { try $0.first("SELECT count(*) AS n FROM items")?.integer("n") ?? -1 }
}
