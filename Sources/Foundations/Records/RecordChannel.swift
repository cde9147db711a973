import ObjectStorage

/// Records of one kind, such as the answers of one endpoint: appended now on the hot path, read later in order.
public protocol RecordChannel: AnyObject, Sendable {
    /// Keeps a record with one write to the operating system: the death of this process loses nothing that was appended.
    /// Safe from any thread.
    /// - Throws: `StorageFailure`; the record is then not kept.
    func append(_ record: UnsafeRawBufferPointer) throws

    /// What was appended before this call by this process, and what others appended that has arrived, from a position on.
    func reader(from position: RecordPosition) async throws -> RecordReader

    /// Ends the work of the channel; what was appended is safe.
    func close() async
}

/// A stretch of a channel, fixed when it was asked for. Each use reads it from its beginning.
public struct RecordReader: Sendable {
    typealias Scan = @Sendable (RecordScope, (LoggedRecord) throws -> Void) throws -> Void
    private let scan: Scan

    init(_ scan: @escaping Scan) { self.scan = scan }

    /// Hands over the records, oldest first. Blocks while it reads.
    /// - Parameter scope: what is wanted; others may be handed over too.
    /// - Throws: `StorageFailure.damaged` naming file and offset, or what `body` throws.
    public func read(_ scope: RecordScope = .all, _ body: (LoggedRecord) throws -> Void) throws {
        try scan(scope, body)
    }
}
