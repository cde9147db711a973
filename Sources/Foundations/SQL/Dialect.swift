import Basics

/// The SQL that rooms write, and all that has to be different for PostgreSQL.
///
/// Rooms write SQLite's SQL as far as PostgreSQL has it too:
/// - parameters are `?`; column types are INTEGER, REAL, TEXT and BLOB; every column has one;
/// - `ON CONFLICT` in place of `INSERT OR ...`, whose SET names the table of the old value (`t.n + excluded.n`);
/// - keys are given, never counted up by the engine; a floating-point number is never put into an INTEGER column;
/// - `ORDER BY` over a column that may be null says NULLS FIRST or NULLS LAST;
/// - LIKE minds the case and says `ESCAPE '\'`; without case it compares by lower(), which knows ASCII letters only;
/// - `WITHOUT ROWID` keeps the rows of a table in the order of its key; PostgreSQL has nothing of the kind and does without;
/// - the one trigger form is `CREATE TRIGGER n BEFORE UPDATE|DELETE ON t BEGIN SELECT RAISE(ABORT, 'why'); END`.
enum Dialect {
    /// One statement as an engine takes it.
    struct Statement: Sendable {
        let text: String
        /// How many parameters it takes.
        let parameters: Int
        /// Its first word, in capitals.
        let verb: String
        /// Whether it only reads, so that a cursor can go over it.
        let isQuery: Bool
        /// Whether it bounds its own number of rows.
        let isLimited: Bool
    }

    /// Statements that only the database itself may run.
    private static let control: Set<String> = [
        "BEGIN", "START", "COMMIT", "END", "ROLLBACK", "ABORT", "SAVEPOINT", "RELEASE", "ATTACH", "DETACH", "VACUUM",
        "PRAGMA", "PREPARE", "EXECUTE", "DEALLOCATE", "SET", "RESET", "COPY", "LOCK", "LISTEN", "UNLISTEN", "DISCARD",
        "DO", "CALL", "DECLARE", "FETCH", "CLOSE",
    ]

    private static let types = [
        "INTEGER": "BIGINT", "INT": "BIGINT", "REAL": "DOUBLE PRECISION", "BLOB": "BYTEA",
        // Order by bytes, as SQLite's.
        "TEXT": "TEXT COLLATE \"C\"",
    ]

    /// Refuses what belongs to one engine only, or to the database itself.
    /// - Throws: `SQLFailure.transactionControl`, or `.statement` with what to write instead.
    /// - Returns: whether the statement changes rows, so that its count of them means something.
    @discardableResult
    static func screen(_ sql: String) throws -> Bool { try screen(SQLScanner.tokens(sql), sql) }

    /// The statements of a script, without empty ones.
    static func statements(_ sql: String) -> [String] {
        split(SQLScanner.tokens(sql)).map { $0.map(\.text).joined() }
    }

    /// One statement in PostgreSQL's words.
    /// - Throws: `SQLFailure.statement` where the text is none, or more than one, or belongs to SQLite only.
    static func postgres(_ sql: String) throws -> Statement {
        let parts = split(SQLScanner.tokens(sql))
        guard let tokens = parts.first else { throw SQLFailure.statement(sql: sql, reason: "it is empty") }
        guard parts.count == 1 else { throw SQLFailure.statement(sql: sql, reason: "it is more than one statement") }
        try screen(tokens, sql)
        return translated(tokens)
    }

    /// The statements of a script in PostgreSQL's words: as many or more.
    /// - Throws: as `postgres(_:)`.
    static func postgresScript(_ sql: String) throws -> [Statement] {
        try split(SQLScanner.tokens(sql)).flatMap { tokens -> [Statement] in
            try screen(tokens, sql)
            let words = significant(tokens)
            guard words.count > 1, words[0].keyword == "CREATE", words[1].keyword == "TRIGGER" else {
                return [translated(tokens)]
            }
            return try trigger(words, sql)
        }
    }

    @discardableResult
    private static func screen(_ tokens: [SQLToken], _ sql: String) throws -> Bool {
        let words = significant(tokens)
        let verb = words.first?.keyword ?? ""
        if control.contains(verb) { throw SQLFailure.transactionControl(sql: sql) }
        let second = words.dropFirst().first?.keyword
        if verb == "REPLACE" || (verb == "INSERT" && second == "OR") {
            throw SQLFailure.statement(sql: sql, reason: "write INSERT ... ON CONFLICT, which every engine knows")
        }
        if verb == "CREATE", words.contains(where: { $0.keyword == "AUTOINCREMENT" }) {
            throw SQLFailure.statement(sql: sql, reason: "AUTOINCREMENT is not known to every engine; give the keys")
        }
        return ["INSERT", "UPDATE", "DELETE", "WITH"].contains(verb)
    }

    private static func significant(_ tokens: [SQLToken]) -> [SQLToken] { tokens.filter { $0.kind != .blank } }

    private static func split(_ tokens: [SQLToken]) -> [[SQLToken]] {
        var parts: [[SQLToken]] = []
        var current: [SQLToken] = []
        for token in tokens {
            guard token.kind == .semicolon, !isInsideTrigger(current) else {
                current.append(token)
                continue
            }
            parts.append(current)
            current = []
        }
        parts.append(current)
        return parts.filter { !significant($0).isEmpty }
    }

    private static func isInsideTrigger(_ tokens: [SQLToken]) -> Bool {
        let words = significant(tokens).map(\.keyword)
        return words.starts(with: ["CREATE", "TRIGGER"]) && words.contains("BEGIN") && words.last != "END"
    }

    private static func translated(_ tokens: [SQLToken]) -> Statement {
        let words = significant(tokens)
        let verb = words.first?.keyword ?? ""
        let definesColumns =
            ["CREATE", "ALTER"].contains(verb) && words.prefix(4).contains { $0.keyword == "TABLE" }
        var text = ""
        var parameters = 0
        var depth = 0
        var isLimited = false
        var previous: SQLToken?
        var following = words.dropFirst()[...]
        for token in tokens {
            guard token.kind != .blank else {
                text += token.text
                continue
            }
            var piece = token.text
            switch token.kind {
            case .placeholder:
                parameters += 1
                piece = "$\(parameters)"
            case .open: depth += 1
            case .close: depth -= 1
            case .word:
                let word = token.keyword
                if definesColumns, depth == 0, ["WITHOUT", "ROWID"].contains(word) { piece = "" }
                if depth == 0, ["LIMIT", "FETCH", "FOR"].contains(word) { isLimited = true }
                if let type = types[word] {
                    if definesColumns, namesColumn(previous) { piece = type }
                    if previous?.keyword == "AS", following.first?.kind == .close {
                        piece = word == "TEXT" ? word : type
                    }
                }
            default: break
            }
            text += piece
            previous = token
            following = following.dropFirst()
        }
        let writes = words.contains { ["INSERT", "UPDATE", "DELETE"].contains($0.keyword) }
        return Statement(
            text: text, parameters: parameters, verb: verb,
            isQuery: verb == "SELECT" || verb == "VALUES" || (verb == "WITH" && !writes), isLimited: isLimited)
    }

    /// Whether a type may follow: `(text TEXT)` has a column that is called as its type.
    private static func namesColumn(_ token: SQLToken?) -> Bool {
        guard let token else { return false }
        return token.kind == .name || (token.kind == .word && !["ADD", "COLUMN", "AS"].contains(token.keyword))
    }

    /// A refusing trigger as a function and the trigger that calls it. One against DELETE guards against TRUNCATE too,
    /// which SQLite does not have.
    private static func trigger(_ words: [SQLToken], _ sql: String) throws -> [Statement] {
        let shape = words.map { $0.kind == .word ? $0.keyword : $0.text }
        guard words.count == 17,
            [shape[3], shape[5], shape[7], shape[8], shape[9], shape[10], shape[11], shape[12]]
                == ["BEFORE", "ON", "BEGIN", "SELECT", "RAISE", "(", "ABORT", ","],
            ["UPDATE", "DELETE"].contains(shape[4]), words[13].kind == .literal,
            [shape[14], shape[15], shape[16]] == [")", ";", "END"], !words[13].text.contains("$refuse$")
        else {
            throw SQLFailure.statement(
                sql: sql,
                reason: "the trigger is not of the form BEFORE UPDATE|DELETE ON t BEGIN SELECT RAISE(ABORT, 'why'); END"
            )
        }
        let name = words[2].text
        let table = words[6].text
        let guardedTable = "ON \(table) FOR EACH"
        var texts = [
            """
            CREATE FUNCTION \(name)() RETURNS trigger LANGUAGE plpgsql AS $refuse$
            BEGIN RAISE EXCEPTION USING ERRCODE = '23000', MESSAGE = \(words[13].text); END $refuse$
            """,
            "CREATE TRIGGER \(name) BEFORE \(shape[4]) \(guardedTable) ROW EXECUTE FUNCTION \(name)()",
        ]
        if shape[4] == "DELETE" {
            let unquoted = name.replacing("\"", with: "")
            texts.append(
                "CREATE TRIGGER \"\(unquoted)_all\" BEFORE TRUNCATE \(guardedTable) STATEMENT EXECUTE FUNCTION \(name)()"
            )
        }
        return texts.map { Statement(text: $0, parameters: 0, verb: "CREATE", isQuery: false, isLimited: false) }
    }
}
