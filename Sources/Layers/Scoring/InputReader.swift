import Basics
import Columnar
import Datasets
import Foundation

/// Brings the rows of an input to hand, in an order that does not change: Parquet files as they are, and of all else a
/// copy in the run's folder.
struct InputReader: Sendable {
    let input: ScoringInput
    let engine: ColumnarEngine
    let folder: ScoringFolder
    let environment: [String: String]
    let time: any TimeSource
    let random: any RandomSource

    /// An input that was looked at.
    struct Found: Sendable {
        let columns: [TableColumn]
        let digest: Digest
        /// Parquet files that are read as they are; nil where a copy is made.
        fileprivate let files: [String]?
        /// The query that is copied, with these columns read as text.
        fileprivate let query: @Sendable (Set<String>) -> String
    }

    private static let copies = "copies"
    private static let snapshot = "rows.parquet"

    /// - Parameter keepsCopy: whether a copy that an earlier call made of a database's rows holds.
    func look(keepsCopy: Bool) async throws -> Found {
        switch input {
        case .files(let origin): return try await look(at: origin)
        case .query(let sql):
            return try await copied(keepsCopy: keepsCopy) { path in
                try await engine.writeParquet(query: sql, to: path, context: "the input's query")
            }
        case .database(let url, let query):
            let database = DatabaseRows(url: url, query: query, engine: engine)
            return try await copied(keepsCopy: keepsCopy) { try await database.copy(to: $0, folder: folder.path) }
        }
    }

    /// - Parameter texts: columns whose values are taken by the letter, where the files themselves have no types.
    func open(_ found: Found, texts: Set<String>) async throws -> PartitionedRows {
        if let files = found.files { return try await PartitionedRows.of(files, columns: found.columns, engine) }
        let query = found.query(texts)
        let name = "rows-\(Digest(of: found.digest.hex + query).short).parquet"
        let path = folder.inside(name)
        if !FileManager.default.fileExists(atPath: path) {
            try await engine.writeParquet(query: query, to: path, context: input.place)
        }
        let columns = try await TableColumn.of("SELECT * FROM \(Self.parquet([path]))", engine, context: input.place)
        return try await PartitionedRows.of([path], columns: columns, engine)
    }

    /// Removes copies once they are of no more use.
    func clear() {
        folder.remove(Self.copies)
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        where name.hasPrefix("rows") { folder.remove(name) }
    }

    private func look(at origin: FileOrigin) async throws -> Found {
        let copies = try folder.fresh(Self.copies)
        let files = try await FilesAtHand(
            of: origin, copies: copies, environment: environment, time: time, random: random
        ).files
        struct Named: Encodable {
            var name: String
            var digest: Digest
        }
        let digest = Digest(of: try JSON.canonical(files.map { Named(name: $0.name, digest: $0.digest) }))
        let paths = files.map(\.path)
        // Folders such as year=2013/ are columns too.
        let isHive = files.contains { $0.name.split(separator: "/").dropLast().contains { $0.contains("=") } }
        if origin.format == .parquet, !isHive {
            var schemas: [[TableColumn]] = []
            for path in paths {
                let query = "SELECT * FROM \(Self.parquet([path]))"
                schemas.append(try await TableColumn.of(query, engine, context: path))
            }
            if let first = schemas.first, schemas.allSatisfy({ $0 == first }) {
                return Found(columns: first, digest: digest, files: paths) { _ in "" }
            }
        }
        let list = Self.list(paths)
        let hive = "hive_partitioning = \(isHive)"
        let query: @Sendable (Set<String>) -> String = { texts in
            let types = texts.sorted().map { "\(SQLText.literal($0)): 'VARCHAR'" }.joined(separator: ", ")
            switch origin.format {
            case .parquet: return "SELECT * FROM read_parquet(\(list), union_by_name = true, \(hive))"
            case .json: return "SELECT * FROM read_json(\(list), sample_size = -1, union_by_name = true, \(hive))"
            case .csv:
                let told = types.isEmpty ? "" : "types = {\(types)}, "
                return """
                    SELECT * FROM read_csv(\(list), header = true, delim = \(SQLText.literal(origin.delimiter)), \
                    quote = '"', escape = '"', sample_size = -1, union_by_name = true, \(told)\(hive))
                    """
            }
        }
        let columns = try await TableColumn.of(query([]), engine, context: origin.path)
        return Found(columns: columns, digest: digest, files: nil, query: query)
    }

    /// Rows that may be others at the next look.
    private func copied(keepsCopy: Bool, _ copy: (String) async throws -> Void) async throws -> Found {
        let path = folder.inside(Self.snapshot)
        if !keepsCopy || !FileManager.default.fileExists(atPath: path) { try await copy(path) }
        let digest = try await BlockingThread(name: "scoring.digest").run { try FileDigests(path).sha256 }
        let columns = try await TableColumn.of("SELECT * FROM \(Self.parquet([path]))", engine, context: input.place)
        return Found(columns: columns, digest: digest, files: [path]) { _ in "" }
    }

    private static func list(_ paths: [String]) -> String {
        "[\(paths.map { SQLText.literal($0.readAsItStands) }.joined(separator: ", "))]"
    }

    private static func parquet(_ paths: [String]) -> String {
        "read_parquet(\(list(paths)), hive_partitioning = false)"
    }
}
