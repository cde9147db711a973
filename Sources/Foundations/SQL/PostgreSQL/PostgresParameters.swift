import Basics
import CPostgreSQL

/// Parameters in the form in which libpq sends them: text, but for bytes.
struct PostgresParameters {
    /// The types of the parameters, one character each: prepared statements differ by them.
    private(set) var signature = ""
    private var buffer: [UInt8] = []
    private var ranges: [Range<Int>?] = []
    private(set) var types: [Oid] = []
    private var formats: [Int32] = []

    static let none = PostgresParameters()

    private init() {}

    /// - Throws: `SQLFailure.parameter` for what can not be sent.
    init(_ values: [SQLValue], sql: String) throws {
        guard values.count <= 65_535 else {
            throw SQLFailure.statement(sql: sql, reason: "it takes more than 65535 parameters")
        }
        for (offset, value) in values.enumerated() {
            try value.check(index: offset + 1, sql: sql)
            switch value {
            case .null: add(nil, type: 0, "n")
            case .integer(let number): add(Array(String(number).utf8), type: 20, "i")
            // Its type is left to the server, which then refuses a fraction in a column of integers.
            case .double(let number): add(Array(PostgresParameters.text(number).utf8), type: 0, "n")
            case .text(let text): add(Array(text.utf8), type: 25, "t")
            case .blob(let bytes): add(bytes, type: 17, "b")
            }
            if let range = ranges.last ?? nil, range.count > 1 << 30 {
                throw SQLFailure.parameter(index: offset + 1, sql: sql, reason: "is too large to store")
            }
        }
    }

    /// How many bytes they take.
    var size: Int { buffer.count }

    /// Hands over libpq's arguments: count, types, values, lengths, formats.
    func withArguments<Result>(
        _ body: (
            Int32, [Oid], [UnsafePointer<CChar>?], [Int32], [Int32]
        ) -> Result
    ) -> Result {
        buffer.withUnsafeBytes { bytes in
            let values = ranges.map { range -> UnsafePointer<CChar>? in
                guard let range, let base = bytes.baseAddress else { return nil }
                return (base + range.lowerBound).assumingMemoryBound(to: CChar.self)
            }
            let lengths = ranges.map { Int32(clamping: $0?.count ?? 0) }
            return body(Int32(clamping: ranges.count), types, values, lengths, formats)
        }
    }

    private mutating func add(_ bytes: [UInt8]?, type: Oid, _ mark: String) {
        signature += mark
        types.append(type)
        formats.append(type == 17 ? 1 : 0)
        guard let bytes else {
            ranges.append(nil)
            return
        }
        ranges.append(buffer.count..<buffer.count + bytes.count)
        buffer += bytes
        buffer.append(0)
    }

    /// The shortest text that reads back as the same number.
    private static func text(_ number: Double) -> String {
        if number.isInfinite { return number < 0 ? "-Infinity" : "Infinity" }
        return "\(number.withoutNegativeZero)"
    }
}
