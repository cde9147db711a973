import Basics

/// The records that one call put into one partition, as they lie in its log: the offset of the first, how many there
/// are, when they were appended, then the records.
struct RecordBatch: Sendable {
    /// What stands before the records of a batch.
    struct Header {
        let base: Int64
        let count: Int64
        /// Milliseconds since the epoch, never before those of an earlier batch.
        let appended: Int64

        /// The offset after the last record.
        var next: Int64 { base.addingReportingOverflow(count).partialValue }

        init(_ reader: inout ByteReader) throws {
            guard try reader.number(UInt8.self) == RecordBatch.version else { throw ByteReader.Malformed() }
            base = try reader.number()
            appended = try reader.number()
            count = Int64(try reader.number(UInt32.self))
            guard base >= 0, count > 0, base < .max - count else { throw ByteReader.Malformed() }
        }
    }

    private static let version: UInt8 = 1
    private static let headerBytes = 21
    private static let noKey = UInt8(0)
    let count: Int
    private var writer: ByteWriter

    /// - Parameter now: the time of records that have none.
    init(_ records: [StreamRecord], now: Timestamp) {
        count = records.count
        var writer = ByteWriter()
        writer.reserve(records.reduce(RecordBatch.headerBytes) { $0 + $1.payloadBytes + 24 })
        writer.put(RecordBatch.version)
        writer.put(Int64(0))
        writer.put(Int64(0))
        writer.put(UInt32(truncatingIfNeeded: records.count))
        for record in records {
            writer.put(record.milliseconds(now: now))
            if let key = record.key {
                writer.put(UInt8(1))
                writer.put(key)
            } else {
                writer.put(RecordBatch.noKey)
            }
            writer.put(record.value)
            writer.put(UInt32(truncatingIfNeeded: record.headers.count))
            for header in record.headers {
                writer.put(header.name)
                writer.put(header.value)
            }
        }
        self.writer = writer
    }

    /// The bytes with their place filled in.
    mutating func bytes(base: Int64, appended: Int64) -> [UInt8] {
        writer.replace(base, at: 1)
        writer.replace(appended, at: 9)
        return writer.bytes
    }

    /// Hands over the records at or after `first`.
    /// - Parameter body: returns false to stop.
    static func forEach(
        _ bytes: UnsafeRawBufferPointer, from first: Int64, _ body: (StreamRecord, Int64) throws -> Bool
    ) throws {
        var reader = ByteReader(bytes)
        let header = try Header(&reader)
        for offset in header.base..<header.next {
            let time = try reader.number(Int64.self)
            let hasKey = try reader.number(UInt8.self) != noKey
            guard offset >= first else {
                if hasKey { try reader.skip() }
                try reader.skip()
                for _ in 0..<(try reader.number(UInt32.self)) {
                    try reader.skip()
                    try reader.skip()
                }
                continue
            }
            let key = hasKey ? try reader.take() : nil
            let value = try reader.take()
            var headers: [StreamRecord.Header] = []
            for _ in 0..<(try reader.number(UInt32.self)) {
                headers.append(StreamRecord.Header(try reader.text(), try reader.take()))
            }
            let record = StreamRecord(
                key: key, value: value, headers: headers, timestamp: StreamRecord.timestamp(milliseconds: time))
            guard try body(record, offset) else { return }
        }
        guard reader.isAtEnd else { throw ByteReader.Malformed() }
    }
}
