import Basics

/// What an operator or a function takes and gives, and the operations that compute it.
struct Function {
    enum Rule {
        /// Numbers of one type: integer where all are, else double. The result has `result`'s type, or theirs.
        case numbers(integer: Operation, double: Operation, result: ScalarType?)
        /// Arguments of these types, an integer where a double stands.
        case fixed([ScalarType], ScalarType, Operation)
        /// A time of day or of the calendar, of a timestamp and perhaps a time zone's name.
        case field(Operation)
        /// The time between two timestamps, in units of so many microseconds.
        case elapsed(Double)
        /// Two values of one type; `swapped` takes the second as first.
        case comparison(integer: Operation, double: Operation, string: Operation, swapped: Bool)
        /// Any number of values of one type.
        case extreme(integer: Operation, double: Operation, string: Operation)
        case constant(Double)
        case nullTest(Operation)
        case coalesce
        case nullIf
        case between
        case among
        case concat
        case bucket
        case round
        case substring
    }

    let arguments: ClosedRange<Int>
    let rule: Rule

    private init(_ arguments: ClosedRange<Int>, _ rule: Rule) {
        self.arguments = arguments
        self.rule = rule
    }

    private static func doubles(_ count: Int, _ operation: Operation) -> Function {
        Function(count...count, .fixed(Array(repeating: .double, count: count), .double, operation))
    }

    private static func fixed(_ types: [ScalarType], _ result: ScalarType, _ operation: Operation) -> Function {
        Function(types.count...types.count, .fixed(types, result, operation))
    }

    private static func numbers(
        _ count: Int, _ integer: Operation, _ double: Operation, result: ScalarType? = nil
    ) -> Function {
        Function(count...count, .numbers(integer: integer, double: double, result: result))
    }

    private static func compared(
        _ integer: Operation, _ double: Operation, _ string: Operation, swapped: Bool = false
    ) -> Function {
        Function(2...2, .comparison(integer: integer, double: double, string: string, swapped: swapped))
    }

    private static let many = ExpressionLimits.nodes

    /// Names of functions that a text can call.
    static let names = functions.keys.sorted()

    static func named(_ name: String) -> Function? { functions[name] ?? operators[name] }

    private static let operators: [String: Function] = [
        "+": numbers(2, .addInteger, .addDouble),
        "-": numbers(2, .subtractInteger, .subtractDouble),
        "*": numbers(2, .multiplyInteger, .multiplyDouble),
        "/": doubles(2, .divideDouble),
        "//": fixed([.integer, .integer], .integer, .divideInteger),
        "%": numbers(2, .moduloInteger, .moduloDouble),
        "unary -": numbers(1, .negateInteger, .negateDouble),
        "=": compared(.equalInteger, .equalDouble, .equalString),
        "<>": compared(.unequalInteger, .unequalDouble, .unequalString),
        "<": compared(.lessInteger, .lessDouble, .lessString),
        "<=": compared(.lessOrEqualInteger, .lessOrEqualDouble, .lessOrEqualString),
        ">": compared(.lessInteger, .lessDouble, .lessString, swapped: true),
        ">=": compared(.lessOrEqualInteger, .lessOrEqualDouble, .lessOrEqualString, swapped: true),
        "and": fixed([.boolean, .boolean], .boolean, .and),
        "or": fixed([.boolean, .boolean], .boolean, .or),
        "not": fixed([.boolean], .boolean, .not),
        "is null": Function(1...1, .nullTest(.isNull)),
        "is not null": Function(1...1, .nullTest(.isNotNull)),
        "between": Function(3...3, .between),
        "in": Function(2...many, .among),
    ]

    private static let functions: [String: Function] = [
        "coalesce": Function(1...many, .coalesce),
        "nullif": Function(2...2, .nullIf),
        "least": Function(1...many, .extreme(integer: .leastInteger, double: .leastDouble, string: .leastString)),
        "greatest": Function(
            1...many, .extreme(integer: .greatestInteger, double: .greatestDouble, string: .greatestString)),
        "abs": numbers(1, .absInteger, .absDouble),
        "sign": numbers(1, .signInteger, .signDouble, result: .integer),
        "clamp": numbers(3, .clampInteger, .clampDouble),
        "round": Function(1...2, .round),
        "floor": numbers(1, .move, .floor),
        "ceil": numbers(1, .move, .ceil),
        "trunc": numbers(1, .move, .truncate),
        "sqrt": doubles(1, .squareRoot),
        "exp": doubles(1, .exp),
        "ln": doubles(1, .ln),
        "log10": doubles(1, .log10),
        "log2": doubles(1, .log2),
        "pow": doubles(2, .power),
        "sin": doubles(1, .sine),
        "cos": doubles(1, .cosine),
        "tan": doubles(1, .tangent),
        "atan2": doubles(2, .arcTangent),
        "radians": doubles(1, .radians),
        "degrees": doubles(1, .degrees),
        "pi": Function(0...0, .constant(.pi)),
        "haversine_km": doubles(4, .haversine),
        "sigmoid": doubles(1, .sigmoid),
        "bucket": Function(2...many, .bucket),
        "lower": fixed([.string], .string, .lower),
        "upper": fixed([.string], .string, .upper),
        "length": fixed([.string], .integer, .length),
        "trim": fixed([.string], .string, .trim),
        "concat": Function(1...many, .concat),
        "starts_with": fixed([.string, .string], .boolean, .startsWith),
        "ends_with": fixed([.string, .string], .boolean, .endsWith),
        "contains": fixed([.string, .string], .boolean, .contains),
        "substring": Function(2...3, .substring),
        "replace": fixed([.string, .string, .string], .string, .replace),
        "hash_bucket": fixed([.string, .integer], .integer, .hashBucket),
        "hour": Function(1...2, .field(.hour)),
        "minute": Function(1...2, .field(.minute)),
        "day_of_week": Function(1...2, .field(.dayOfWeek)),
        "day": Function(1...2, .field(.day)),
        "month": Function(1...2, .field(.month)),
        "year": Function(1...2, .field(.year)),
        "epoch_seconds": fixed([.timestamp], .double, .epochSeconds),
        "seconds_between": Function(2...2, .elapsed(1e6)),
        "minutes_between": Function(2...2, .elapsed(60e6)),
        "hours_between": Function(2...2, .elapsed(3600e6)),
        "days_between": Function(2...2, .elapsed(86_400e6)),
        "timestamp": numbers(1, .timestampOfInteger, .timestampOfDouble, result: .timestamp),
    ]
}
