import Basics
import Configuration

extension TableDefinition {
    public init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: [
            "kind", "name", "owner", "description", "format", "path", "delimiter", "from", "nulls", "sha256", "columns",
            "key", "time", "may_be_empty", "expectations",
        ])
        name = try map.string("name")
        owner = try map.string("owner")
        description = try map.optionalString("description") ?? ""
        origin = try TableOrigin(map)
        nulls = try map.strings("nulls", default: [])
        if let text = try map.optionalString("sha256") {
            guard let digest = Digest(text) else {
                throw ConfigurationFailure(try map.required("sha256").place, "'sha256' must be 64 hexadecimal digits")
            }
            sha256 = digest
        }
        columns = try Self.columns(try map.required("columns"))
        key = try map.strings("key", default: [])
        for name in key where !columns.contains(where: { $0.name == name }) {
            throw ConfigurationFailure(try map.required("key").place, "there is no column '\(name)'")
        }
        time = try map.optionalString("time")
        if let time, columns.first(where: { $0.name == time })?.type != .timestamp {
            throw ConfigurationFailure(try map.required("time").place, "'time' names no timestamp among the columns")
        }
        mayBeEmpty = try map.bool("may_be_empty", default: false)
        let known = columns
        expectations = try map.list("expectations").map { try Expectation($0, columns: known) }
        let names = expectations.map(\.name)
        if let repeated = names.first(where: { name in names.count { $0 == name } > 1 }) {
            throw ConfigurationFailure(
                try map.required("expectations").place, "two expectations are called '\(repeated)'",
                remedy: "Give each a name of its own.")
        }
    }

    /// Columns in the order they are written, each `name: type`.
    static func columns(_ node: YAMLNode) throws -> [ColumnDefinition] {
        try node.mapping().entries.map { entry in
            guard let type = ScalarType(rawValue: try entry.value.string()) else {
                throw ConfigurationFailure(
                    entry.value.place,
                    "the type of '\(entry.key)' must be one of "
                        + ScalarType.allCases.map(\.rawValue).joined(separator: ", "))
            }
            return ColumnDefinition(name: entry.key, type: type)
        }
    }
}
