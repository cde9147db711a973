import Basics

/// What can go wrong in the analytic engine.
public struct ColumnarFailure: Failure, Equatable {
    public let code: FailureCode
    public let message: String
    public let remedy: String?

    /// An error of the engine, told with the place the statement came from.
    ///
    /// - Parameters:
    ///   - engine: the engine's own words; their first lines name the kind and the cause.
    ///   - context: where the statement stands, such as `features/carrier_now`.
    static func statement(_ engine: String, context: String) -> ColumnarFailure {
        let lines = engine.split(separator: "\n").map(String.init)
        let place = lines.first { $0.hasPrefix("LINE ") }
        let cause = lines.prefix(engine.hasPrefix("IO Error") ? 1 : 2).filter { !$0.hasPrefix("LINE ") }
        let text = ([context + ": " + cause.joined(separator: " ")] + [place].compactMap { $0 }).joined(separator: ", at ")
        if engine.contains("No space left") || engine.contains("max_temp_directory_size") {
            return ColumnarFailure(
                code: .resourceExhausted, message: "\(context): the disk is full", remedy: "Free some space and try again.")
        }
        if engine.hasPrefix("Out of Memory") {
            return ColumnarFailure(
                code: .resourceExhausted, message: text, remedy: "Let the query touch less at once.")
        }
        if engine.hasPrefix("INTERRUPT") { return ColumnarFailure(code: .unavailable, message: text, remedy: nil) }
        if engine.hasPrefix("IO Error") {
            return ColumnarFailure(code: .unavailable, message: text, remedy: "Check that the file is there and readable.")
        }
        return ColumnarFailure(code: .invalidArgument, message: text, remedy: "Correct the statement or the file it reads.")
    }

    static func unsupported(_ type: String, column: String, context: String) -> ColumnarFailure {
        ColumnarFailure(
            code: .invalidArgument, message: "\(context): the column '\(column)' has the type \(type), which can not be read",
            remedy: "CAST it to VARCHAR, BIGINT or DOUBLE.")
    }

    static func engine(_ problem: String) -> ColumnarFailure {
        ColumnarFailure(
            code: .internal, message: "the analytic engine can not be used: \(problem)", remedy: "Run 'make setup' again.")
    }
}
