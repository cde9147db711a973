import Foundation

/// A type whose JSON is not that of its properties, and which tells what it is.
public protocol JSONSchemaDescribing: Decodable {
    /// Of JSON Schema 2020-12.
    static var jsonSchema: JSONValue { get }
    /// JSON that decodes to a value of the type.
    static var jsonExample: JSONValue { get }
}

/// Describes types in JSON Schema 2020-12 by what they decode, so that nobody writes it a second time.
///
/// A type is asked to decode itself from a decoder that only notes which members it wants. What decodes itself by hand from
/// members that exclude each other is described as any value, unless it is ``JSONSchemaDescribing``.
public struct JSONSchemas {
    /// The types that were described, by name, as they stand below `components/schemas`.
    public private(set) var components: [String: JSONValue] = [:]
    private var names: [ObjectIdentifier: String] = [:]

    public init() {}

    /// The schema of a type: a reference where it has members of its own, which then are among ``components``.
    public mutating func schema(of type: any Decodable.Type) -> JSONValue {
        if let type = type as? any JSONSchemaDescribing.Type { return type.jsonSchema }
        if let type = type as? any SchemaNested.Type { return type.schema(in: &self) }
        if let type = type as? any CaseIterable.Type, let cases = Self.cases(of: type) {
            return ["type": "string", "enum": .array(cases.map { .string($0) })]
        }
        if let simple = Self.simple[ObjectIdentifier(type)] { return simple }
        return reference(to: type)
    }

    private mutating func reference(to type: any Decodable.Type) -> JSONValue {
        let id = ObjectIdentifier(type)
        if let name = names[id] { return ["$ref": .string("#/components/schemas/\(name)")] }
        let notes = SchemaNotes()
        _ = try? type.init(from: SchemaDecoder(notes: notes))
        guard !notes.members.isEmpty || notes.isComplete else { return .object([:]) }
        let name = freeName(of: type)
        names[id] = name
        var members: [String: JSONValue] = [:]
        for (key, member) in notes.members { members[key] = schema(of: member.type) }
        let required = notes.members.filter { $0.value.isRequired }.keys.sorted()
        var described: [String: JSONValue] = ["type": "object", "properties": .object(members)]
        if !required.isEmpty { described["required"] = .array(required.map { .string($0) }) }
        components[name] = .object(described)
        return ["$ref": .string("#/components/schemas/\(name)")]
    }

    /// The type's name without its module, and with a number where another has the same.
    private func freeName(of type: any Decodable.Type) -> String {
        let parts = String(reflecting: type).split(separator: ".").dropFirst().filter { !$0.hasPrefix("(") }
        let name = parts.joined(separator: ".").filter { $0.isLetter || $0.isNumber || $0 == "." || $0 == "_" }
        var free = name
        var number = 2
        while names.values.contains(free) {
            free = "\(name)\(number)"
            number += 1
        }
        return free
    }

    private static func cases<Type: CaseIterable>(of type: Type.Type) -> [String]? {
        let texts = type.allCases.map { ($0 as? any RawRepresentable)?.rawValue as? String }
        let known = texts.compactMap(\.self)
        return known.isEmpty || known.count != texts.count ? nil : known
    }

    private static let whole: JSONValue = ["type": "integer"]
    private static let simple: [ObjectIdentifier: JSONValue] = [
        ObjectIdentifier(Bool.self): ["type": "boolean"], ObjectIdentifier(String.self): ["type": "string"],
        ObjectIdentifier(Double.self): ["type": "number"], ObjectIdentifier(Float.self): ["type": "number"],
        ObjectIdentifier(Int.self): whole, ObjectIdentifier(Int64.self): whole, ObjectIdentifier(Int32.self): whole,
        ObjectIdentifier(UInt.self): whole, ObjectIdentifier(UInt64.self): whole, ObjectIdentifier(UInt32.self): whole,
        ObjectIdentifier(UInt8.self): whole,
    ]
}

/// A container whose schema is made of another's.
private protocol SchemaNested {
    static func schema(in schemas: inout JSONSchemas) -> JSONValue
    static var blank: Any { get }
}

extension Optional: SchemaNested where Wrapped: Decodable {
    static func schema(in schemas: inout JSONSchemas) -> JSONValue { schemas.schema(of: Wrapped.self) }
    static var blank: Any { Self.none as Any }
}

extension Array: SchemaNested where Element: Decodable {
    static func schema(in schemas: inout JSONSchemas) -> JSONValue {
        ["type": "array", "items": schemas.schema(of: Element.self)]
    }
    static var blank: Any { Self() }
}

extension Set: SchemaNested where Element: Decodable {
    static func schema(in schemas: inout JSONSchemas) -> JSONValue {
        ["type": "array", "uniqueItems": true, "items": schemas.schema(of: Element.self)]
    }
    static var blank: Any { Self() }
}

extension Dictionary: SchemaNested where Key == String, Value: Decodable {
    static func schema(in schemas: inout JSONSchemas) -> JSONValue {
        ["type": "object", "additionalProperties": schemas.schema(of: Value.self)]
    }
    static var blank: Any { Self() }
}

extension JSONValue: JSONSchemaDescribing {
    public static var jsonSchema: JSONValue { .object([:]) }
    public static var jsonExample: JSONValue { .null }
}

extension Timestamp: JSONSchemaDescribing {
    public static var jsonSchema: JSONValue { ["type": "string", "format": "date-time"] }
    public static var jsonExample: JSONValue { "1970-01-01T00:00:00Z" }
}

extension Digest: JSONSchemaDescribing {
    public static var jsonSchema: JSONValue { ["type": "string", "pattern": "^sha256:[0-9a-f]{64}$"] }
    public static var jsonExample: JSONValue { .string("sha256:" + String(repeating: "0", count: 64)) }
}

// MARK: What a type asks for

/// What was asked of a decoder.
private final class SchemaNotes {
    var members: [String: (type: any Decodable.Type, isRequired: Bool)] = [:]
    /// Whether members were asked for at all.
    var isComplete = false

    func note(_ key: any CodingKey, _ type: any Decodable.Type, isRequired: Bool) {
        if members[key.stringValue] == nil { members[key.stringValue] = (type, isRequired) }
    }
}

private struct NoSuchValue: Error {}

private struct SchemaDecoder: Decoder {
    let notes: SchemaNotes
    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        notes.isComplete = true
        return KeyedDecodingContainer(Members<Key>(notes: notes))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer { throw NoSuchValue() }
    func singleValueContainer() throws -> any SingleValueDecodingContainer { throw NoSuchValue() }

    /// Some value of a type.
    static func blank<Value: Decodable>(_ type: Value.Type) throws -> Value {
        if let type = type as? any JSONSchemaDescribing.Type {
            return try JSON.decode(Value.self, from: JSON.canonical(type.jsonExample))
        }
        if let nested = type as? any SchemaNested.Type, let value = nested.blank as? Value { return value }
        if let cases = type as? any CaseIterable.Type, let value = first(of: cases) as? Value { return value }
        if let value = (false as? Value) ?? ("" as? Value) { return value }
        if type is any Numeric.Type { return try JSON.decode(Value.self, from: Array("0".utf8)) }
        return try Value(from: SchemaDecoder(notes: SchemaNotes()))
    }

    private static func first<Type: CaseIterable>(of type: Type.Type) -> Any? { type.allCases.first }

    private struct Members<Key: CodingKey>: KeyedDecodingContainerProtocol {
        let notes: SchemaNotes
        var codingPath: [any CodingKey] { [] }
        var allKeys: [Key] { [] }

        func contains(_ key: Key) -> Bool { true }

        func decodeNil(forKey key: Key) throws -> Bool { false }

        func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value {
            notes.note(key, type, isRequired: !(type is any SchemaOptional.Type))
            return try SchemaDecoder.blank(type)
        }

        func decodeIfPresent<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value? {
            notes.note(key, type, isRequired: false)
            return nil
        }

        // The compiler asks for the simple types by these, whose default decodes them with `decode`.
        func decodeIfPresent(_ type: Bool.Type, forKey key: Key) throws -> Bool? { noted(type, key) }
        func decodeIfPresent(_ type: String.Type, forKey key: Key) throws -> String? { noted(type, key) }
        func decodeIfPresent(_ type: Double.Type, forKey key: Key) throws -> Double? { noted(type, key) }
        func decodeIfPresent(_ type: Float.Type, forKey key: Key) throws -> Float? { noted(type, key) }
        func decodeIfPresent(_ type: Int.Type, forKey key: Key) throws -> Int? { noted(type, key) }
        func decodeIfPresent(_ type: Int8.Type, forKey key: Key) throws -> Int8? { noted(type, key) }
        func decodeIfPresent(_ type: Int16.Type, forKey key: Key) throws -> Int16? { noted(type, key) }
        func decodeIfPresent(_ type: Int32.Type, forKey key: Key) throws -> Int32? { noted(type, key) }
        func decodeIfPresent(_ type: Int64.Type, forKey key: Key) throws -> Int64? { noted(type, key) }
        func decodeIfPresent(_ type: UInt.Type, forKey key: Key) throws -> UInt? { noted(type, key) }
        func decodeIfPresent(_ type: UInt8.Type, forKey key: Key) throws -> UInt8? { noted(type, key) }
        func decodeIfPresent(_ type: UInt16.Type, forKey key: Key) throws -> UInt16? { noted(type, key) }
        func decodeIfPresent(_ type: UInt32.Type, forKey key: Key) throws -> UInt32? { noted(type, key) }
        func decodeIfPresent(_ type: UInt64.Type, forKey key: Key) throws -> UInt64? { noted(type, key) }

        private func noted<Value: Decodable>(_ type: Value.Type, _ key: Key) -> Value? {
            notes.note(key, type, isRequired: false)
            return nil
        }

        func nestedContainer<Nested: CodingKey>(
            keyedBy type: Nested.Type, forKey key: Key
        ) throws -> KeyedDecodingContainer<Nested> { throw NoSuchValue() }

        func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer { throw NoSuchValue() }
        func superDecoder() throws -> any Decoder { throw NoSuchValue() }
        func superDecoder(forKey key: Key) throws -> any Decoder { throw NoSuchValue() }
    }
}

private protocol SchemaOptional {}
extension Optional: SchemaOptional {}
