import Basics
import Foundation
import SQL
import TestSupport

/// The engines that every suite over a database runs on.
public enum SQLEngine: String, CaseIterable, Sendable, CustomStringConvertible {
    case sqlite

    public var description: String { rawValue }

    /// An empty database of the caller's own.
    public func database(in folder: TemporaryFolder, time: any TimeSource = SystemTime()) async throws -> Database {
        switch self {
        case .sqlite: try await Database.open(at: folder("works.db"), time: time)
        }
    }
}
