import Basics
import Configuration
import Foundation
import ObjectStorage

/// A `.dvc` file of DVC 3: what one file or folder beside it must hold.
public struct DVCFile: Sendable, Equatable {
    /// What is tracked.
    public struct Output: Sendable, Codable, Equatable {
        /// 32 hexadecimal digits, with `.dir` after them for a folder.
        public var hash: String
        /// In bytes, of a folder all files together.
        public var size: Int64
        /// How many files a folder holds; nil for a file.
        public var fileCount: Int?
        /// The name beside the `.dvc` file.
        public var path: String

        public var isFolder: Bool { hash.hasSuffix(".dir") }
    }

    public var output: Output

    public init(output: Output) { self.output = output }

    /// Reads the text of a `.dvc` file.
    ///
    /// - Parameter path: where it stands, for messages.
    /// - Throws: ``DatasetsFailure/badDVC(path:reason:)`` for one that is malformed, tracks several things, or was made
    ///   by DVC 2, which took other sums of texts; `ConfigurationFailure` where it is no YAML.
    public init(_ text: String, path: String) throws {
        func refuse(_ reason: String) -> DatasetsFailure { .badDVC(path: path, reason: reason) }
        guard let node = try YAMLParser.parse(text, file: path).first else { throw refuse("it is empty") }
        let outputs = try node.mapping().list("outs")
        guard outputs.count == 1, let out = try outputs.first?.mapping() else {
            throw refuse("it tracks \(outputs.count) outputs where one is read")
        }
        guard let kind = try out.optionalString("hash") else {
            throw refuse("its sum is one of DVC 2; 'dvc commit' of DVC 3 takes it anew")
        }
        guard kind == "md5" else { throw refuse("its sum is of the kind '\(kind)'") }
        let hash = try out.string("md5")
        let digits = hash.hasSuffix(".dir") ? String(hash.dropLast(4)) : hash
        guard MD5(digits) != nil else { throw refuse("'\(hash)' is no MD5") }
        let name = try out.string("path")
        guard !name.isEmpty, !name.hasPrefix("/"), !name.split(separator: "/").contains("..") else {
            throw refuse("its path '\(name)' is not one beside it")
        }
        let size = Int64(try out.optionalString("size") ?? "0") ?? -1
        guard size >= 0 else { throw refuse("its size is no number") }
        output = Output(hash: hash, size: size, fileCount: try out.optionalInt("nfiles"), path: name)
    }

    /// The text as DVC 3 writes it.
    public var text: String {
        let count = output.fileCount.map { "  nfiles: \($0)\n" } ?? ""
        return """
            outs:
            - md5: \(output.hash)
              size: \(output.size)
            \(count)  hash: md5
              path: \(Self.scalar(output.path))

            """
    }

    /// The `.dvc` file beside a file or folder; nil where there is none. Blocks.
    /// - Throws: as ``init(_:path:)``; ``DatasetsFailure/badDVC(path:reason:)`` where it tracks something else.
    static func beside(_ path: String) throws -> DVCFile? {
        let path = path.droppingSlashes
        let file = "\(path).dvc"
        guard let mark = try FileMark(file), !mark.isFolder else { return nil }
        guard let data = FileManager.default.contents(atPath: file) else {
            throw DatasetsFailure.unreadable(path: file, reason: "it can not be opened")
        }
        let found = try DVCFile(String(decoding: data, as: UTF8.self), path: file)
        guard found.output.path == (path as NSString).lastPathComponent else {
            throw DatasetsFailure.badDVC(path: file, reason: "it tracks '\(found.output.path)'")
        }
        return found
    }

    /// Throws where the content of a path is not what is tracked. Blocks.
    /// - Parameter file: the sum of the file, where it is known already.
    func hold(_ path: String, file: MD5?) throws {
        let path = path.droppingSlashes
        let found = try file.map(\.hex) ?? DVCTree.output(of: path).output.hash
        guard found == output.hash else {
            throw DatasetsFailure.dvcMismatch(path: path, expected: output.hash, found: found)
        }
    }

    /// A YAML scalar: plain where no reader could take it for something else.
    private static func scalar(_ text: String) -> String {
        let isPlain = text.wholeMatch(of: #/[\p{L}_\/][\p{L}\p{N}_.\/-]*( [\p{L}\p{N}_.\/-]+)*/#) != nil
        let words: Set<String> = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
        guard !isPlain || words.contains(text.lowercased()) else { return text }
        return "'\(text.replacingOccurrences(of: "'", with: "''"))'"
    }
}

extension String {
    /// Without the slashes that mark a folder.
    var droppingSlashes: String {
        var text = self
        while text.count > 1, text.hasSuffix("/") { text.removeLast() }
        return text
    }
}
