/// The line of column names that a CSV file begins with.
struct CSVHeader: Sendable, Equatable {
    let names: [String]

    /// - Parameters:
    ///   - line: the file's first line.
    ///   - delimiter: what stands between two names.
    ///   - file: for messages.
    /// - Throws: ``DatasetsFailure/badHeader(file:reason:)``.
    init(_ line: String, delimiter: Character, file: String) throws {
        func refuse(_ reason: String) -> DatasetsFailure { .badHeader(file: file, reason: reason) }
        var text = line[...]
        if text.unicodeScalars.first == "\u{FEFF}" { text = String(text.unicodeScalars.dropFirst())[...] }
        while let last = text.last, last.isNewline { text.removeLast() }
        guard !text.isEmpty else { throw refuse("it is empty") }
        var names: [String] = []
        var name = ""
        var isQuoted = false
        var wasQuoted = false
        var rest = text
        while let character = rest.popFirst() {
            if isQuoted {
                if character != "\"" {
                    name.append(character)
                } else if rest.first == "\"" {
                    name.append(character)
                    rest.removeFirst()
                } else {
                    isQuoted = false
                }
            } else if character == delimiter {
                names.append(name)
                (name, wasQuoted) = ("", false)
            } else if character == "\"", name.isEmpty, !wasQuoted {
                (isQuoted, wasQuoted) = (true, true)
            } else {
                name.append(character)
            }
        }
        guard !isQuoted else { throw refuse("a name spans several lines") }
        names.append(name)
        var seen: Set<String> = []
        // The engine compares names without regard to case.
        if let twice = names.first(where: { !seen.insert($0.lowercased()).inserted }) {
            throw refuse("'\(twice)' stands there twice")
        }
        if names.contains("") { throw refuse("a name is empty") }
        self.names = names
    }
}
