import Basics

/// What can go wrong while columns are read, written or computed.
public struct ColumnarFailure: Failure {
    public let code: FailureCode
    public let message: String
    public let remedy: String?

    /// - Parameters:
    ///   - code: the kind of the failure.
    ///   - message: one sentence that says what happened and where, without a trailing full stop.
    ///   - remedy: the next step for the reader.
    public init(_ code: FailureCode, _ message: String, remedy: String? = nil) {
        self.code = code
        self.message = message
        self.remedy = remedy
    }

    /// The library is not where it is looked for, or is another one.
    ///
    /// - Parameter reason: what the loader said, such as `libduckdb.so: cannot open shared object file`.
    init(libraryMissing reason: String) {
        self.init(
            .failedPrecondition, "the DuckDB library can not be used: \(reason)",
            remedy: "Run make setup, or put libduckdb.so of \(ColumnarDatabase.pinnedVersion) into lib/ beside bin/.")
    }

    /// Translates a message of DuckDB.
    ///
    /// - Parameters:
    ///   - text: the whole message, whose first line tells the kind and the fault, and whose later lines may show the
    ///     place in the SQL (`LINE 3: ...`), candidate names, or the file that was read.
    ///   - context: what the SQL came from, such as a file's path.
    init(duckDB text: String, context: String?) {
        let lines = text.split(separator: "\n").map { $0.trimmingWhitespace() }
        let first = lines.first ?? "DuckDB failed without a message"
        var sentence = first
        while let last = sentence.last, last == "." || last == "!" { sentence.removeLast() }
        if let file = lines.dropFirst().first(where: { $0.hasPrefix("file=") || $0.hasPrefix("file = ") }),
            let path = file.split(separator: "=", maxSplits: 1).last
        {
            sentence += " in file '\(String(path).trimmingWhitespace())'"
        }
        if first.contains("CSV Error on Line"),
            let fault = lines.dropFirst().first(where: { $0.hasPrefix("Error when ") })
        {
            sentence += ": \(fault.prefix(200))"
            while sentence.last == "." { sentence.removeLast() }
        }
        if let place = lines.dropFirst().first(where: { $0.hasPrefix("LINE ") }) {
            sentence += " (line \(place.dropFirst(5)))"
        }
        let advice = lines.dropFirst().first {
            $0.hasPrefix("Candidate") || $0.hasPrefix("Did you mean")
                || ($0.hasPrefix("Possible") && !$0.hasSuffix(":"))
        }
        let (code, remedy) = ColumnarFailure.classify(first, whole: text)
        self.init(code, (context.map { "\($0): " } ?? "") + sentence, remedy: advice.map { "\($0)." } ?? remedy)
    }

    private static func classify(_ first: String, whole: String) -> (FailureCode, String?) {
        let space = "Free disk space, or give the engine another temporary directory."
        if whole.contains("No space left on device") { return (.resourceExhausted, space) }
        if whole.contains("max_temp_directory_size") {
            return (.resourceExhausted, "Raise the spill limit, raise the memory limit, or split the query.")
        }
        if first.contains("No files found that match") || first.contains("No such file") {
            return (.notFound, "Check the path; it is relative to the folder the process started in.")
        }
        if first.contains("CSV Error on Line") {
            return (.invalidArgument, "Mend the file, or the type that is declared for the column.")
        }
        if first.contains("magic bytes") || first.contains("too small to be a Parquet file") {
            return (.dataLoss, "The file is truncated or no Parquet file; write it again.")
        }
        let kinds: [(String, FailureCode, String?)] = [
            ("Parser Error", .invalidArgument, "Correct the SQL."),
            ("Binder Error", .invalidArgument, "Correct the SQL."),
            ("Catalog Error", .notFound, "Check the name, or create the table first."),
            ("Conversion Error", .invalidArgument, "Use TRY_CAST where a value may not convert."),
            ("Out of Memory Error", .resourceExhausted, "Raise the memory limit or split the query."),
            ("Permission Error", .permissionDenied, nil),
            ("Constraint Error", .failedPrecondition, nil),
            ("TransactionContext Error", .failedPrecondition, "Run the statement again."),
            ("Transaction Error", .unavailable, "Run the statement again."),
            ("IO Error", .unavailable, "Check that the file exists and can be read and written."),
            ("INTERNAL Error", .internal, nil), ("FATAL Error", .internal, "Restart the process."),
        ]
        for (prefix, code, remedy) in kinds where first.hasPrefix(prefix) { return (code, remedy) }
        return (.invalidArgument, nil)
    }
}

extension StringProtocol {
    func trimmingWhitespace() -> String {
        var rest = self[...]
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }
}
