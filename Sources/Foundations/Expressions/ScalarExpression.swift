import Basics

/// One expression of the language in which on-request features are written.
///
/// **Values** are integers (64 bits), doubles, floats (binary32, computed with as doubles), strings, booleans,
/// timestamps (microseconds, UTC), or null. A NaN or an infinity is null wherever it comes from, and so is a string of
/// more than 64 KiB. Operators and functions of a null give null unless said otherwise; nothing fails at run time: an
/// integer overflow, a division by zero, a logarithm of zero and the like give null.
///
/// **Literals:** `1`, `1.5`, `1e-3`, `'it''s'`, `true`, `false`, `null`, `timestamp '2024-01-01T00:00:00Z'`. **Names** are
/// `[A-Za-z_][A-Za-z0-9_]*`, or anything in double quotes. Keywords and functions are not case sensitive, names are.
///
/// **Operators,** from the loosest: `or`; `and`; `not`; `= == != <> < <= > >=`, `[not] between a and b`,
/// `[not] in (…)`, `is [not] null`; `+ -`; `* / // %`; unary `-`. `+ - * %` of integers give an integer, of other numbers
/// a double; `/` gives a double; `//` divides integers and rounds down; the result of `%` has the divisor's sign.
/// Logic has three values as in SQL. Comparisons with a double are made as doubles; strings compare by their UTF-8 bytes.
///
/// **Choice:** `case when c then v … else w end`, `if(c, v, w)` (a null condition is not true), `coalesce(a, …)`,
/// `nullif(a, b)`, `least(a, …)`, `greatest(a, …)`; the last two skip nulls. `clamp(x, low, high)` is null where
/// `low > high`.
///
/// **Numbers:** `abs sign sqrt exp ln log10 log2 pow sin cos tan atan2 radians degrees pi() sigmoid`; `floor ceil trunc
/// round` keep integers; `round(x, digits)` gives a double; halves go away from zero. `bucket(x, b1, b2, …)` is how many
/// of the ascending bounds are at most x. `haversine_km(lat1, lon1, lat2, lon2)` takes degrees (latitudes within ±90,
/// longitudes within ±360, else null) on a sphere of radius 6371.0088 km, the IUGG's mean.
///
/// **Strings:** `lower upper length trim concat starts_with ends_with contains substring(s, from[, length]) replace`. Lengths
/// and positions count Unicode scalars, from 1; `trim` takes ASCII white space away. `hash_bucket(s, n)` is FNV-1a
/// (64 bits) of the UTF-8 modulo n, null where n < 1: it never changes.
///
/// **Times:** `hour minute day_of_week (1 is Monday) day month year`, each of a timestamp and, if wanted, a zone's name
/// (`hour(t, 'America/New_York')`); `epoch_seconds(t)`, `timestamp(seconds)`; `seconds_between(a, b)`, `minutes_between`,
/// `hours_between`, `days_between` (24 hours each) are doubles, positive where b is later.
///
/// **cast(x as type):** doubles to integers cut the fraction off; numbers to booleans tell whether they are not zero;
/// what does not convert is null.
public struct ScalarExpression: Sendable, Equatable {
    public let text: String
    /// The type of its values.
    public let type: ScalarType
    /// The names it uses, in order of first use.
    public let inputs: [String]
    /// The expression over a row of `inputs`, with one output.
    public let program: ScalarProgram

    /// Parses and checks a text.
    ///
    /// - Parameters:
    ///   - text: at most 16 KiB; see `ExpressionLimits` for the other bounds.
    ///   - names: what it can refer to.
    public init(_ text: String, names: [String: ScalarType]) throws(ExpressionFailure) {
        let fields = names.keys.sorted().compactMap { name in names[name].map { ScalarField(name, $0) } }
        let wide = try ScalarProgram(text, inputs: fields)
        program = try ScalarProgram(text, inputs: wide.used.map { fields[$0] })
        self.text = text
        type = program.outputs.first?.type ?? .double
        inputs = program.inputs.map(\.name)
    }

    /// The value for one row. `program.frame()` is the quick way; this one is convenient.
    ///
    /// - Parameter values: a name that is not there is null.
    /// - Throws: `wrongRow` where a value has another type than its name.
    public func evaluate(_ values: [String: ScalarValue]) throws(ExpressionFailure) -> ScalarValue {
        try program.evaluate(inputs.map { values[$0] ?? .null }).first ?? .null
    }

    public static func == (left: ScalarExpression, right: ScalarExpression) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8) && left.program.inputs == right.program.inputs
    }
}
