import Foundation

/// How a batch is cut and sorted for an engine.
extension KeyValueBatch {
    /// A row and the eight bytes of its key that come after what all keys begin with.
    private struct Head {
        let bytes: UInt64
        let row: Int
    }

    /// The rows in ascending order of their keys' bytes; rows of one key stay in the order they were added.
    func sortedByKey() -> [Int] {
        bytes.withUnsafeBytes { bytes in
            let shared = sharedPrefix(bytes)
            var heads = rows.indices.map { Head(bytes: Self.head(key(of: rows[$0], in: bytes), from: shared), row: $0) }
            heads.sort { left, right in
                if left.bytes != right.bytes { return left.bytes < right.bytes }
                let order = Self.order(key(of: rows[left.row], in: bytes), key(of: rows[right.row], in: bytes))
                return order == 0 ? left.row < right.row : order < 0
            }
            return heads.map(\.row)
        }
    }

    /// Cuts `order` into pieces of at most so many rows, and bytes unless one row has more.
    func pieces(of order: [Int], rows limit: Int, bytes byteLimit: Int) -> [Range<Int>] {
        var pieces: [Range<Int>] = []
        var start = 0
        var total = 0
        for (position, index) in order.enumerated() {
            let size = rows[index].keyCount + rows[index].valueCount
            if position > start, position - start >= limit || total + size > byteLimit {
                pieces.append(start..<position)
                start = position
                total = 0
            }
            total += size
        }
        if start < order.count { pieces.append(start..<order.count) }
        return pieces
    }

    func key(of row: Row, in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[row.start..<row.start + row.keyCount])
    }

    func value(of row: Row, in bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[row.start + row.keyCount..<row.end])
    }

    /// How many bytes all keys begin with in common.
    private func sharedPrefix(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard let first = rows.first else { return 0 }
        let model = key(of: first, in: bytes)
        var shared = model.count
        for row in rows {
            let key = key(of: row, in: bytes)
            if key.count >= shared, Self.isEqual(key, model, shared) { continue }
            shared = zip(key, model).prefix(shared).prefix { $0 == $1 }.count
        }
        return shared
    }

    private static func isEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer, _ count: Int) -> Bool {
        guard let left = left.baseAddress, let right = right.baseAddress else { return count == 0 }
        return memcmp(left, right, count) == 0
    }

    /// Eight bytes from a place on as a number that orders as they do; bytes beyond the end are zero.
    private static func head(_ key: UnsafeRawBufferPointer, from start: Int) -> UInt64 {
        if start + 8 <= key.count {
            return UInt64(bigEndian: key.loadUnaligned(fromByteOffset: start, as: UInt64.self))
        }
        var head: UInt64 = 0
        for place in start..<start + 8 { head = head << 8 | (place < key.count ? UInt64(key[place]) : 0) }
        return head
    }

    private static func order(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        guard let first = left.baseAddress, let second = right.baseAddress else { return left.count - right.count }
        let order = memcmp(first, second, min(left.count, right.count))
        return order == 0 ? left.count - right.count : Int(order)
    }
}
