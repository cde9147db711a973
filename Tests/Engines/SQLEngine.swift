import Basics
import Foundation
import SQL
import Telemetry
import TestSupport

/// The engines that every suite over a database runs on.
public enum SQLEngine: String, CaseIterable, Sendable, CustomStringConvertible {
    case sqlite
    case postgresql

    public var description: String { rawValue }

    /// A database of the caller's own: opened again in the same folder, it is the same one.
    public func database(
        in folder: TemporaryFolder, time: any TimeSource = SystemTime(), metrics: MetricsRegistry? = nil
    ) async throws -> Database {
        let database = try await Database.open(try await url(in: folder), time: time, metrics: metrics)
        if !isAnnounced(rawValue) { announceEngine(rawValue, try await database.check().version) }
        return database
    }

    /// The address of a database of the caller's own.
    public func url(in folder: TemporaryFolder) async throws -> StoreURL {
        switch self {
        case .sqlite: try StoreURL("sqlite://\(folder("works.db"))", secrets: SecretSource(environment: [:]))
        case .postgresql:
            try await SharedPostgres.only.server().url(
                schema: "t\(Digest(of: folder.path).hex.prefix(24))", settings: ["sslmode=disable", "pool=2"])
        }
    }
}
