import Basics

/// One immutable state of a table: what passed its expectations, named by its content.
public struct DatasetVersion: Sendable, Codable, Equatable {
    public var table: String
    /// 1, 2, 3, … within the table.
    public var number: Int64
    /// The digest of the Parquet file that holds its rows.
    public var digest: Digest
    public var rows: Int64
    public var schema: [TableDefinition.ColumnDefinition]
    /// The columns that tell its rows apart, where the definition names them.
    public var key: [String]
    /// The times it spans; nil where it has none.
    public var range: TimeRange?
    /// The digest of the Parquet file that holds the rows left out with their reasons, where there are any.
    public var quarantine: Digest?
    public var quarantined: Int64
    public var results: [ExpectationResult]
    /// The digest of the file it was read from, or of the list of what it was read from.
    public var source: Digest
    public var definition: Digest
    public var lineage: Lineage
    public var created: Timestamp

    /// The least and greatest value of a column of times.
    public struct TimeRange: Sendable, Codable, Equatable {
        public var column: String
        public var from: Timestamp
        public var to: Timestamp
    }

    /// What a version was made from.
    public struct Lineage: Sendable, Codable, Equatable {
        /// `files`, `s3`, `postgresql`, `delta` or `iceberg`.
        public var kind: String
        /// The path, address or query, without any secret.
        public var place: String
        /// The version of a Delta table or the snapshot of an Iceberg table.
        public var tableVersion: Int64?
        /// What the `.dvc` file beside it says, where there is one: the MD5, of a folder with `.dir` after it.
        public var dvc: String?
        /// How many files there were.
        public var fileCount: Int
        /// The first ``filesMax`` of them.
        public var files: [SourceFile]
        /// The version before.
        public var parent: Digest?

        /// How many files a version names one by one.
        public static let filesMax = 1000

        init(
            kind: String, place: String, tableVersion: Int64? = nil, dvc: String? = nil, files: [SourceFile] = [],
            parent: Digest? = nil
        ) {
            self.kind = kind
            self.place = place
            self.tableVersion = tableVersion
            self.dvc = dvc
            fileCount = files.count
            self.files = Array(files.prefix(Self.filesMax))
            self.parent = parent
        }
    }

    /// A file that rows were read from.
    public struct SourceFile: Sendable, Codable, Equatable {
        /// Relative to the factory's data folder where it lies below it.
        public var path: String
        public var bytes: Int64
        /// Of its content, where it was read from this machine.
        public var digest: Digest?
        /// What the object store says of its content.
        public var tag: String?
    }
}

extension DatasetVersion {
    private enum CodingKeys: String, CodingKey {
        case table, number, digest, rows, schema, key, range, quarantine, quarantined, results, source, definition
        case lineage, created
    }

    /// Reads a record; one of an earlier release lacks schema, lineage and number.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        table = try values.decode(String.self, forKey: .table)
        number = try values.decodeIfPresent(Int64.self, forKey: .number) ?? 0
        digest = try values.decode(Digest.self, forKey: .digest)
        rows = try values.decode(Int64.self, forKey: .rows)
        schema = try values.decodeIfPresent([TableDefinition.ColumnDefinition].self, forKey: .schema) ?? []
        key = try values.decodeIfPresent([String].self, forKey: .key) ?? []
        range = try values.decodeIfPresent(TimeRange.self, forKey: .range)
        quarantine = try values.decodeIfPresent(Digest.self, forKey: .quarantine)
        quarantined = try values.decode(Int64.self, forKey: .quarantined)
        results = try values.decode([ExpectationResult].self, forKey: .results)
        source = try values.decode(Digest.self, forKey: .source)
        definition = try values.decode(Digest.self, forKey: .definition)
        lineage =
            try values.decodeIfPresent(Lineage.self, forKey: .lineage) ?? Lineage(kind: "files", place: "")
        created = try values.decode(Timestamp.self, forKey: .created)
    }
}

/// Names one version of a table: `flights`, `flights@3`, `flights@563db8f1` or `flights@sha256:563d…`.
public struct DatasetReference: Sendable, Equatable, CustomStringConvertible {
    public var table: String
    public var selector: Selector

    public enum Selector: Sendable, Equatable {
        case latest
        case number(Int64)
        /// The first digits of the digest, at least 6.
        case digest(String)
    }

    /// - Throws: ``DatasetsFailure/badReference(_:)``.
    public init(_ text: String) throws {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        guard let table = parts.first, !table.isEmpty else { throw DatasetsFailure.badReference(text) }
        self.table = String(table)
        guard parts.count == 2, let version = parts.last else {
            selector = .latest
            return
        }
        selector = try Selector(version, in: text)
    }

    /// - Parameter version: what stands after the `@`; nil for the newest.
    public init(table: String, version: String?) throws {
        self.table = table
        selector = try version.map { try Selector($0[...], in: "\(table)@\($0)") } ?? .latest
    }

    public var description: String {
        switch selector {
        case .latest: table
        case .number(let number): "\(table)@\(number)"
        case .digest(let digits): "\(table)@\(digits)"
        }
    }
}

extension DatasetReference.Selector {
    fileprivate init(_ text: Substring, in whole: String) throws {
        let digits = text.hasPrefix("sha256:") ? text.dropFirst(7) : text
        let isHex = digits.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
        if text == "latest" {
            self = .latest
        } else if digits.utf8.count < 6, let number = Int64(digits), number > 0 {
            self = .number(number)
        } else if isHex, (6...64).contains(digits.utf8.count) {
            self = .digest(String(digits))
        } else {
            throw DatasetsFailure.badReference(whole)
        }
    }
}
