import Basics
import Columnar
import Foundation
import ObjectStorage
import Statistics

extension DatasetStore {
    /// Judges the rows of a table's file by its expectations; publishes nothing.
    ///
    /// - Parameters:
    ///   - folder: the factory's data folder.
    ///   - file: read in place of the table's own; relative to the folder.
    /// - Throws: ``DatasetsFailure`` for a file that does not exist or a rule that can not be judged, or the engine's error
    ///   for a file it can not read. Broken expectations are told in the report.
    public func validate(_ table: TableDefinition, from folder: String, file: String? = nil) async throws
        -> ValidationReport
    {
        var table = table
        if let file { table.read(file) }
        let reader = try reader(of: table, from: folder)
        let state = try await reader.look()
        return try await withFolder { scratch in
            let staged = try await stage(try await reader.open(state, in: scratch), of: table, in: scratch)
            return try await validate(
                table, rows: "SELECT * FROM read_parquet(\(SQLText.literal(staged.engineLiteral)))", dataFolder: folder)
        }
    }

    /// Judges the rows of a query, which has the table's columns and `__row`, by the table's expectations.
    func validate(_ table: TableDefinition, rows query: String, dataFolder: String) async throws -> ValidationReport {
        let references = try await references(of: table, dataFolder: dataFolder)
        let now = time.now
        let staging = SQLText.identifier("validated_\(table.name)")
        return try await engine.run { connection in
            // A temporary table belongs to the connection, so that two validations and an ingest do not meet.
            try connection.execute(
                "CREATE OR REPLACE TEMPORARY TABLE \(staging) AS \(query)", context: "data/\(table.name)")
            defer { _ = try? connection.execute("DROP TABLE IF EXISTS \(staging)") }
            let results = try ExpectationCheck(
                table: table, now: now, references: references, staging: staging, reasons: nil, connection: connection
            ).run()
            let rows = try connection.query("SELECT count(*) AS total FROM \(staging)").count("total")
            return ValidationReport(table: table.name, rows: rows, results: results, validated: now)
        }
    }

    /// Judges staged rows and fills `reasons` with those to set aside.
    ///
    /// - Throws: ``DatasetsFailure`` where an expectation of severity `stop` is broken, or one can not be judged.
    func check(_ table: TableDefinition, staging: String, reasons: String, dataFolder: String) async throws
        -> [ExpectationResult]
    {
        let references = try await references(of: table, dataFolder: dataFolder)
        let now = time.now
        let results = try await engine.run { connection in
            try ExpectationCheck(
                table: table, now: now, references: references, staging: staging, reasons: reasons,
                connection: connection
            ).run()
        }
        if let stopped = results.first(where: { $0.severity == .stop && !$0.success }) {
            throw stopped.failure(table.name)
        }
        return results
    }

    private func references(of table: TableDefinition, dataFolder: String) async throws -> [String:
        DistributionReference]
    {
        var references: [String: DistributionReference] = [:]
        for expectation in table.expectations {
            guard case .distribution(_, let reference, _, _) = expectation.rule else { continue }
            switch reference {
            case .version(let name, let prefix):
                let versions = try await versions(of: name)
                guard let found = versions.first(where: { $0.digest.description.hasPrefix(prefix ?? "") }) else {
                    throw DatasetsFailure.unknown(
                        kind: "dataset version", name: "\(name)@\(prefix ?? "latest")",
                        known: versions.prefix(5).map { "\(name)@\($0.digest.short)" })
                }
                references[expectation.name] = .rows(path: try await objects.localPath(found.digest))
            case .profile(let file):
                references[expectation.name] = try profile(file, dataFolder, table.name, expectation.name)
            }
        }
        return references
    }

    private func profile(_ file: String, _ folder: String, _ table: String, _ expectation: String) throws
        -> DistributionReference
    {
        let path = file.hasPrefix("/") ? file : "\(folder)/\(file)"
        guard let data = FileManager.default.contents(atPath: path) else { throw DatasetsFailure.missingFile(path) }
        if let profile = try? JSON.decode(NumericProfile.self, from: data) { return .numbers(profile) }
        if let profile = try? JSON.decode(CategoricalProfile.self, from: data) { return .categories(profile) }
        throw DatasetsFailure.badExpectation(
            table: table, expectation: expectation, problem: "\(path) holds no profile of a column",
            remedy: "Name the JSON of a numeric or a categorical profile.")
    }
}
