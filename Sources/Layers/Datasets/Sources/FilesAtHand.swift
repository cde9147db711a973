import Basics
import Foundation

/// The files that a path names, on this machine: those of an object store are copied first.
public struct FilesAtHand: Sendable {
    /// One file.
    public struct File: Sendable, Equatable {
        /// Where it is read.
        public var path: String
        /// What it is called where it came from.
        public var name: String
        public var bytes: Int64
        /// Equal for equal content. Of a Parquet file that was on this machine it is made of what tells a change without
        /// a look at the whole: its size, the time of its last change, and its footer.
        public var digest: Digest
    }

    /// In order of their names' bytes; never empty.
    public let files: [File]

    /// Where the files of a path on this machine lie, without a look into them. Blocks.
    /// - Throws: ``DatasetsFailure``.
    public static func paths(of origin: FileOrigin) throws -> [String] {
        try LocalFiles(format: origin.format).find(origin.path).map(\.path)
    }

    /// - Parameters:
    ///   - origin: a file, a folder or a pattern; a relative path is one of the working directory.
    ///   - folder: where copies of remote files go; it must exist.
    ///   - environment: holds what object stores are opened with.
    /// - Throws: ``DatasetsFailure`` where there are none or one can not be read, `StoreURLFailure`, `StorageFailure`.
    public init(
        of origin: FileOrigin, copies folder: String, environment: [String: String], time: any TimeSource,
        random: any RandomSource
    ) async throws {
        guard origin.isRemote else {
            files = try await BlockingThread(name: "datasets.files").run {
                try LocalFiles(format: origin.format).find(origin.path).map { found in
                    if origin.format == .parquet {
                        let footer = try ParquetFooter(found.path, bytes: found.bytes).digest
                        let digest = Digest(of: "\(found.bytes) \(found.mark.modified) \(footer)")
                        return File(path: found.path, name: found.path, bytes: found.bytes, digest: digest)
                    }
                    let digests = try FileDigests(found.path)
                    try found.mark.hold(found.path)
                    return File(path: found.path, name: found.path, bytes: digests.bytes, digest: digests.sha256)
                }
            }
            return
        }
        let remote = try RemoteFiles(origin, environment: environment, time: time, random: random)
        var files: [File] = []
        for (index, file) in try await remote.find().enumerated() {
            let (path, digests) = try await remote.copy(file, number: index, into: folder)
            files.append(
                File(path: path, name: remote.name(of: file), bytes: digests.bytes, digest: digests.sha256))
        }
        self.files = files
    }
}
