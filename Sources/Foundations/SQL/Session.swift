import Basics

/// One connection of an engine inside a transaction. Used by one thread at a time.
protocol Session: AnyObject {
    /// Runs one statement, hands its rows over one at a time, and tells how many rows it changed.
    func run(_ sql: String, _ parameters: [SQLValue], _ want: Want, _ body: (Row) throws -> Void) throws -> Int

    /// Runs statements that take no parameters and whose rows do not matter.
    func script(_ sql: String) throws

    /// The clock that all users of this database share; `time` where they all live on this machine.
    func clock(_ time: any TimeSource) throws -> Timestamp
}

/// How many rows of a statement its caller will look at.
enum Want {
    case none, first, all
    /// All, with bounded memory, and other statements may run between two rows.
    case stream
}

/// Makes groups of changes durable. Used by one thread at a time.
protocol Committer: AnyObject {
    /// Commits the changes together.
    /// - Returns: what tells each caller its outcome, in any order.
    func commit(_ jobs: [Writer.Job]) -> [@Sendable () -> Void]

    /// Gives the connection back; nothing is asked of it afterwards.
    func close()
}

/// Gives snapshots to reads. Used by one thread at a time.
protocol Snapshots: AnyObject {
    /// Runs `body` in one snapshot, again where the engine lost it on the way.
    func read<Value>(_ body: (Transaction) throws -> Value) throws -> Value
}
