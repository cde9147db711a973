import Basics

/// Everything that can go wrong between a room and its database.
public enum SQLFailure: Failure, Hashable {
    /// Which rule of the schema a statement broke.
    public enum Rule: String, Sendable {
        case unique, foreignKey, notNull, check, other
    }

    case cannotOpen(path: String, reason: String)
    case diskFull(path: String)
    case readOnly(path: String)
    case locked(path: String)
    case corrupt(path: String, reason: String)
    case inputOutput(path: String, reason: String)
    case constraint(Rule, reason: String)
    case statement(sql: String, reason: String)
    case parameter(index: Int, sql: String, reason: String)
    case missingColumn(name: String, available: [String])
    case columnType(name: String, wanted: String, found: String)
    case writeInRead(sql: String)
    case transactionEnded
    case transactionControl(sql: String)
    /// Another change of the same group commit made the engine give up the whole group; this one was sound.
    case groupLost(reason: String)
    case closed(path: String)
    /// A statement failed before, in the same transaction.
    case transactionFailed(reason: String)
    /// The engine could not be reached, or not for long enough; nothing was changed.
    case unavailable(path: String, reason: String)
    /// The connection was lost while a change was being committed, and did not come back in time to ask.
    case outcomeUnknown(path: String, reason: String)
    case timedOut(sql: String, path: String)
    case signInRefused(path: String, reason: String)
    case unknownDatabase(path: String, name: String)
    case missingRights(path: String, reason: String)
    case encryptionRefused(path: String, reason: String)
    case versionTooOld(path: String, found: String, needed: String)
    case leaseLost(name: String, token: Int64)
    case copyDiffers(table: String, reason: String)
    case leaseSeconds(name: String, seconds: Double)
    case migrationChanged(room: String, version: Int)
    case migrationFailed(room: String, version: Int, reason: String)
    case migrationOrder(room: String, version: Int, reason: String)
    case databaseNewer(room: String, found: Int, known: Int)

    public var code: FailureCode {
        switch self {
        case .diskFull: .resourceExhausted
        case .cannotOpen, .databaseNewer, .migrationChanged, .transactionEnded, .closed, .encryptionRefused,
            .versionTooOld, .leaseLost, .copyDiffers:
            .failedPrecondition
        case .readOnly, .signInRefused, .missingRights: .permissionDenied
        case .locked, .groupLost, .unavailable, .outcomeUnknown: .unavailable
        case .timedOut: .deadlineExceeded
        case .unknownDatabase: .notFound
        case .corrupt: .dataLoss
        case .constraint(.unique, _): .alreadyExists
        case .constraint: .failedPrecondition
        case .parameter, .leaseSeconds: .invalidArgument
        case .inputOutput, .statement, .transactionFailed, .missingColumn, .columnType, .writeInRead,
            .transactionControl,
            .migrationFailed, .migrationOrder:
            .internal
        }
    }

    public var message: String {
        switch self {
        case .cannotOpen(let path, let reason): "the database '\(path)' can not be opened: \(reason)"
        case .diskFull(let path): "the disk is full, the change to the database '\(path)' was not made"
        case .readOnly(let path): "the database '\(path)' can not be written: its file or folder is read-only"
        case .locked(let path): "the database '\(path)' is locked by another process"
        case .corrupt(let path, let reason): "the database '\(path)' is damaged: \(reason)"
        case .inputOutput(let path, let reason): "reading or writing the database '\(path)' failed: \(reason)"
        case .constraint(let rule, let reason): "the change breaks a \(rule.rawValue) rule of the schema: \(reason)"
        case .statement(let sql, let reason): "the statement '\(SQLFailure.brief(sql))' failed: \(reason)"
        case .parameter(let index, let sql, let reason):
            "parameter \(index) of the statement '\(SQLFailure.brief(sql))' \(reason)"
        case .missingColumn(let name, let available):
            "the result has no column '\(name)', only \(available.joined(separator: ", "))"
        case .columnType(let name, let wanted, let found):
            "the column '\(name)' holds \(found) where \(wanted) is wanted"
        case .writeInRead(let sql): "the statement '\(SQLFailure.brief(sql))' writes inside a read"
        case .transactionEnded: "a transaction was used after it had ended"
        case .transactionControl(let sql):
            "the statement '\(SQLFailure.brief(sql))' is not allowed inside a transaction"
        case .groupLost(let reason): "the change was undone with its commit group: \(reason)"
        case .closed(let path): "the database '\(path)' is closed"
        case .transactionFailed(let reason): "a transaction was used after one of its statements had failed: \(reason)"
        case .unavailable(let path, let reason): "the database '\(path)' is not available: \(reason)"
        case .outcomeUnknown(let path, let reason):
            "the connection to the database '\(path)' was lost during a commit, the change may or may not be there: "
                + reason
        case .timedOut(let sql, let path):
            "the statement '\(SQLFailure.brief(sql))' took too long on the database '\(path)' and was ended"
        case .signInRefused(let path, let reason): "the database '\(path)' refuses the sign-in: \(reason)"
        case .unknownDatabase(let path, let name): "the server of '\(path)' has no database '\(name)'"
        case .missingRights(let path, let reason): "the user of the database '\(path)' lacks a right: \(reason)"
        case .encryptionRefused(let path, let reason):
            "no encrypted connection to the database '\(path)' came about: \(reason)"
        case .versionTooOld(let path, let found, let needed):
            "the server of '\(path)' is PostgreSQL \(found), \(needed) or later is needed"
        case .copyDiffers(let table, let reason): "the copy of the table '\(table)' is not the original: \(reason)"
        case .leaseLost(let name, let token): "the lease '\(name)' with token \(token) is no longer held"
        case .leaseSeconds(let name, let seconds):
            "the lease '\(name)' can not be had for \(seconds) seconds: it must be more than 0 and at most a day"
        case .migrationChanged(let room, let version):
            "migration \(version) of \(room) is not the one that was applied to this database"
        case .migrationFailed(let room, let version, let reason): "migration \(version) of \(room) failed: \(reason)"
        case .migrationOrder(let room, let version, let reason): "migration \(version) of \(room) \(reason)"
        case .databaseNewer(let room, let found, let known):
            "the database has version \(found) of \(room), this program knows versions up to \(known)"
        }
    }

    public var remedy: String? {
        switch self {
        case .unavailable:
            "Check that the server runs and can be reached from here, then try again; no restart is needed"
        case .outcomeUnknown: "Look whether the change is there before it is made again"
        case .timedOut: "Look at what keeps the server busy, or raise 'statement_timeout' in its address"
        case .signInRefused: "Check user and password (password_env or password_file), and pg_hba.conf on the server"
        case .unknownDatabase(_, let name): "Create it with 'createdb \(name)', or correct the address"
        case .missingRights: "Have the owner run 'GRANT CREATE ON DATABASE' or '... ON SCHEMA' for this user"
        case .encryptionRefused:
            "Check sslmode, sslrootcert, sslcert and sslkey in the address, and the server's certificate"
        case .versionTooOld: "Upgrade the server, or name another one"
        case .copyDiffers:
            "See that nothing works on either database, and that the target is empty or holds an earlier copy of this one, then copy again"
        case .leaseLost: "Another holder works on it now; acquire the lease again before going on"
        case .cannotOpen: "Check that the folder exists and that this user may read and write it"
        case .diskFull: "Free some space, then try again; nothing needs repair"
        case .readOnly: "Give this user the right to write there, or choose another root"
        case .locked: "Stop the other process that works on this root, or try again"
        case .corrupt: "Restore the file from a backup, or recover what can be read with 'sqlite3 FILE .recover'"
        case .inputOutput: "Look at the system log for disk errors, then try again"
        case .groupLost: "Try again"
        case .migrationChanged: "Run the version of modelworks that made this database; applied migrations never change"
        case .databaseNewer: "Run the newer modelworks that wrote this database"
        default: nil
        }
    }

    private static func brief(_ sql: String) -> String {
        let line = sql.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return line.count <= 120 ? line : "\(line.prefix(117))..."
    }
}
