import Basics
import Foundation
import ObjectStorage

/// Where some of the batches of a partition lie, oldest first, so that reading starts near an offset.
struct PartitionIndex: Sendable, Codable {
    struct Entry: Sendable, Codable {
        /// The first offset of the batch at `position`.
        let offset: Int64
        let position: Int64
        /// The latest append, in milliseconds since the epoch, from here to the next entry.
        var newest: Int64
    }

    private(set) var entries: [Entry] = []
    /// The offset of the next record.
    private(set) var next: Int64 = 0
    /// Where the next batch will lie.
    private(set) var end: Int64 = 0
    /// The latest time of an append.
    private(set) var newest = Int64.min
    private static let spacing: Int64 = 64 << 10
    private static let clockSlack: Int64 = 86_400_000

    /// Takes note of a batch.
    mutating func add(_ header: RecordBatch.Header, at position: RecordPosition, end: RecordPosition) {
        if let last = entries.last, position.offset - last.position < PartitionIndex.spacing {
            entries[entries.count - 1].newest = max(last.newest, header.appended)
        } else {
            entries.append(Entry(offset: header.base, position: position.offset, newest: header.appended))
        }
        next = header.next
        self.end = end.offset
        newest = max(newest, header.appended)
    }

    /// The time to append with: the present, but not before that of an earlier batch, so that a clock that goes back
    /// makes nothing look older than it is. A clock that was ahead by more than a day is not followed.
    func stamp(_ now: Int64) -> Int64 {
        newest > now && newest.subtractingReportingOverflow(now).partialValue < PartitionIndex.clockSlack ? newest : now
    }

    /// The last entry at or before an offset.
    func entry(before offset: Int64) -> Entry? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].offset <= offset { low = middle + 1 } else { high = middle }
        }
        return low > 0 ? entries[low - 1] : entries.first
    }

    /// Forgets what lies before a position, and puts an entry there.
    mutating func removeAll(before position: RecordPosition, first offset: Int64) {
        guard let last = entries.lastIndex(where: { $0.position <= position.offset }) else { return }
        let newest = entries[last].newest
        entries.removeSubrange(...last)
        entries.insert(Entry(offset: offset, position: position.offset, newest: newest), at: 0)
    }

    /// Before which position everything may go under a retention. The last entry always stays.
    func expired(_ retention: TopicRetention, now: Int64) -> RecordPosition {
        var position = Int64(0)
        if let bytes = retention.bytes {
            position = max(position, end.subtractingReportingOverflow(bytes).partialValue)
        }
        if let seconds = retention.seconds {
            let (age, wide) = seconds.multipliedReportingOverflow(by: 1000)
            let (cutoff, under) = now.subtractingReportingOverflow(age)
            if !wide, !under, let kept = entries.first(where: { $0.newest >= cutoff }) ?? entries.last {
                position = max(position, kept.position)
            }
        }
        return RecordPosition(offset: min(position, entries.last?.position ?? 0))
    }

    /// Reads an index, or nil where there is none that is sound: then the log itself tells all.
    static func load(_ path: String) -> PartitionIndex? {
        guard let bytes = try? AtomicFile.read(path), bytes.count > 64,
            Digest(of: Array(bytes[64...])).hex == String(decoding: bytes[..<64], as: UTF8.self)
        else { return nil }
        return try? JSONDecoder().decode(PartitionIndex.self, from: Data(bytes[64...]))
    }

    /// Writes the index after its digest.
    func save(_ path: String) throws {
        let body = [UInt8](try JSONEncoder().encode(self))
        try AtomicFile.write(path, Array(Digest(of: body).hex.utf8) + body)
    }
}
