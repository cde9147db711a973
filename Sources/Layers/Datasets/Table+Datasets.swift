import Basics
import Columnar

extension SQLText {
    /// A TIMESTAMP in UTC.
    public static func timestamp(_ moment: Timestamp) -> String {
        "make_timestamp(CAST(\(moment.microseconds) AS BIGINT))"
    }
}

extension Table {
    /// The integer in the first row of a column: what a count gives.
    public func count(_ name: String) throws -> Int64 { try integers(name).first.flatMap { $0 } ?? 0 }
}
