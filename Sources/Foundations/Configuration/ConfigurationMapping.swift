import Basics

/// A mapping whose values are read by key and type; every error tells file, line and column.
public struct ConfigurationMapping: Sendable {
    public let place: SourcePlace
    public let entries: [YAMLNode.Entry]

    /// The value of a key, or nil where it is absent or null.
    public func node(_ key: String) -> YAMLNode? {
        entries.first { $0.key == key }.map(\.value).flatMap { $0.isNull ? nil : $0 }
    }

    /// The value of a key that must be there.
    public func required(_ key: String) throws -> YAMLNode {
        guard let node = node(key) else { throw ConfigurationFailure(place, "the key '\(key)' is missing") }
        return node
    }

    public func string(_ key: String) throws -> String { try required(key).string() }

    public func optionalString(_ key: String) throws -> String? { try node(key)?.string() }

    public func int(_ key: String, default value: Int? = nil) throws -> Int {
        try read(key, default: value, "a whole number") { Int($0) }
    }

    public func double(_ key: String, default value: Double? = nil) throws -> Double {
        try read(key, default: value, "a number") { Double($0).flatMap { $0.isFinite ? $0 : nil } }
    }

    public func optionalDouble(_ key: String) throws -> Double? { node(key) == nil ? nil : try double(key) }

    public func optionalInt(_ key: String) throws -> Int? { node(key) == nil ? nil : try int(key) }

    public func bool(_ key: String, default value: Bool? = nil) throws -> Bool {
        try read(key, default: value, "true or false") { ["true": true, "false": false][$0] }
    }

    /// A length of time such as `90s`, `15m`, `2h`, `7d` or `1w`, in seconds; at most a century.
    public func seconds(_ key: String, default value: Int64? = nil) throws -> Int64 {
        try read(
            key, default: value, "a length of time such as 90s, 15m, 2h, 7d or 1w, at most 36525d", Self.seconds(of:))
    }

    public func optionalSeconds(_ key: String) throws -> Int64? { node(key) == nil ? nil : try seconds(key) }

    /// A number of bytes such as `512MiB` or `2GiB`; at most an exbibyte.
    public func bytes(_ key: String, default value: Int64? = nil) throws -> Int64 {
        try read(key, default: value, "a size such as 64KiB, 512MiB or 2GiB", Self.bytes(of:))
    }

    /// A share such as `5%` or `0.05`, from 0 to 1.
    public func share(_ key: String, default value: Double? = nil) throws -> Double {
        try read(key, default: value, "a share such as 5% or 0.05", Self.share(of:))
    }

    /// A moment such as `2013-04-01` or `2013-04-01T12:00:00Z`.
    public func timestamp(_ key: String) throws -> Timestamp {
        try read(key, default: nil, "a time such as 2013-04-01 or 2013-04-01T12:00:00Z") { Timestamp($0) }
    }

    /// A list of single values; a single value by itself counts as a list of one.
    public func strings(_ key: String, default value: [String]? = nil) throws -> [String] {
        guard let node = node(key) else {
            guard let value else { throw ConfigurationFailure(place, "the key '\(key)' is missing") }
            return value
        }
        if case .scalar = node.content { return [try node.string()] }
        return try node.sequence().map { try $0.string() }
    }

    /// The items of a list; an absent key is an empty list.
    public func list(_ key: String) throws -> [YAMLNode] { try node(key)?.sequence() ?? [] }

    /// One of the cases of an enumeration.
    public func choice<Value: RawRepresentable & CaseIterable>(_ key: String, default value: Value? = nil) throws
        -> Value
    where Value.RawValue == String {
        let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
        return try read(key, default: value, "one of \(names)") { Value(rawValue: $0) }
    }

    private func read<Value>(
        _ key: String, default value: Value?, _ wanted: String, _ convert: (String) -> Value?
    ) throws -> Value {
        guard let node = node(key) else {
            guard let value else { throw ConfigurationFailure(place, "the key '\(key)' is missing") }
            return value
        }
        let text = try node.string()
        guard let converted = convert(text) else {
            throw ConfigurationFailure(node.place, "'\(key)' must be \(wanted), and is '\(text)'")
        }
        return converted
    }

    /// A century: its microseconds fit wherever times are counted in them.
    private static let secondsMax: Int64 = 36_525 * 86_400

    /// A length of time such as `90s`, `15m`, `2h`, `7d` or `1w` in seconds, at most a century; nil for other texts.
    public static func seconds(of text: String) -> Int64? {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]
        guard let unit = text.last.flatMap({ units[$0] }), let count = Int64(text.dropLast()), count >= 0 else {
            return nil
        }
        let (seconds, wide) = count.multipliedReportingOverflow(by: unit)
        return wide || seconds > secondsMax ? nil : seconds
    }

    /// The bytes of a text such as `64KiB`, `512MiB` or `2GiB`, at most an exbibyte; nil where it is none.
    public static func bytes(of text: String) -> Int64? {
        let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("B", 0)]
        guard let (unit, shift) = units.first(where: { text.hasSuffix($0.0) }),
            let count = Int64(text.dropLast(unit.count)), count >= 0
        else { return nil }
        let (bytes, wide) = count.multipliedReportingOverflow(by: 1 << shift)
        return wide || bytes > 1 << 60 ? nil : bytes
    }

    /// A share such as `5%` or `0.05`, from 0 to 1; nil for other texts.
    public static func share(of text: String) -> Double? {
        let value = text.hasSuffix("%") ? Double(text.dropLast()).map { $0 / 100 } : Double(text)
        return value.flatMap { (0...1).contains($0) ? $0 : nil }
    }
}
