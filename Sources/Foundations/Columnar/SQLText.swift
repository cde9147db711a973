import Basics

/// Names and values as they must be written in SQL, so that nothing in them is taken for SQL.
public enum SQLText {
    /// A name in double quotes.
    public static func identifier(_ name: String) -> String {
        "\"\(name.replacing("\"", with: "\"\""))\""
    }

    /// A text in single quotes.
    public static func literal(_ text: String) -> String {
        "'\(text.replacing("'", with: "''"))'"
    }

    /// A TIMESTAMP in UTC.
    public static func timestamp(_ moment: Timestamp) -> String {
        "make_timestamp(CAST(\(moment.microseconds) AS BIGINT))"
    }
}
