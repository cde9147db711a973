import Basics
import ObjectStorage

/// Finds the files of a path in an object store, and brings copies of them to this machine.
struct RemoteFiles: Sendable {
    private let files: S3Files
    private let pattern: PathPattern
    private let format: TableDefinition.FileFormat

    /// - Throws: `StoreURLFailure`, `SecretFailure`, `StorageFailure.noCredentials`.
    init(
        _ origin: FileOrigin, environment: [String: String], time: any TimeSource, random: any RandomSource
    ) throws {
        // A wildcard is no part of an address: only what stands before it is.
        let parts = origin.path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let path = parts.first.map(String.init) ?? ""
        let names = path.dropFirst("s3://".count).split(separator: "/", omittingEmptySubsequences: true)
        let bucket = names.first.map(String.init) ?? ""
        let settings = parts.count == 2 ? "?\(parts[1])" : ""
        files = try S3Files(
            StoreURL("s3://\(bucket)\(settings)", secrets: SecretSource(environment: environment)),
            environment: environment, time: time, random: random)
        pattern = PathPattern(names.dropFirst().joined(separator: "/"))
        format = origin.format
    }

    /// What was asked for, for messages.
    var place: String { "\(files.place)/\((pattern.base + pattern.parts).joined(separator: "/"))" }

    func name(of file: S3File) -> String { "\(files.place)/\(file.key)" }

    /// The files, of which there is at least one.
    /// - Throws: ``DatasetsFailure/noFiles(path:reason:)``, `StorageFailure`.
    func find() async throws -> [S3File] {
        let listed = try await list()
        guard !listed.isEmpty else {
            throw DatasetsFailure.noFiles(
                path: place,
                reason: pattern.isPlain
                    ? "no key ends in \(format.endings.joined(separator: ", "))" : "no key matches")
        }
        return listed
    }

    /// The files in order of their names' bytes.
    func list() async throws -> [S3File] {
        let base = pattern.base.joined(separator: "/")
        let listed = try await files.list(under: base)
        if pattern.isPlain, let only = listed.first(where: { $0.key == base }) { return [only] }
        let prefix = base.isEmpty ? "" : base + "/"
        return listed.filter { file in
            guard file.key.hasPrefix(prefix), !file.key.hasSuffix("/") else { return false }
            let names = file.key.dropFirst(prefix.count).split(separator: "/").map(String.init)
            guard pattern.isPlain else { return pattern.matches(names[...]) }
            return !names.contains(where: PathPattern.isHidden) && format.names(names.last ?? "")
        }.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }

    /// Copies a file into a folder.
    /// - Throws: ``DatasetsFailure/changedWhileRead(path:)``, `StorageFailure`.
    func copy(_ file: S3File, number: Int, into folder: String) async throws -> (path: String, digests: FileDigests) {
        // The key's own ending tells how the file is packed.
        let name = file.key.split(separator: "/").last.map(String.init) ?? ""
        let path = "\(folder)/\(number)-\(format.names(name) ? name : name + (format.endings.first ?? ""))"
        try await files.download(file.key, to: path)
        let digests = try await BlockingThread(name: "datasets.files").run { try FileDigests(path) }
        guard file.bytes < 0 || digests.bytes == file.bytes else {
            throw DatasetsFailure.changedWhileRead(path: self.name(of: file))
        }
        return (path, digests)
    }
}
