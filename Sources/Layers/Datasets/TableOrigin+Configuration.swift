import Basics
import Configuration
import Foundation

extension TableOrigin {
    /// Reads `path`, `format` and `delimiter`, or what stands under `from`.
    init(_ map: ConfigurationMapping) throws {
        guard let from = map.node("from") else {
            self = .files(try FileOrigin(map))
            return
        }
        for key in ["path", "format", "delimiter", "nulls", "sha256"] {
            if let node = map.node(key) {
                throw ConfigurationFailure(node.place, "'\(key)' is for files, and this table says 'from'")
            }
        }
        let source = try from.mapping(allowing: [
            "postgresql", "url_env", "table", "query", "delta", "iceberg", "version", "snapshot", "as_of",
        ])
        let kinds = ["postgresql", "url_env", "delta", "iceberg"].filter { source.node($0) != nil }
        guard kinds.count == 1, let kind = kinds.first else {
            throw ConfigurationFailure(
                from.place, "'from' has exactly one of postgresql, url_env, delta and iceberg")
        }
        func only(_ allowed: Set<String>) throws {
            if let extra = source.entries.first(where: { $0.key != kind && !allowed.contains($0.key) }) {
                throw ConfigurationFailure(extra.value.place, "'\(extra.key)' has no meaning beside '\(kind)'")
            }
        }
        switch kind {
        case "delta":
            try only(["version", "as_of"])
            self = .delta(try LakeOrigin(source, kind, version: "version"))
        case "iceberg":
            try only(["snapshot", "as_of"])
            self = .iceberg(try LakeOrigin(source, kind, version: "snapshot"))
        default:
            try only(["table", "query"])
            self = .postgresql(try PostgresOrigin(source, from))
        }
    }
}

extension FileOrigin {
    fileprivate init(_ map: ConfigurationMapping) throws {
        path = try map.string("path")
        let plain = path.split(separator: "?").first.map { $0.lowercased() } ?? ""
        format = try map.choice("format", default: TableDefinition.FileFormat.of(plain) ?? .csv)
        delimiter =
            try map.optionalString("delimiter") ?? (plain.hasSuffix(".tsv") || plain.hasSuffix(".tsv.gz") ? "\t" : ",")
        guard delimiter.utf8.count == 1 else {
            throw ConfigurationFailure(try map.required("delimiter").place, "'delimiter' must be one ASCII character")
        }
    }
}

extension PostgresOrigin {
    fileprivate init(_ map: ConfigurationMapping, _ from: YAMLNode) throws {
        if let variable = try map.optionalString("url_env") {
            address = .variable(variable)
        } else {
            let text = try map.string("postgresql")
            guard let parts = URLComponents(string: text), ["postgresql", "postgres"].contains(parts.scheme ?? "")
            else {
                throw ConfigurationFailure(
                    try map.required("postgresql").place,
                    "'postgresql' must be an address such as postgresql://user@host/database")
            }
            let holdsPassword =
                parts.password?.isEmpty == false || parts.queryItems?.contains { $0.name == "password" } == true
            guard !holdsPassword else {
                throw ConfigurationFailure(
                    try map.required("postgresql").place, "a definition must not hold a password",
                    remedy: "Write ?password_env=NAME or ?password_file=PATH in the address, or use 'url_env'.")
            }
            address = .url(text)
        }
        switch (try map.optionalString("table"), try map.optionalString("query")) {
        case (let table?, nil): rows = .table(table)
        case (nil, let query?): rows = .query(query)
        default: throw ConfigurationFailure(from.place, "PostgreSQL needs either 'table' or 'query'")
        }
    }
}

extension LakeOrigin {
    fileprivate init(_ map: ConfigurationMapping, _ kind: String, version: String) throws {
        path = try map.string(kind)
        switch (map.node(version), map.node("as_of")) {
        case (nil, nil): moment = .latest
        case (let node?, nil):
            guard let number = Int64(try node.string()), number >= 0 else {
                throw ConfigurationFailure(node.place, "'\(version)' must be a whole number")
            }
            moment = .version(number)
        case (nil, _?): moment = .time(try map.timestamp("as_of"))
        case (let node?, _?):
            throw ConfigurationFailure(node.place, "a table is read as of either '\(version)' or 'as_of'")
        }
    }
}

extension TableDefinition.FileFormat {
    /// The endings of files of this format; compressed ones end in `.gz` or `.zst` after it.
    var endings: [String] {
        switch self {
        case .csv: [".csv", ".tsv", ".txt"]
        case .parquet: [".parquet", ".pq"]
        case .json: [".json", ".jsonl", ".ndjson"]
        }
    }

    /// Whether a file's name says that it is of this format.
    func names(_ file: String) -> Bool {
        var name = file.lowercased()
        for packing in [".gz", ".zst"] where self != .parquet && name.hasSuffix(packing) {
            name.removeLast(packing.count)
        }
        return endings.contains { name.hasSuffix($0) }
    }

    /// The format that a file's name tells.
    public static func of(_ file: String) -> Self? { allCases.first { $0.names(file) } }
}
