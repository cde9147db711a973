/// The words of an SQL text outside comments and texts in single quotes: enough to see which names it may refer to.
enum SQLWords {
    static func of(_ sql: String) -> Set<String> {
        let code = sql.replacing(#/--[^\n]*|/\*(?s:.*?)\*/|'(?:[^']|'')*'/#, with: " ")
        return Set(code.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init))
    }
}
