/// The words of an SQL text: enough to see which names it may refer to.
enum SQLWords {
    static func of(_ sql: String) -> Set<String> {
        Set(
            sql.split { !($0.isLetter || $0.isNumber || $0 == "_") }.map(String.init))
    }
}
