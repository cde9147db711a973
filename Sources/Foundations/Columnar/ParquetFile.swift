import Basics
import Foundation

extension ColumnarConnection {
    /// Writes the rows of a query to a Parquet file (zstd), which appears whole or not at all.
    ///
    /// - Parameters:
    ///   - query: one SELECT.
    ///   - path: the file; one of that name is replaced. Its folder must exist.
    ///   - context: what the query came from, named in errors.
    ///   - count: how many rows there have to be; with more or fewer the file does not appear. Nil takes any number.
    /// - Returns: how many rows there were.
    /// - Throws: as `query`; then nothing is left behind.
    @discardableResult
    public func writeParquet(
        query: String, to path: String, context: String? = nil, only count: Int64? = nil
    ) throws -> Int64 {
        var query = query.trimmingWhitespace()
        while query.last == ";" { query = query.dropLast().trimmingWhitespace() }
        // A connection does one thing at a time, so no other writer has this name.
        let temporary = "\(path).\(getpid())-\(UInt(bitPattern: handle)).partial"
        do {
            // The line break ends a comment the query may close with.
            let rows = try execute(
                "COPY (\(query)\n) TO \(SQLText.literal(temporary)) (FORMAT parquet, COMPRESSION zstd)",
                context: context)
            if let count, count != rows { unlink(temporary) } else { try ParquetFile.publish(temporary, as: path) }
            return rows
        } catch {
            unlink(temporary)
            throw error
        }
    }
}

/// The steps after which a written file survives a crash under its name.
enum ParquetFile {
    static func publish(_ temporary: String, as path: String) throws {
        try synchronise(temporary)
        guard rename(temporary, path) == 0 else { throw failure("could not be given its name", path) }
        let folder = (path as NSString).deletingLastPathComponent
        try synchronise(folder.isEmpty ? "." : folder)
    }

    private static func synchronise(_ path: String) throws {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw failure("can not be opened", path) }
        defer { close(file) }
        guard fsync(file) == 0 else { throw failure("could not be made durable", path) }
    }

    private static func failure(_ what: String, _ path: String) -> ColumnarFailure {
        let reason = String(cString: strerror(errno))
        return ColumnarFailure(
            errno == ENOSPC ? .resourceExhausted : .unavailable, "the file '\(path)' \(what): \(reason)",
            remedy: "Check the folder's permissions and free space.")
    }
}
