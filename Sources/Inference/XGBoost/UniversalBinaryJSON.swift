import Basics

/// Documents in Universal Binary JSON, draft 12, as XGBoost writes them: https://ubjson.org.
///
/// Strict, so that what is read here is what the library will read: a name that stands twice is refused.
struct UniversalBinaryJSON {
    private static let depthMax = 32

    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    /// - Throws: ``InferenceError`` where the bytes are no such document.
    static func value(_ bytes: UnsafeRawBufferPointer) throws -> JSONValue {
        var reader = UniversalBinaryJSON(bytes: bytes)
        let value = try reader.value(try reader.byte(), depth: 0)
        guard reader.position == bytes.count else { throw broken("bytes follow the document") }
        return value
    }

    private init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private mutating func value(_ marker: UInt8, depth: Int) throws -> JSONValue {
        guard depth < Self.depthMax else { throw Self.broken("it nests deeper than \(Self.depthMax) levels") }
        switch Character(UnicodeScalar(marker)) {
        case "{": return try object(depth)
        case "[": return try array(depth)
        case "S": return .string(try text())
        case "T": return .bool(true)
        case "F": return .bool(false)
        case "Z", "N": return .null
        default:
            guard let number = try number(marker) else {
                throw Self.broken("a value has the unknown marker \(marker) before byte \(position)")
            }
            return number
        }
    }

    private mutating func number(_ marker: UInt8) throws -> JSONValue? {
        switch Character(UnicodeScalar(marker)) {
        case "i": .integer(Int64(Int8(bitPattern: try byte())))
        case "U", "C": .integer(Int64(try byte()))
        case "I": .integer(Int64(Int16(bitPattern: try fixed(UInt16.self))))
        case "l": .integer(Int64(Int32(bitPattern: try fixed(UInt32.self))))
        case "L": .integer(Int64(bitPattern: try fixed(UInt64.self)))
        case "d": .number(Double(Float(bitPattern: try fixed(UInt32.self))))
        case "D": .number(Double(bitPattern: try fixed(UInt64.self)))
        default: nil
        }
    }

    private mutating func object(_ depth: Int) throws -> JSONValue {
        var members: [String: JSONValue] = [:]
        while true {
            guard let next = peek() else { throw Self.broken("it ends within an object") }
            if next == UInt8(ascii: "}") {
                position += 1
                return .object(members)
            }
            let key = try text()
            let value = try value(try byte(), depth: depth + 1)
            guard members.updateValue(value, forKey: key) == nil else {
                throw Self.broken("the name '\(key.prefix(40))' stands twice")
            }
        }
    }

    private mutating func array(_ depth: Int) throws -> JSONValue {
        var type: UInt8?
        if peek() == UInt8(ascii: "$") {
            position += 1
            type = try byte()
        }
        var items: [JSONValue] = []
        if peek() == UInt8(ascii: "#") {
            position += 1
            let count = try length()
            items.reserveCapacity(count)
            for _ in 0..<count {
                if let type {
                    guard let item = try number(type) else { throw Self.broken("an array has elements of no size") }
                    items.append(item)
                } else {
                    items.append(try value(try byte(), depth: depth + 1))
                }
            }
            return .array(items)
        }
        guard type == nil else { throw Self.broken("an array has a type and no count") }
        while let next = peek(), next != UInt8(ascii: "]") {
            position += 1
            items.append(try value(next, depth: depth + 1))
        }
        _ = try byte()
        return .array(items)
    }

    private mutating func text() throws -> String {
        let count = try length()
        defer { position += count }
        guard let text = String(validating: bytes[position..<position + count], as: UTF8.self) else {
            throw Self.broken("a text is no UTF-8")
        }
        return text
    }

    /// A count of things of at least one byte each, so never more than are left.
    private mutating func length() throws -> Int {
        guard case .integer(let value)? = try number(try byte()), let count = Int(exactly: value), count >= 0,
            count <= bytes.count - position
        else { throw Self.broken("a length reaches past the end before byte \(position)") }
        return count
    }

    private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func byte() throws -> UInt8 { try fixed(UInt8.self) }

    /// A number, the most significant byte first.
    private mutating func fixed<Number: FixedWidthInteger>(_ type: Number.Type) throws -> Number {
        let size = MemoryLayout<Number>.size
        guard bytes.count - position >= size else { throw Self.broken("it ends within a number") }
        defer { position += size }
        return Number(bigEndian: bytes.loadUnaligned(fromByteOffset: position, as: type))
    }

    private static func broken(_ message: String) -> InferenceError { .modelFile("XGBoost", message) }
}
