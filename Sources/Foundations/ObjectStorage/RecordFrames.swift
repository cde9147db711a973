import Basics
import Foundation

/// Reads the frames of a file one after another, with one buffer however long the file is.
enum RecordFrames {
    /// - Parameters:
    ///   - start: the position of the file's first byte in the whole log.
    ///   - first: where in the file to begin, at a record.
    ///   - end: where in the file to stop.
    /// - Throws: `StorageFailure.damaged` at the first unsound frame, or what `body` throws.
    static func forEach(
        path: String, start: Int64, from first: Int64, to end: Int64, frame: RecordFrame,
        _ body: (LoggedRecord) throws -> Void
    ) throws {
        let file = try OpenFile(path, O_RDONLY)
        var buffer = [UInt8](repeating: 0, count: 256 << 10)
        // The buffer holds the bytes from `offset` on; `used` of its `filled` bytes are handed over already.
        var offset = first
        var used = 0
        var filled = 0
        while offset + Int64(used) < end {
            let reading = buffer.withUnsafeBytes { frame.read(UnsafeRawBufferPointer(rebasing: $0[used..<filled])) }
            switch reading {
            case .record(let count):
                let position = start + offset + Int64(used)
                let from = used + RecordFrame.headerBytes
                used = from + count
                try buffer.withUnsafeBytes { bytes in
                    try body(
                        LoggedRecord(
                            position: RecordPosition(offset: position),
                            next: RecordPosition(offset: start + offset + Int64(used)),
                            bytes: UnsafeRawBufferPointer(rebasing: bytes[from..<used])))
                }
            case .bad:
                throw StorageFailure.damaged(
                    path: path, offset: offset + Int64(used), reason: "the record does not have its checksum")
            case .short(let needed):
                offset += Int64(used)
                guard end - offset >= Int64(needed) else {
                    throw StorageFailure.damaged(path: path, offset: offset, reason: "the record is cut off")
                }
                buffer.removeSubrange(..<used)
                buffer.append(contentsOf: repeatElement(0, count: max(256 << 10, needed) - buffer.count))
                filled -= used
                used = 0
                let wanted = Int(min(Int64(buffer.count), end - offset))
                let had = filled
                filled += try buffer.withUnsafeMutableBytes { bytes in
                    guard had < wanted else { return 0 }
                    return try file.read(
                        into: UnsafeMutableRawBufferPointer(rebasing: bytes[had..<wanted]), at: offset + Int64(had))
                }
                guard filled >= needed else {
                    throw StorageFailure.damaged(path: path, offset: offset, reason: "the file is shorter than it was")
                }
            }
        }
    }
}
