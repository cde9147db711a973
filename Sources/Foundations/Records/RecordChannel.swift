import Basics
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
    private let scan: @Sendable ((LoggedRecord) throws -> Void) throws -> Void

    init(_ scan: @escaping @Sendable ((LoggedRecord) throws -> Void) throws -> Void) { self.scan = scan }

    /// Hands over the records, oldest first. Blocks while it reads.
    /// - Throws: `StorageFailure.damaged` naming file and offset, or what `body` throws.
    public func read(_ body: (LoggedRecord) throws -> Void) throws { try scan(body) }
}

/// A channel in a folder of this machine, for one process.
public final class LocalRecords: RecordChannel {
    private let log: RecordLog

    /// - Throws: what opening the record log throws.
    public init(folder: String) throws { log = try RecordLog(folder: folder) }

    public func append(_ record: UnsafeRawBufferPointer) throws { _ = try log.append(record) as RecordPosition }

    public func reader(from position: RecordPosition) async throws -> RecordReader {
        let end = log.end
        return RecordReader { [log] body in _ = try log.forEach(from: position, upTo: end, body) }
    }

    public func close() async {
        try? await log.sync()
        log.release()
    }
}
