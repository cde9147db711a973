import Basics
import Foundation

/// A file that holds a table.
public enum TableFile: Sendable {
    /// Comma-separated, its first line the names of the columns; types are told from the values.
    case csv
    case parquet
}

extension ColumnarConnection {
    /// Reads a table out of the bytes of a file.
    ///
    /// The engine reads from disk, so the bytes lie in a folder of their own while it does.
    /// - Throws: `ColumnarFailure` where they are no such file; what the file system throws.
    public func table(in bytes: [UInt8], of kind: TableFile) throws -> Table {
        let folder = FileManager.default.temporaryDirectory.appending(path: "modelworks-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "table").path
        guard FileManager.default.createFile(atPath: file, contents: Data(bytes)) else {
            throw ColumnarFailure(
                .unavailable, "a table could not be written to '\(file)' to be read",
                remedy: "Check the free space of that folder.")
        }
        let source =
            switch kind {
            case .csv: "read_csv(\(SQLText.literal(file)), header = true, delim = ',')"
            case .parquet: "read_parquet(\(SQLText.literal(file)))"
            }
        return try query("SELECT * FROM \(source)", context: "the table")
    }
}
