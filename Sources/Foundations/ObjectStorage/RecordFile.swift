import Basics
import Foundation

/// A stretch of a log as a file of its own: the frames of its records one after another, exactly as they lie in a segment.
public struct RecordFile: Sendable, Hashable {
    public let path: String
    /// The position of its first byte in the whole log.
    public let start: RecordPosition

    public init(path: String, start: RecordPosition) {
        self.path = path
        self.start = start
    }

    /// Adds the frame of a record to the bytes of a file to be.
    /// - Throws: `StorageFailure.recordTooLarge`.
    public static func append(_ record: UnsafeRawBufferPointer, to bytes: inout [UInt8]) throws {
        guard record.count <= RecordFrame.limit else {
            throw StorageFailure.recordTooLarge(bytes: record.count, limit: RecordFrame.limit)
        }
        withUnsafeBytes(of: RecordFrame().header(for: record)) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: record)
    }

    /// Hands over the records from a position on, oldest first. Blocks while it reads.
    /// - Parameter position: where a record starts; one before the file means its beginning.
    /// - Throws: `StorageFailure.damaged` naming file and offset, or what `body` throws.
    public func forEach(from position: RecordPosition = .start, _ body: (LoggedRecord) throws -> Void) throws {
        let size = Int64(try OpenFile(path, O_RDONLY).status().st_size)
        let first = max(0, position.offset - start.offset)
        guard first < size else { return }
        try RecordFrames.forEach(path: path, start: start.offset, from: first, to: size, frame: RecordFrame(), body)
    }
}
