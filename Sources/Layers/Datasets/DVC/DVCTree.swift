import Basics
import Foundation

/// The content of a folder as DVC 3 lists it in a `.dir` file.
public struct DVCTree: Sendable, Equatable {
    public struct Entry: Sendable, Equatable {
        /// Below the folder, with slashes.
        public var path: String
        public var md5: MD5
        public var bytes: Int64

        public init(path: String, md5: MD5, bytes: Int64 = 0) {
            self.path = path
            self.md5 = md5
            self.bytes = bytes
        }
    }

    /// In the order of their paths' code points.
    public let entries: [Entry]

    public init(_ entries: [Entry]) {
        self.entries = entries.sorted { $0.path.unicodeScalars.lexicographicallyPrecedes($1.path.unicodeScalars) }
    }

    /// Reads the text of a `.dir` file, which tells no sizes.
    /// - Parameter path: where it stands, for messages.
    /// - Throws: ``DatasetsFailure/badDVC(path:reason:)``.
    public init(_ text: String, path: String) throws {
        guard let list = try? JSON.decode(JSONValue.self, from: text).array else {
            throw DatasetsFailure.badDVC(path: path, reason: "it is no list of files")
        }
        self.init(
            try list.map { item in
                guard let name = item["relpath"]?.string, let sum = item["md5"]?.string.flatMap({ MD5($0) }) else {
                    throw DatasetsFailure.badDVC(path: path, reason: "a file of its list has no path or no MD5")
                }
                return Entry(path: name, md5: sum)
            })
    }

    /// The text of the `.dir` file: what Python's `json.dumps` writes of it.
    public var text: String {
        let items = entries.map { entry in
            "{\"md5\": \"\(entry.md5.hex)\", \"relpath\": \(Self.quoted(entry.path))}"
        }
        return "[\(items.joined(separator: ", "))]"
    }

    /// The MD5 of the text, with `.dir` after it.
    public var hash: String { "\(MD5(of: Array(text.utf8)).hex).dir" }

    public var size: Int64 { entries.reduce(0) { $0 &+ $1.bytes } }

    /// Reads a folder; blocks.
    /// - Throws: ``DatasetsFailure/unreadable(path:reason:)``; ``DatasetsFailure/badDVC(path:reason:)`` for what DVC would
    ///   see in another way: patterns of `.dvcignore`, links to folders, and names that are no UTF-8.
    public init(folder: String) throws {
        var entries: [Entry] = []
        try Self.walk(folder, "", &entries)
        self.init(entries)
    }

    /// What a `.dvc` file would say of a file or folder, and the list of a folder. Blocks.
    static func output(of path: String) throws -> (output: DVCFile.Output, tree: DVCTree?) {
        let path = path.droppingSlashes
        let name = (path as NSString).lastPathComponent
        guard let mark = try FileMark(path) else { throw DatasetsFailure.missingFile(path) }
        guard mark.isFolder else {
            let digests = try FileDigests(path, md5: true)
            return (.init(hash: digests.md5?.hex ?? "", size: digests.bytes, fileCount: nil, path: name), nil)
        }
        let tree = try DVCTree(folder: path)
        return (.init(hash: tree.hash, size: tree.size, fileCount: tree.entries.count, path: name), tree)
    }

    private static func walk(_ root: String, _ below: String, _ entries: inout [Entry]) throws {
        let folder = below.isEmpty ? root : "\(root)/\(below)"
        for name in try LocalFiles.names(in: folder) {
            let relative = below.isEmpty ? name : "\(below)/\(name)"
            let path = "\(root)/\(relative)"
            guard let mark = try FileMark(path) else { continue }
            if name == ".dvcignore" {
                throw DatasetsFailure.badDVC(path: path, reason: "patterns of ignored files are not followed here")
            }
            guard mark.isFolder else {
                let digests = try FileDigests(path, md5: true)
                try mark.hold(path)
                guard let sum = digests.md5 else { continue }
                entries.append(Entry(path: relative, md5: sum, bytes: digests.bytes))
                continue
            }
            if [".git", ".hg", ".dvc"].contains(name) { continue }
            var status = stat()
            if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK {
                throw DatasetsFailure.badDVC(path: path, reason: "links to folders are not followed")
            }
            try walk(root, relative, &entries)
        }
    }

    /// A JSON string in ASCII, as `json.dumps` writes it.
    private static func quoted(_ text: String) -> String {
        var result = "\""
        for unit in text.utf16 {
            switch unit {
            case 0x22: result += "\\\""
            case 0x5C: result += "\\\\"
            case 0x0A: result += "\\n"
            case 0x0D: result += "\\r"
            case 0x09: result += "\\t"
            case 0x08: result += "\\b"
            case 0x0C: result += "\\f"
            case 0x20...0x7E: result.unicodeScalars.append(Unicode.Scalar(UInt8(unit)))
            default:
                let hex = String(unit, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - hex.count) + hex
            }
        }
        return result + "\""
    }
}
