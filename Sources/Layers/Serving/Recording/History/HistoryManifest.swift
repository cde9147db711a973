import Basics
import Foundation
import ObjectStorage
import Records

/// What files a history consists of, in the order of their records. It is one file, written whole: what it names is there,
/// and what it does not name is a leftover.
struct HistoryManifest: Codable, Equatable {
    /// The records of a stretch of the log.
    struct Batch: Codable, Equatable {
        var start: Int64
        var end: Int64
        var files: [File]
    }

    /// The records of a batch that were kept on one day.
    struct File: Codable, Equatable {
        /// Within the folder of the history.
        var path: String
        var records: Int
        /// Microseconds since 1970 when the newest of them was kept.
        var newest: Int64
    }

    var format = 1
    var batches: [Batch] = []
    /// Where the log goes on.
    var end: Int64 = 0

    private static let name = "manifest.json"

    /// - Throws: `StorageFailure.damaged` where there is one that can not be read.
    init(in folder: String) throws {
        let path = "\(folder)/\(Self.name)"
        guard FileManager.default.fileExists(atPath: path) else { return }
        do {
            self = try JSON.decode(HistoryManifest.self, from: try AtomicFile.read(path))
        } catch let error as DecodingError {
            throw StorageFailure.damaged(path: path, offset: 0, reason: "\(error)")
        }
        guard format == 1 else {
            throw StorageFailure.damaged(path: path, offset: 0, reason: "its format is \(format), not 1")
        }
    }

    func write(in folder: String) throws {
        try AtomicFile.write("\(folder)/\(Self.name)", try JSON.canonical(self))
    }

    var files: [File] { batches.flatMap(\.files) }
}
