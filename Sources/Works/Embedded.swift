import Basics
import Foundation
import ObjectStorage

/// An embedded store as a place on this machine's disk.
struct Embedded {
    private let path: String
    private let store: String

    /// Nil for an address that is no place on the disk, or is not good for this store.
    init?(_ url: StoreURL, of store: StoreAddresses.Store) {
        let schemes: [StoreAddresses.Store: String] = [
            .sql: "sqlite", .objects: "file", .online: "lmdb",
        ]
        guard schemes[store] == url.scheme, url.host == nil, !url.path.isEmpty, url.settings.isEmpty || store == .online
        else { return nil }
        path = url.path
        self.store = store.rawValue
    }

    var isThere: Bool { FileManager.default.fileExists(atPath: path) }

    /// Refuses a place where this user can make nothing.
    /// - Throws: ``WorksFailure/rootUnusable(root:reason:)``.
    func checkPlace() throws {
        var folder = (path as NSString).deletingLastPathComponent
        while !folder.isEmpty, folder != "/", !FileManager.default.fileExists(atPath: folder) {
            folder = (folder as NSString).deletingLastPathComponent
        }
        guard access(folder.isEmpty ? "." : folder, W_OK | X_OK) == 0 else {
            throw WorksFailure.storeUnusable(
                store,
                cause: StorageFailure.denied(path: path, reason: "'\(folder)' can not be written by this user"))
        }
    }
}

/// The logs of records in a folder, looked at without opening them.
struct LocalRecordCheck: Sendable {
    private(set) var logs = 0
    private(set) var bytes: Int64 = 0
    private(set) var tornBytes: Int64 = 0

    /// Blocks while it reads.
    /// - Throws: `StorageFailure.damaged` naming file and offset.
    init(folder: String) throws {
        let manager = FileManager.default
        for kind in (try? manager.contentsOfDirectory(atPath: folder))?.sorted() ?? [] {
            for name in (try? manager.contentsOfDirectory(atPath: "\(folder)/\(kind)"))?.sorted() ?? [] {
                let found = try RecordLogInspection(folder: "\(folder)/\(kind)/\(name)")
                logs += 1
                bytes += found.bytes
                tornBytes += found.tornBytes
            }
        }
    }
}
