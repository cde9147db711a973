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
    case migrationChanged(room: String, version: Int)
    case migrationFailed(room: String, version: Int, reason: String)
    case migrationOrder(room: String, version: Int, reason: String)
    case databaseNewer(room: String, found: Int, known: Int)

    public var code: FailureCode {
        switch self {
        case .diskFull: .resourceExhausted
        case .cannotOpen, .databaseNewer, .migrationChanged, .transactionEnded, .closed: .failedPrecondition
        case .readOnly: .permissionDenied
        case .locked, .groupLost: .unavailable
        case .corrupt: .dataLoss
        case .constraint(.unique, _): .alreadyExists
        case .constraint: .failedPrecondition
        case .parameter: .invalidArgument
        case .inputOutput, .statement, .missingColumn, .columnType, .writeInRead, .transactionControl,
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
