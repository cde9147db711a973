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
        let result = PassingFile(path: scratchPath("result.\(answer.rawValue)"))
        let summary = try await historicalFeatures(
            request, of: EntityFile(path: entities.path, format: format), to: result.path, format: answer,
            engine: engine)
        return (result, summary)
    }

    /// As ``explainHistory(_:of:row:shown:)``, for entity rows in memory.
    public func explainHistory(
        _ request: HistoryRequest, of rows: [UInt8], as format: TableDefinition.FileFormat, row: Int64, shown: Int = 3
    ) async throws -> HistoryExplanation {
        let entities = try await keep(rows, as: format)
        return try await explainHistory(
            request, of: EntityFile(path: entities.path, format: format), row: row, shown: shown)
    }

    private func keep(_ rows: [UInt8], as format: TableDefinition.FileFormat) async throws -> PassingFile {
        guard !rows.isEmpty else {
            throw FeaturesFailure.request(
                "no entity rows were given", remedy: "Send them as Parquet, CSV or JSON lines.")
        }
        let file = PassingFile(path: scratchPath("given.\(format.rawValue)"))
        try await BlockingThread(name: "upload").run {
            try Data(rows).write(to: URL(fileURLWithPath: file.path))
        }
        return file
    }
}
