import Archives
import Basics
import ObjectStorage

/// A version on its way out: a signed tar file that is made while it is written.
public struct VersionExport: Sendable {
    /// The statement and its signature, by the names they have in the archive.
    let papers: [(name: String, bytes: [UInt8])]
    /// What the statement lists, in its order.
    let contents: [Digest]
    let objects: any ObjectStore

    /// Writes the archive piece by piece; memory stays bounded, however large it is.
    /// - Throws: the object store's failure where a file is gone or damaged, what `take` throws; the archive is then cut.
    public func write(_ take: ([UInt8]) async throws -> Void) async throws {
        let tar = try TarWriter()
        for paper in papers {
            try tar.begin(paper.name, size: Int64(paper.bytes.count))
            try tar.write(paper.bytes)
        }
        for object in contents {
            let reader = try await objects.reader(object)
            try tar.begin(VersionArchive.Name.object(object), size: reader.size)
            while let piece = try await reader.next() {
                try tar.write(piece)
                try await take(tar.taken())
            }
        }
        try tar.finish()
        try await take(tar.taken())
    }
}
