import Basics

/// Events that were kept together: one record of a stream's log. Without rows it only tells what time it was.
struct StreamBatch: Sendable, Hashable {
    /// Where the events go.
    enum Target: String, Sendable, Codable, CaseIterable {
        case online, offline
        case both = "online_and_offline"

        var isOnline: Bool { self != .offline }
        var isOffline: Bool { self != .online }
    }

    /// The clock of who kept it, in microseconds since 1970.
    var stamp: Int64
    var target = Target.both
    var columns: [String] = []
    /// Values in the order of ``columns``.
    var rows: [[ScalarValue]] = []

    /// Events of one record at most, so that an event's number fits beside the record's offset.
    static let rowsMax = 1000
    private static let version: UInt8 = 1

    func encoded() -> [UInt8] {
        var bytes: [UInt8] = [Self.version, target == .both ? 0 : target == .online ? 1 : 2]
        bytes.reserveCapacity(32 + columns.count * 16 + rows.count * columns.count * 9)
        Self.append(UInt64(bitPattern: stamp), to: &bytes)
        Self.append(count: columns.count, to: &bytes)
        for column in columns { Self.append(text: column, to: &bytes) }
        Self.append(count: rows.count, to: &bytes)
        for row in rows {
            for value in row {
                switch value {
                case .null: bytes.append(0)
                case .integer(let number):
                    bytes.append(1)
                    Self.append(UInt64(bitPattern: number), to: &bytes)
                case .double(let number):
                    bytes.append(2)
                    Self.append(number.bitPattern, to: &bytes)
                case .string(let text):
                    bytes.append(3)
                    Self.append(text: text, to: &bytes)
                case .boolean(let flag): bytes.append(flag ? 5 : 4)
                case .timestamp(let moment):
                    bytes.append(6)
                    Self.append(UInt64(bitPattern: moment.microseconds), to: &bytes)
                }
            }
        }
        return bytes
    }

    init(stamp: Int64, target: Target = .both, columns: [String] = [], rows: [[ScalarValue]] = []) {
        self.stamp = stamp
        self.target = target
        self.columns = columns
        self.rows = rows
    }

    /// - Returns: nil for bytes that are none.
    init?(_ bytes: [UInt8]) {
        var reader = Reader(bytes: bytes)
        guard reader.byte() == Self.version, let target = reader.byte(), target < 3, let stamp = reader.word(),
            let columnCount = reader.count(), columnCount <= 4096
        else { return nil }
        self.init(stamp: Int64(bitPattern: stamp), target: target == 0 ? .both : target == 1 ? .online : .offline)
        for _ in 0..<columnCount {
            guard let name = reader.text() else { return nil }
            columns.append(name)
        }
        guard let rowCount = reader.count(), rowCount <= Self.rowsMax else { return nil }
        rows.reserveCapacity(rowCount)
        for _ in 0..<rowCount {
            var row: [ScalarValue] = []
            row.reserveCapacity(columnCount)
            for _ in 0..<columnCount {
                guard let value = reader.value() else { return nil }
                row.append(value)
            }
            rows.append(row)
        }
        guard reader.position == bytes.count else { return nil }
    }

    private static func append(_ word: UInt64, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: word.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private static func append(count: Int, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: UInt32(clamping: count).littleEndian) { bytes.append(contentsOf: $0) }
    }

    private static func append(text: String, to bytes: inout [UInt8]) {
        append(count: text.utf8.count, to: &bytes)
        bytes.append(contentsOf: text.utf8)
    }

    private struct Reader {
        let bytes: [UInt8]
        var position = 0

        mutating func byte() -> UInt8? {
            guard position < bytes.count else { return nil }
            defer { position += 1 }
            return bytes[position]
        }

        mutating func word() -> UInt64? {
            guard bytes.count - position >= 8 else { return nil }
            defer { position += 8 }
            return bytes.withUnsafeBytes {
                UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            }
        }

        mutating func count() -> Int? {
            guard bytes.count - position >= 4 else { return nil }
            defer { position += 4 }
            return bytes.withUnsafeBytes {
                Int(UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
            }
        }

        mutating func text() -> String? {
            guard let length = count(), bytes.count - position >= length else { return nil }
            defer { position += length }
            return String(decoding: bytes[position..<position + length], as: UTF8.self)
        }

        mutating func value() -> ScalarValue? {
            switch byte() {
            case 0: .null
            case 1: word().map { .integer(Int64(bitPattern: $0)) }
            case 2: word().map { .double(Double(bitPattern: $0)) }
            case 3: text().map { .string($0) }
            case 4: .boolean(false)
            case 5: .boolean(true)
            case 6: word().map { .timestamp(Timestamp(microseconds: Int64(bitPattern: $0))) }
            default: nil
            }
        }
    }
}
