import Basics

/// What is wrong with an expression, or with a row given to one.
///
/// Positions count Unicode scalars from 0.
public enum ExpressionFailure: Failure, Equatable {
    /// The text is not an expression.
    case syntax(String, at: Int)
    /// No input and no earlier expression has this name.
    case unknownName(String, at: Int, nearest: String?)
    /// No function has this name.
    case unknownFunction(String, at: Int, nearest: String?)
    /// An operator or a function was given what it does not take.
    case mismatch(String, at: Int, remedy: String?)
    /// A bound of `ExpressionLimits` was passed.
    case tooLarge(String)
    /// Two inputs or expressions of a program share a name.
    case duplicateName(String)
    /// A row or a table has not the columns that the program was compiled for.
    case wrongRow(String)
    /// The fault of one named expression of a program.
    indirect case expression(String, ExpressionFailure)

    public var code: FailureCode { .invalidArgument }

    public var message: String {
        func hint(_ nearest: String?) -> String { nearest.map { " (did you mean '\($0)'?)" } ?? "" }
        return switch self {
        case .syntax(let text, let position): "\(text) at \(position)"
        case .unknownName(let name, let position, let nearest): "unknown name '\(name)' at \(position)\(hint(nearest))"
        case .unknownFunction(let name, let position, let nearest):
            "unknown function '\(name)' at \(position)\(hint(nearest))"
        case .mismatch(let text, let position, _): "\(text) at \(position)"
        case .tooLarge(let text): text
        case .duplicateName(let name): "the name '\(name)' is given twice"
        case .wrongRow(let text): text
        case .expression(let name, let failure): "expression '\(name)': \(failure.message)"
        }
    }

    public var remedy: String? {
        switch self {
        case .syntax: "Correct the expression."
        case .unknownName: "Use an input, or an expression defined before this one."
        case .unknownFunction: "Use one of the functions of the expression language."
        case .mismatch(_, _, let remedy): remedy ?? "Convert the value with cast(… as …), or use another one."
        case .tooLarge: "Split it into several expressions, each using the names of those before."
        case .duplicateName: "Rename one of them."
        case .wrongRow: "Give the program's inputs, in order, in their own types."
        case .expression(_, let failure): failure.remedy
        }
    }
}
