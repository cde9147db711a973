import Basics
import Foundation

/// One file of a record log. Its name is the position of its first byte.
struct RecordSegment: Sendable, Hashable {
    let folder: String
    let start: Int64
    static let suffix = ".records"

    var path: String {
        let digits = String(start)
        return "\(folder)/\(String(repeating: "0", count: max(0, 19 - digits.count)))\(digits)\(RecordSegment.suffix)"
    }

    /// The segments of a folder in order.
    static func list(_ folder: String) throws -> [RecordSegment] {
        try Folder.names(folder).compactMap { name in
            guard name.hasSuffix(suffix), let start = Int64(name.dropLast(suffix.count)), start >= 0 else { return nil }
            return RecordSegment(folder: folder, start: start)
        }
        .sorted { $0.start < $1.start }
    }

    /// Refuses a segment of so many bytes that the next one does not follow.
    /// - Throws: `StorageFailure.damaged`.
    func check(_ size: Int64, before next: RecordSegment) throws {
        guard start + size == next.start else {
            throw StorageFailure.damaged(
                path: path, offset: size,
                reason: "the next segment starts at position \(next.start), not \(start + size)")
        }
    }

    /// Hands over the records of the segment from an offset in it up to `end`.
    /// - Throws: `StorageFailure.damaged` at the first unsound frame, or what `body` throws.
    func forEach(
        from first: Int64, to end: Int64, frame: RecordFrame, _ body: (LoggedRecord) throws -> Void
    ) throws {
        try RecordFrames.forEach(path: path, start: start, from: first, to: end, frame: frame, body)
    }
}
