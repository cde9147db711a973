import Basics
import Columnar
import ObjectStorage

/// The rows that a dataset version leaves out, and why.
public struct QuarantinedRows: Sendable, Codable, Equatable {
    public var table: String
    /// The version they were left out of.
    public var version: Digest
    /// How many there are in all.
    public var quarantined: Int64
    /// How many rows each expectation left out; a row may be in several. Most first.
    public var reasons: [Reason]
    /// The first rows, in the order of the file.
    public var rows: [Row]

    public struct Reason: Sendable, Codable, Equatable {
        public var expectation: String
        public var rows: Int64
    }

    public struct Row: Sendable, Codable, Equatable {
        /// The position in the file, counted from 0.
        public var position: Int64
        public var reasons: [String]
        public var values: JSONValue
    }
}

extension DatasetStore {
    /// The quarantine of the newest version of a table.
    ///
    /// - Parameters:
    ///   - digest: the beginning of the digest of another version; nil for the newest.
    ///   - reason: rows that this expectation left out, alone; nil for all.
    ///   - limit: how many rows at most, 0 to 10,000.
    /// - Throws: ``DatasetsFailure/notIngested(table:)``, ``DatasetsFailure/unknown(kind:name:known:)``.
    public func quarantine(
        of table: String, version digest: String? = nil, reason: String? = nil, limit: Int = 20
    ) async throws -> QuarantinedRows {
        let versions = try await versions(of: table)
        guard let newest = versions.first else { throw DatasetsFailure.notIngested(table: table) }
        guard let version = digest.map({ text in versions.first { $0.digest.description.hasPrefix(text) } }) ?? newest
        else {
            throw DatasetsFailure.unknown(
                kind: "dataset version", name: "\(table)@\(digest ?? "")",
                known: versions.prefix(5).map { "\(table)@\($0.digest.short)" })
        }
        guard let aside = version.quarantine else {
            return QuarantinedRows(table: table, version: version.digest, quarantined: 0, reasons: [], rows: [])
        }
        let file = "read_parquet(\(SQLText.literal(try await objects.localPath(aside))))"
        let context = "the quarantine of \(table)"
        let counts = try await engine.query(
            """
            SELECT reason, count(*) AS rows FROM (SELECT unnest(string_split(reasons, ', ')) AS reason FROM \(file))
            GROUP BY reason ORDER BY rows DESC, reason
            """, context: context)
        let columns = try await engine.query(
            "SELECT column_name AS name FROM (DESCRIBE SELECT * FROM \(file))", context: context
        ).strings("name").compactMap { $0 }.filter { $0 != "__row" && $0 != "reasons" }
        let members = columns.map { "\(SQLText.literal($0)): \(SQLText.identifier($0))" }.joined(separator: ", ")
        let only = reason.map { " WHERE list_contains(string_split(reasons, ', '), \(SQLText.literal($0)))" } ?? ""
        let rows = try await engine.query(
            """
            SELECT __row, reasons, CAST(to_json({\(members)}) AS VARCHAR) AS document FROM \(file)\(only)
            ORDER BY __row LIMIT \(min(max(0, limit), 10_000))
            """, context: context)
        let positions = try rows.integers("__row")
        let texts = zip(try rows.strings("reasons"), try rows.strings("document"))
        return QuarantinedRows(
            table: table, version: version.digest, quarantined: version.quarantined,
            reasons: zip(try counts.strings("reason"), try counts.integers("rows")).map {
                QuarantinedRows.Reason(expectation: $0 ?? "", rows: $1 ?? 0)
            },
            rows: zip(positions, texts).map { position, pair in
                let (reasons, document) = pair
                return QuarantinedRows.Row(
                    position: (position ?? 1) - 1,
                    reasons: reasons?.split(separator: ", ").map(String.init) ?? [],
                    values: (try? JSON.decode(JSONValue.self, from: document ?? "null"))
                        ?? .string(document ?? ""))
            })
    }
}
