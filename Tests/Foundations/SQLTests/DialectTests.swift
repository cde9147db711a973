import Testing

@testable import SQL

@Suite struct DialectTests {
    @Test(arguments: [
        (
            "SELECT a FROM t WHERE b = ? AND c = '?' AND \"d?\" = ?",
            "SELECT a FROM t WHERE b = $1 AND c = '?' AND \"d?\" = $2"
        ),
        ("SELECT 'it''s ?', ? -- ?\n, ?", "SELECT 'it''s ?', $1 -- ?\n, $2"),
        ("SELECT /* ? ; */ ?;", "SELECT /* ? ; */ $1"),
        (
            "CREATE TABLE t (text TEXT, integer INTEGER NOT NULL, r REAL DEFAULT 0, \"blob\" BLOB)",
            "CREATE TABLE t (text TEXT COLLATE \"C\", integer BIGINT NOT NULL, r DOUBLE PRECISION DEFAULT 0, \"blob\" BYTEA)"
        ),
        ("ALTER TABLE t ADD COLUMN text TEXT", "ALTER TABLE t ADD COLUMN text TEXT COLLATE \"C\""),
        (
            "SELECT CAST(x AS REAL), cast(y AS TEXT) AS text FROM t",
            "SELECT CAST(x AS DOUBLE PRECISION), cast(y AS TEXT) AS text FROM t"
        ),
        ("SELECT x AS real, y AS blob FROM t", "SELECT x AS real, y AS blob FROM t"),
    ])
    func isTranslated(_ common: String, _ postgres: String) throws {
        #expect(try Dialect.postgres(common).text == postgres)
    }

    @Test func piecesJoinToTheText() {
        let texts = ["SELECT '", "a \"b''c\" 'd\"\"' /* x", "é--\n?;1.5e3", "'';;--"]
        for text in texts { #expect(SQLScanner.tokens(text).map(\.text).joined() == text) }
    }

    @Test func queriesAreKnown() throws {
        #expect(try Dialect.postgres("select 1").isQuery)
        #expect(try Dialect.postgres("WITH a AS (SELECT 1) SELECT * FROM a LIMIT 2").isQuery)
        #expect(try Dialect.postgres("SELECT 1 LIMIT 2").isLimited)
        #expect(try !Dialect.postgres("SELECT * FROM (SELECT 1 LIMIT 2) AS a").isLimited)
        #expect(try !Dialect.postgres("WITH a AS (DELETE FROM t RETURNING x) SELECT * FROM a").isQuery)
    }

    @Test func aScriptIsCutAtItsEnds() {
        #expect(
            Dialect.statements(
                "CREATE TABLE t (a TEXT); ; CREATE TRIGGER x BEFORE UPDATE ON t BEGIN SELECT RAISE(ABORT, ';'); END; SELECT 1"
            ).count == 3)
    }

    @Test(arguments: [
        "CREATE TRIGGER x AFTER UPDATE ON t BEGIN SELECT RAISE(ABORT, 'a'); END",
        "CREATE TRIGGER x BEFORE DELETE ON t BEGIN DELETE FROM u; END", "REPLACE INTO t VALUES (1)",
        "insert or ignore into t values (1)", "CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT)", " -- x\n begin",
        "/* */ Commit",
    ])
    func whatOneEngineAloneKnowsIsRefused(_ sql: String) {
        #expect(throws: SQLFailure.self) { try Dialect.postgresScript(sql) }
    }
}
