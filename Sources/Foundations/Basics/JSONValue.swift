import Foundation

/// Any JSON document, for bodies whose shape is not ours to fix. Integers stay integers.
public enum JSONValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([String: JSONValue])

    public subscript(key: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members[key]
    }

    public var string: String? {
        guard case .string(let value) = self else { return nil }
        return value
    }

    /// The number as a double, for integers too.
    public var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    public var integer: Int64? {
        guard case .integer(let value) = self else { return nil }
        return value
    }

    public var bool: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    public var array: [JSONValue]? {
        guard case .array(let value) = self else { return nil }
        return value
    }

    public var object: [String: JSONValue]? {
        guard case .object(let value) = self else { return nil }
        return value
    }
}

extension JSONValue: Codable {
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    public init(stringLiteral value: String) { self = .string(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(nilLiteral: ()) { self = .null }
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self = .object(Dictionary(elements) { _, last in last })
    }
}

/// One way to write and read JSON everywhere outside the hot path.
public enum JSON {
    /// Canonical form: keys sorted, no blanks, slashes as they are. Equal values give equal bytes, so it can be hashed.
    public static func canonical(_ value: some Encodable) throws -> [UInt8] { try encoded(value) }

    private static func encoded(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return [UInt8](try encoder.encode(value))
    }

    /// The same for a document, without the detour of an encoder where it holds only what is written in one way.
    public static func canonical(_ document: JSONValue) throws -> [UInt8] {
        var bytes: [UInt8] = []
        if append(document, to: &bytes) { return bytes }
        return try encoded(document)
    }

    /// For people: indented, keys sorted.
    public static func pretty(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    public static func string(_ value: some Encodable) throws -> String {
        String(decoding: try canonical(value), as: UTF8.self)
    }

    /// The canonical form of a document as text.
    public static func string(_ document: JSONValue) throws -> String {
        String(decoding: try canonical(document), as: UTF8.self)
    }

    /// Appends a document in canonical form.
    /// - Returns: false where a number, an escape or the order of keys is better left to the encoder.
    private static func append(_ document: JSONValue, to bytes: inout [UInt8]) -> Bool {
        switch document {
        case .null: bytes += "null".utf8
        case .bool(let truth): bytes += (truth ? "true" : "false").utf8
        case .integer(let number): bytes += String(number).utf8
        case .number: return false
        case .string(let text): return append(text, to: &bytes)
        case .array(let items):
            bytes.append(UInt8(ascii: "["))
            for (index, item) in items.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                guard append(item, to: &bytes) else { return false }
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                guard member.key.utf8.allSatisfy({ $0 < 128 }), append(member.key, to: &bytes) else { return false }
                bytes.append(UInt8(ascii: ":"))
                guard append(member.value, to: &bytes) else { return false }
            }
            bytes.append(UInt8(ascii: "}"))
        }
        return true
    }

    private static func append(_ text: String, to bytes: inout [UInt8]) -> Bool {
        guard text.utf8.allSatisfy({ $0 >= 32 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) else {
            return false
        }
        bytes.append(UInt8(ascii: "\""))
        bytes += text.utf8
        bytes.append(UInt8(ascii: "\""))
        return true
    }

    public static func decode<Value: Decodable>(_ type: Value.Type, from bytes: some Sequence<UInt8>) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw JSONFailure(error)
        }
    }

    public static func decode<Value: Decodable>(_ type: Value.Type, from text: String) throws -> Value {
        try decode(type, from: text.utf8)
    }

    /// Any value as a document, by way of its own encoding.
    public static func value(_ value: some Encodable) throws -> JSONValue {
        try decode(JSONValue.self, from: try canonical(value))
    }
}

/// JSON that is malformed or not of the shape asked for.
public struct JSONFailure: Failure {
    public let code = FailureCode.invalidArgument
    public let message: String

    init(_ error: DecodingError) {
        func path(_ context: DecodingError.Context) -> String {
            let keys = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? ".\($0.stringValue)" }.joined()
            return keys.isEmpty ? "the document" : "'\(keys.drop { $0 == "." })'"
        }
        switch error {
        case .keyNotFound(let key, let context):
            message = "the JSON lacks '\(key.stringValue)' in \(path(context))"
        case .typeMismatch(let type, let context):
            message = "the JSON has another type than \(type) at \(path(context))"
        case .valueNotFound(let type, let context):
            message = "the JSON has null where \(type) is needed at \(path(context))"
        case .dataCorrupted(let context):
            message = "the JSON is malformed at \(path(context)): \(context.debugDescription)"
        @unknown default:
            message = "the JSON can not be read: \(error)"
        }
    }
}
