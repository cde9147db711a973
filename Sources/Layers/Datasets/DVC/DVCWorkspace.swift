import Basics
import Configuration
import Foundation
import ObjectStorage

/// Tracks files and folders as DVC 3 does, so that both can be used on the same repository.
public struct DVCWorkspace: Sendable {
    /// What became of something tracked.
    public struct Status: Sendable, Codable, Equatable {
        public var path: String
        public var expected: String
        public var found: String
        public var isUnchanged: Bool
        /// Files of a folder that came, changed or went, where the cache holds the list of what it was.
        public var added: [String]
        public var modified: [String]
        public var removed: [String]
    }

    public init() {}

    /// Writes `PATH.dvc`, and puts the content into the cache of the DVC repository around it, where there is one.
    /// - Throws: ``DatasetsFailure``.
    public func add(_ path: String) async throws -> DVCFile {
        try await BlockingThread(name: "datasets.dvc").run {
            let path = path.droppingSlashes
            let (output, tree) = try DVCTree.output(of: path)
            let file = DVCFile(output: output)
            if let cache = try Self.cache(around: path) {
                if let tree {
                    for entry in tree.entries {
                        try Self.keep("\(path)/\(entry.path)", as: entry.md5.hex, in: cache)
                    }
                    try Self.write(Array(tree.text.utf8), to: Self.place(output.hash, in: cache))
                } else {
                    try Self.keep(path, as: output.hash, in: cache)
                }
            }
            try Self.write(Array(file.text.utf8), to: "\(path).dvc")
            return file
        }
    }

    /// Compares a path with its `.dvc` file.
    /// - Throws: ``DatasetsFailure``.
    public func status(_ path: String) async throws -> Status {
        try await BlockingThread(name: "datasets.dvc").run {
            let path = (path.hasSuffix(".dvc") ? String(path.dropLast(4)) : path).droppingSlashes
            guard let file = try DVCFile.beside(path) else { throw DatasetsFailure.missingFile("\(path).dvc") }
            let (output, tree) = try DVCTree.output(of: path)
            var status = Status(
                path: path, expected: file.output.hash, found: output.hash,
                isUnchanged: file.output.hash == output.hash, added: [], modified: [], removed: [])
            guard !status.isUnchanged, let tree, file.output.isFolder, let cache = try Self.cache(around: path) else {
                return status
            }
            let listed = Self.place(file.output.hash, in: cache)
            guard let data = FileManager.default.contents(atPath: listed) else { return status }
            let before = try DVCTree(String(decoding: data, as: UTF8.self), path: listed)
            let old = Dictionary(before.entries.map { ($0.path, $0.md5) }) { first, _ in first }
            let new = Dictionary(tree.entries.map { ($0.path, $0.md5) }) { first, _ in first }
            status.added = new.keys.filter { old[$0] == nil }.sorted()
            status.removed = old.keys.filter { new[$0] == nil }.sorted()
            status.modified = new.filter { path, sum in old[path] != nil && old[path] != sum }.keys.sorted()
            return status
        }
    }

    /// The cache of the repository that a path lies in.
    private static func cache(around path: String) throws -> String? {
        var folder = (path as NSString).deletingLastPathComponent
        while !folder.isEmpty {
            if try FileMark("\(folder)/.dvc")?.isFolder == true { return try cache(of: "\(folder)/.dvc") }
            if folder == "/" { break }
            folder = (folder as NSString).deletingLastPathComponent
        }
        return nil
    }

    /// The folder that `[cache] dir` of the repository's settings names.
    private static func cache(of folder: String) throws -> String {
        var found = "\(folder)/cache"
        for name in ["config", "config.local"] {
            guard let data = FileManager.default.contents(atPath: "\(folder)/\(name)") else { continue }
            var section = ""
            for line in String(decoding: data, as: UTF8.self).split(whereSeparator: \.isNewline) {
                let text = line.trimmingCharacters(in: .whitespaces)
                if text.hasPrefix("[") {
                    section = text
                } else if section == "[cache]", let equals = text.firstIndex(of: "="),
                    text[..<equals].trimmingCharacters(in: .whitespaces) == "dir"
                {
                    let value = text[text.index(after: equals)...].trimmingCharacters(in: .whitespaces)
                    found = value.hasPrefix("/") ? value : "\(folder)/\(value)"
                }
            }
        }
        return found
    }

    private static func place(_ hash: String, in cache: String) -> String {
        "\(cache)/files/md5/\(hash.prefix(2))/\(hash.dropFirst(2))"
    }

    /// Copies a file into the cache, where it is not yet.
    private static func keep(_ path: String, as hash: String, in cache: String) throws {
        let place = place(hash, in: cache)
        guard try FileMark(place) == nil else { return }
        let staged = "\(place).\(getpid()).partial"
        do {
            try FileManager.default.createDirectory(
                atPath: (place as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try? FileManager.default.removeItem(atPath: staged)
            try FileManager.default.copyItem(atPath: path, toPath: staged)
            guard try FileDigests(staged, md5: true).md5?.hex == hash else {
                throw DatasetsFailure.changedWhileRead(path: path)
            }
            // What lies in a cache is shared and must not change.
            guard chmod(staged, 0o444) == 0, rename(staged, place) == 0 else {
                throw DatasetsFailure.unwritable(path: place, reason: String(cString: strerror(errno)))
            }
        } catch {
            try? FileManager.default.removeItem(atPath: staged)
            throw error is any Failure
                ? error : DatasetsFailure.unwritable(path: place, reason: error.localizedDescription)
        }
    }

    private static func write(_ bytes: [UInt8], to path: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        } catch {
            throw DatasetsFailure.unwritable(path: path, reason: error.localizedDescription)
        }
        try AtomicFile.write(path, bytes)
    }
}
