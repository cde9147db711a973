import Basics
import Columnar
import Foundation
import Journal
import ObjectStorage
import SQL

/// Reads raw tables, checks them, and keeps what passed as dataset versions.
///
/// Guarantees: a version is readable only when all its expectations of severity `stop` hold; the same rows under the
/// same definition give the same version; a failed ingest leaves the versions that were there.
public final class DatasetStore: Sendable {
    let database: Database
    let objects: any ObjectStore
    let engine: ColumnarEngine
    let time: any TimeSource
    let random: any RandomSource
    let environment: [String: String]
    private let scratch: String

    /// - Parameters:
    ///   - scratch: a folder for files under way.
    ///   - environment: where sources find their secrets and the settings of the AWS tools.
    ///   - random: names files under way, and spreads waits.
    public init(
        database: Database, objects: any ObjectStore, engine: ColumnarEngine, time: any TimeSource,
        random: any RandomSource, scratch: String, environment: [String: String] = [:]
    ) {
        self.database = database
        self.objects = objects
        self.engine = engine
        self.time = time
        self.random = random
        self.environment = environment
        self.scratch = scratch
    }

    public static let migrations = [
        Migration(
            room: "datasets", version: 1,
            sql: """
                CREATE TABLE dataset_versions (
                  "table" TEXT NOT NULL, number INTEGER NOT NULL, digest TEXT NOT NULL, record TEXT NOT NULL,
                  created INTEGER NOT NULL, PRIMARY KEY ("table", number));
                """)
    ]

    /// The newest version of every table.
    public func latest() async throws -> [String: DatasetVersion] {
        try await database.read { transaction in
            var versions: [String: DatasetVersion] = [:]
            for row in try transaction.query(
                """
                SELECT number, record FROM dataset_versions AS v WHERE number =
                  (SELECT max(number) FROM dataset_versions AS w WHERE w."table" = v."table")
                """, [])
            {
                let version = try DatasetVersion(row)
                versions[version.table] = version
            }
            return versions
        }
    }

    /// Every version of a table, newest first.
    public func versions(of table: String) async throws -> [DatasetVersion] {
        try await database.read { transaction in
            try transaction.query(
                "SELECT number, record FROM dataset_versions WHERE \"table\" = ? ORDER BY number DESC",
                [.text(table)]
            ).map { try DatasetVersion($0) }
        }
    }

    /// The version that a reference names: of several with one content the newest.
    ///
    /// - Throws: ``DatasetsFailure/noVersion(reference:known:)``, ``DatasetsFailure/notIngested(table:)``.
    public func version(_ reference: DatasetReference) async throws -> DatasetVersion {
        let versions = try await versions(of: reference.table)
        guard !versions.isEmpty else { throw DatasetsFailure.notIngested(table: reference.table) }
        let found =
            switch reference.selector {
            case .latest: versions.first
            case .number(let number): versions.first { $0.number == number }
            case .digest(let digits): try one(versions.filter { $0.digest.hex.hasPrefix(digits) }, reference)
            }
        guard let found else { throw unknown(reference, versions) }
        return found
    }

    private func one(_ versions: [DatasetVersion], _ reference: DatasetReference) throws -> DatasetVersion? {
        guard Set(versions.map(\.digest)).count <= 1 else { throw unknown(reference, versions) }
        return versions.first
    }

    private func unknown(_ reference: DatasetReference, _ versions: [DatasetVersion]) -> DatasetsFailure {
        .noVersion(
            reference: reference.description,
            known: versions.prefix(10).map { "\($0.table)@\($0.number) (\($0.digest.short))" })
    }

    /// A piece of the Parquet file of a version's rows, the same bytes each time.
    ///
    /// - Returns: at most `count` bytes from `offset`; none past the end.
    public func bytes(of version: DatasetVersion, at offset: Int64, count: Int) async throws -> [UInt8] {
        let path = try await objects.localPath(version.digest)
        return try await BlockingThread(name: "datasets.bytes").run {
            guard let file = FileHandle(forReadingAtPath: path) else {
                throw DatasetsFailure.unreadable(path: path, reason: "it can not be opened")
            }
            defer { try? file.close() }
            try file.seek(toOffset: UInt64(max(0, offset)))
            return [UInt8](try file.read(upToCount: max(0, count)) ?? Data())
        }
    }

    /// Writes the rows of a query as one Parquet object.
    public func publish(_ query: String, context: String) async throws -> (digest: Digest, rows: Int64) {
        let path = "\(scratch)/\(random.identifier()).parquet"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let rows = try await engine.writeParquet(query: query, to: path, context: context)
        return (try await objects.put(file: path), rows)
    }

    /// Lends a folder of the caller's own under the scratch folder.
    func withFolder<Value>(_ body: (String) async throws -> Value) async throws -> Value {
        let path = "\(scratch)/ingest-\(random.identifier())"
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            throw DatasetsFailure.unwritable(path: path, reason: "the folder can not be made")
        }
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try await body(path)
    }
}
