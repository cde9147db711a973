import Basics
import CLMDB
import Foundation
import Synchronization

/// The engine's environment: one memory-mapped file.
///
/// The pointer may be used from any thread: the engine itself orders changes, and reading transactions are not tied to a
/// thread (MDB_NOTLS).
struct LMDBEnvironment: @unchecked Sendable {
    let pointer: OpaquePointer
    let path: String

    init(path: String, mapSizeBytes: Int, durable: Bool, readers: UInt32, tables: UInt32) throws {
        self.path = path
        if mkdir(path, 0o755) != 0, errno != EEXIST {
            throw KeyValueFailure.cannotOpen(path: path, reason: String(cString: strerror(errno)))
        }
        var created: OpaquePointer?
        guard mdb_env_create(&created) == MDB_SUCCESS, let created else {
            throw KeyValueFailure.cannotOpen(path: path, reason: "out of memory")
        }
        pointer = created
        mdb_env_set_mapsize(created, mapSizeBytes)
        mdb_env_set_maxreaders(created, readers)
        mdb_env_set_maxdbs(created, tables)
        let relaxed = durable ? 0 : UInt32(MDB_NOSYNC)
        let code = mdb_env_open(created, path, UInt32(MDB_NOTLS) | UInt32(MDB_NORDAHEAD) | relaxed, 0o644)
        guard code == MDB_SUCCESS else {
            mdb_env_close(created)
            let failure = LMDBEnvironment.failure(code, "opening", path: path)
            if case .engine(_, _, let reason) = failure { throw KeyValueFailure.cannotOpen(path: path, reason: reason) }
            throw failure
        }
    }

    var mapBytes: Int {
        var info = MDB_envinfo()
        return mdb_env_info(pointer, &info) == MDB_SUCCESS ? info.me_mapsize : 0
    }

    /// Bytes up to the last page ever used.
    var usedBytes: Int {
        var info = MDB_envinfo()
        var statistics = MDB_stat()
        guard mdb_env_info(pointer, &info) == MDB_SUCCESS, mdb_env_stat(pointer, &statistics) == MDB_SUCCESS else {
            return 0
        }
        return (info.me_last_pgno + 1) * Int(statistics.ms_psize)
    }

    var keyLimit: Int { Int(mdb_env_get_maxkeysize(pointer)) }

    func check(_ code: Int32, _ action: String) throws {
        guard code == MDB_SUCCESS else { throw LMDBEnvironment.failure(code, action, path: path) }
    }

    static func failure(_ code: Int32, _ action: String, path: String) -> KeyValueFailure {
        let reason = mdb_strerror(code).map { String(cString: $0) } ?? "error \(code)"
        switch code {
        case MDB_MAP_FULL: return .mapFull(path: path, limitBytes: 0)
        case ENOSPC, EDQUOT, EFBIG: return .diskFull(path: path)
        // The engine reports a write cut short by a full disk as an I/O error.
        case EIO where isFull(path): return .diskFull(path: path)
        case EACCES, EPERM, EROFS: return .denied(path: path, reason: reason)
        case MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_INVALID, MDB_PANIC: return .corrupt(path: path, reason: reason)
        case MDB_READERS_FULL: return .tooManyReaders(path: path)
        case MDB_DBS_FULL: return .tooManyTables(path: path)
        case MDB_MAP_RESIZED: return .mapGrown(path: path)
        default: return .engine(path: path, action: action, reason: reason)
        }
    }

    /// Whether the file system has less than 1 MiB left.
    private static func isFull(_ path: String) -> Bool {
        var status = statvfs()
        guard statvfs(path, &status) == 0 else { return false }
        return UInt64(status.f_bavail) < (1 << 20) / UInt64(max(1, status.f_frsize))
    }
}
