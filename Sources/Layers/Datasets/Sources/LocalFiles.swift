import Basics
import Foundation

/// Finds the files of a path on this machine. Blocks: for threads that may.
struct LocalFiles {
    /// A file and what identified it when it was found.
    struct Found: Sendable, Equatable {
        var path: String
        var bytes: Int64
        var mark: FileMark
    }

    let format: TableDefinition.FileFormat

    /// The files of a file's, folder's or pattern's path, in order of their names' bytes.
    ///
    /// Of a folder, those whose ending is of the format, however deep.
    /// - Throws: ``DatasetsFailure/missingFile(_:)``, ``DatasetsFailure/noFiles(path:reason:)``,
    ///   ``DatasetsFailure/unreadable(path:reason:)``.
    func find(_ path: String) throws -> [Found] {
        if let mark = try FileMark(path), !mark.isFolder { return [Found(path: path, bytes: mark.bytes, mark: mark)] }
        let pattern = PathPattern(path)
        let base = (path.hasPrefix("/") ? "/" : "") + pattern.base.joined(separator: "/")
        guard let mark = try FileMark(base.isEmpty ? "." : base) else { throw DatasetsFailure.missingFile(base) }
        guard mark.isFolder else { throw DatasetsFailure.noFiles(path: path, reason: "\(base) is no folder") }
        if pattern.isPlain { try refuseLake(base) }
        var found: [Found] = []
        try walk(base.isEmpty ? "." : base, [], pattern, &found)
        guard !found.isEmpty else {
            throw DatasetsFailure.noFiles(
                path: path,
                reason: pattern.isPlain
                    ? "no name in the folder ends in \(format.endings.joined(separator: ", "))" : "no name matches")
        }
        return found.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
    }

    private func walk(_ folder: String, _ names: [String], _ pattern: PathPattern, _ found: inout [Found]) throws {
        for name in try Self.names(in: folder) {
            let path = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
            guard let mark = try FileMark(path) else { continue }
            let inner = names + [name]
            if mark.isFolder {
                let reaches = pattern.isPlain ? !PathPattern.isHidden(name) : pattern.reaches(inner[...])
                if reaches { try walk(path, inner, pattern, &found) }
            } else if pattern.isPlain ? !PathPattern.isHidden(name) && format.names(name) : pattern.matches(inner[...])
            {
                found.append(Found(path: path, bytes: mark.bytes, mark: mark))
            }
        }
    }

    private func refuseLake(_ folder: String) throws {
        // Files that a newer version of such a table has removed would be read as if they were its rows.
        for (mark, kind) in [("_delta_log", "delta"), ("metadata", "iceberg")] {
            let isLake =
                kind == "delta"
                ? try FileMark("\(folder)/\(mark)")?.isFolder == true
                : try FileMark("\(folder)/\(mark)")?.isFolder == true && FileMark("\(folder)/data")?.isFolder == true
            if isLake {
                throw DatasetsFailure.unsupported(
                    place: folder, what: "a log of its versions",
                    remedy:
                        "Write 'from: {\(kind): PATH}' in place of 'path', or a pattern such as \(folder)/*.parquet.")
            }
        }
    }

    static func names(in folder: String) throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            throw DatasetsFailure.unreadable(path: folder, reason: String(cString: strerror(errno)))
        }
    }
}

/// What tells whether a file is still the one that was looked at.
struct FileMark: Sendable, Equatable {
    let bytes: Int64
    let modified: Int64
    let node: UInt64
    let isFolder: Bool

    /// - Returns: nil where there is no such file.
    init?(_ path: String) throws {
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw DatasetsFailure.unreadable(path: path, reason: String(cString: strerror(errno)))
        }
        bytes = Int64(status.st_size)
        modified = Int64(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int64(status.st_mtim.tv_nsec)
        node = UInt64(status.st_ino)
        isFolder = status.st_mode & S_IFMT == S_IFDIR
    }

    /// Throws where the file is not the one that was marked any more.
    func hold(_ path: String) throws {
        guard try FileMark(path) == self else { throw DatasetsFailure.changedWhileRead(path: path) }
    }
}
