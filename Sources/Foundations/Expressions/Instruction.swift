/// What an instruction does to its registers. Names end in the type of the operands where there is a choice.
enum Operation: UInt8, Sendable {
    // Control: `extra` is where to go on.
    case move, jump, jumpUnlessTrue, jumpUnlessNull
    // Strings computed since `mark` are given up at `keep`, but for the one in `a`.
    case mark, keep
    // Arithmetic.
    case addInteger, subtractInteger, multiplyInteger, divideInteger, moduloInteger, negateInteger, absInteger
    case signInteger, clampInteger, leastInteger, greatestInteger
    case addDouble, subtractDouble, multiplyDouble, divideDouble, moduloDouble, negateDouble, absDouble
    case signDouble, clampDouble, leastDouble, greatestDouble
    case leastString, greatestString
    // Comparisons and logic.
    case equalInteger, unequalInteger, lessInteger, lessOrEqualInteger
    case equalDouble, unequalDouble, lessDouble, lessOrEqualDouble
    case equalString, unequalString, lessString, lessOrEqualString
    case and, or, not, isNull, isNotNull, nullWhere
    // Functions of doubles.
    case round, roundDigits, floor, ceil, truncate, squareRoot, exp, ln, log10, log2, power, sine, cosine, tangent
    case arcTangent, radians, degrees, sigmoid, haversine, bucket
    // Conversions.
    case integerToDouble, doubleToInteger, doubleToFloat, integerToFloat, integerToBoolean, doubleToBoolean
    case integerToString, doubleToString, floatToString, booleanToString, timestampToString
    case stringToInteger, stringToDouble, stringToFloat, stringToBoolean, stringToTimestamp
    // Strings.
    case lower, upper, length, trim, concat, startsWith, endsWith, contains, substring, replace, hashBucket
    // Times: `extra` is a time zone, or -1 for UTC.
    case hour, minute, dayOfWeek, day, month, year
    case epochSeconds, elapsed, timestampOfInteger, timestampOfDouble
}

/// The number of a register.
typealias Register = UInt16

/// One step of a compiled program, 16 bytes.
struct Instruction: Sendable {
    let operation: Operation
    /// Where the result goes.
    var target: Register = 0
    var a: Register = 0
    var b: Register = 0
    var c: Register = 0
    var d: Register = 0
    /// A place in the program, or the index of a zone or of bounds.
    var extra: Int32 = 0
}
