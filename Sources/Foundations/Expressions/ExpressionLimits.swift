/// What bounds the text and the work of one expression.
public enum ExpressionLimits {
    /// Bytes of an expression's text.
    public static let textBytes = 16 << 10
    /// Levels of parentheses, calls, cases and prefix operators inside one another.
    public static let depth = 64
    /// Names, literals, operators and calls of one expression.
    public static let nodes = 4096
    /// Bytes of one string value; a longer one, read or computed, is null.
    public static let stringBytes = 64 << 10
    /// Bytes of all strings computed on the way to one result; what would not fit is null.
    public static let scratchBytes = 16 << 20
    /// Inputs, constants and values in between of one program.
    static let registers = Int(UInt16.max)
}
