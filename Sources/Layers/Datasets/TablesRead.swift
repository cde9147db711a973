/// The names that an SQL text reads tables by: the words after FROM and JOIN, aliases among them.
///
/// Comments and texts in single quotes are passed over. This is no parser: it may name too much, which then has to be
/// written in another way, but a table that is read is never missed.
public enum TablesRead {
    private static let starts: Set<String> = ["FROM", "JOIN"]
    private static let ends: Set<String> = [
        "WHERE", "GROUP", "ORDER", "ON", "USING", "WINDOW", "QUALIFY", "HAVING", "LIMIT", "SELECT", "UNION", "EXCEPT",
        "INTERSECT", "LEFT", "RIGHT", "FULL", "INNER", "OUTER", "CROSS", "ASOF", "SEMI", "ANTI", "POSITIONAL",
        "NATURAL",
        "PIVOT", "UNPIVOT", "SAMPLE", "TABLESAMPLE",
    ]

    public static func names(in sql: String) -> Set<String> {
        let code = sql.replacing(#/--[^\n]*|/\*(?s:.*?)\*/|'(?:[^']|'')*'/#, with: " ")
        var names: Set<String> = []
        var reading = false
        for match in code.matches(of: #/[\p{L}\p{N}_]+|[()]/#) {
            let word = String(match.output)
            if starts.contains(word.uppercased()) {
                reading = true
            } else if word == "(" || word == ")" {
                // What follows the parenthesis of a table in a list may be the next table.
                reading = reading && word == ")"
            } else if ends.contains(word.uppercased()) {
                reading = false
            } else if reading, word.uppercased() != "AS" {
                names.insert(word)
            }
        }
        return names
    }
}
