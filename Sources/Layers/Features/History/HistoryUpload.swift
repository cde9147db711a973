import Basics
import Columnar
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
        _ request: HistoryRequest, of rows: [UInt8], as format: RowFormat, answer: RowFormat,
        engine: OfflineEngine = .local
    ) async throws -> (file: PassingFile, summary: HistorySummary) {
        let kept = try await keep(rows, as: format)
        defer { withExtendedLifetime(kept.file) {} }
        let result = PassingFile(path: scratchPath("result.\(answer.rawValue)"))
        let summary = try await historicalFeatures(
            request, of: kept.entities, to: result.path, format: answer, engine: engine)
        return (result, summary)
    }

    /// As ``explainHistory(_:of:row:shown:)``, for entity rows in memory.
    public func explainHistory(
        _ request: HistoryRequest, of rows: [UInt8], as format: RowFormat, row: Int64, shown: Int = 3
    ) async throws -> HistoryExplanation {
        let kept = try await keep(rows, as: format)
        defer { withExtendedLifetime(kept.file) {} }
        return try await explainHistory(request, of: kept.entities, row: row, shown: shown)
    }

    private func keep(
        _ rows: [UInt8], as format: RowFormat
    ) async throws -> (file: PassingFile, entities: EntityFile) {
        guard !rows.isEmpty else {
            throw FeaturesFailure.request(
                "no entity rows were given", remedy: "Send them as Parquet, an Arrow stream, CSV or JSON lines.")
        }
        // A join looks at its rows several times, and on other threads.
        let kept = format.file ?? .parquet
        let file = PassingFile(path: scratchPath("given.\(kept.rawValue)"))
        if format.file == nil {
            try await engine.run { connection in
                try rows.withUnsafeBytes { bytes in
                    try connection.withArrow(bytes) { relation in
                        _ = try connection.writeParquet(
                            query: "SELECT * FROM \(relation)", to: file.path, context: "the entity rows")
                    }
                }
            }
        } else {
            try await BlockingThread(name: "upload").run {
                try Data(rows).write(to: URL(fileURLWithPath: file.path))
            }
        }
        return (file, EntityFile(path: file.path, format: kept, name: "the entity rows"))
    }
}
