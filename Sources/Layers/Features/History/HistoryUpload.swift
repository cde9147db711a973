import Basics
import Datasets
import Foundation

/// A file that goes away with its last user.
public final class PassingFile: Sendable {
    public let path: String

    init(path: String) { self.path = path }

    deinit { unlink(path) }
}

/// Entity rows that came in a message rather than a file.
extension FeatureStore {
    /// As ``historicalFeatures(_:of:to:format:engine:)``, for entity rows in memory, into a file that passes.
    public func historicalFeatures(
        _ request: HistoryRequest, of rows: [UInt8], as format: TableDefinition.FileFormat,
        answer: TableDefinition.FileFormat, engine: OfflineEngine = .local
    ) async throws -> (file: PassingFile, summary: HistorySummary) {
        let entities = try await keep(rows, as: format)
        defer { withExtendedLifetime(entities.file) {} }
        let result = PassingFile(path: scratchPath("result.\(answer.rawValue)"))
        let summary = try await historicalFeatures(
            request, of: entities.rows, to: result.path, format: answer,
            engine: engine)
        return (result, summary)
    }

    /// As ``explainHistory(_:of:row:shown:)``, for entity rows in memory.
    public func explainHistory(
        _ request: HistoryRequest, of rows: [UInt8], as format: TableDefinition.FileFormat, row: Int64, shown: Int = 3
    ) async throws -> HistoryExplanation {
        let entities = try await keep(rows, as: format)
        defer { withExtendedLifetime(entities.file) {} }
        return try await explainHistory(
            request, of: entities.rows, row: row, shown: shown)
    }

    /// - Returns: the rows in a file, and the file, which is there as long as it is held.
    private func keep(_ rows: [UInt8], as format: TableDefinition.FileFormat) async throws
        -> (rows: EntityFile, file: PassingFile)
    {
        guard !rows.isEmpty else {
            throw FeaturesFailure.request(
                "no entity rows were given", remedy: "Send them as Parquet, CSV or JSON lines.")
        }
        let file = PassingFile(path: scratchPath("given.\(format.rawValue)"))
        try await BlockingThread(name: "upload").run {
            try Data(rows).write(to: URL(fileURLWithPath: file.path))
        }
        return (EntityFile(path: file.path, format: format, name: "the entity rows"), file)
    }
}
