import Basics
import Foundation

/// The end of a Parquet file, which tells where every column of every row group lies and what range its values have.
struct ParquetFooter {
    /// Of its bytes.
    let digest: Digest

    /// Longer ones are read as far as this from the end.
    private static let bytesMax: Int64 = 64 << 20

    /// Reads the footer; blocks.
    /// - Throws: ``DatasetsFailure/unreadable(path:reason:)``.
    init(_ path: String, bytes: Int64) throws {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw DatasetsFailure.unreadable(path: path, reason: String(cString: strerror(errno)))
        }
        defer { try? file.close() }
        do {
            // The last eight bytes are the footer's length and the format's mark.
            let mark: Int64 = 8
            try file.seek(toOffset: UInt64(max(0, bytes - mark)))
            let end = [UInt8](try file.readToEnd() ?? Data())
            let length = end.prefix(4).reversed().reduce(Int64(0)) { $0 << 8 | Int64($1) }
            let start = max(0, bytes - mark - min(length, Self.bytesMax))
            try file.seek(toOffset: UInt64(start))
            digest = Digest(of: [UInt8](try file.readToEnd() ?? Data()))
        } catch {
            throw DatasetsFailure.unreadable(path: path, reason: "\(error)")
        }
    }
}
