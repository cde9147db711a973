import Basics
import ObjectStorage

/// Which records of a channel are wanted. A history may leave the others out; a log hands over all.
public enum RecordScope: Sendable, Equatable {
    case all
    /// Those called so, or of a request called so, as the kind of the records says what a record is called.
    case named(String)
    /// Those that were kept from a moment on.
    case since(Timestamp)
}

/// Where the records of a channel go that are taken out of its log: in order, each once, a whole segment at a time.
public protocol RecordHistory: AnyObject, Sendable {
    /// Where the log goes on: what lies before has been taken over.
    var end: RecordPosition { get }

    /// Takes over the records from ``end`` to a position: all of them or, whatever breaks off, none. Blocks.
    /// - Parameter records: hands them over.
    /// - Returns: how many they were.
    func take(upTo end: RecordPosition, _ records: ((LoggedRecord) throws -> Void) throws -> Void) throws -> Int

    /// Hands over the records that were taken over when it was called, from a position up to another, oldest first. Blocks.
    /// - Returns: where to go on in the log.
    func read(
        _ scope: RecordScope, from position: RecordPosition, upTo limit: RecordPosition,
        _ body: (LoggedRecord) throws -> Void
    ) throws -> RecordPosition

    /// Deletes what was kept before a moment, as far as that goes by whole days. Blocks.
    /// - Returns: how many records were deleted.
    func expire(before moment: Timestamp) throws -> Int
}

/// The histories of the channels of a root, in a folder of their own.
public struct RecordHistories: Sendable {
    let root: String
    private let make: @Sendable (_ folder: String, _ kind: String) throws -> (any RecordHistory)?

    /// - Parameters:
    ///   - root: holds them, and nothing else.
    ///   - make: opens the history of a channel in its folder; nil for a kind whose records stay in their log.
    public init(
        in root: String, _ make: @escaping @Sendable (_ folder: String, _ kind: String) throws -> (any RecordHistory)?
    ) {
        self.root = root
        self.make = make
    }

    /// - Parameter channel: such as `predictions/delay`.
    func history(of channel: String) throws -> (any RecordHistory)? {
        try make("\(root)/\(channel)", channel.split(separator: "/").first.map(String.init) ?? "")
    }
}
