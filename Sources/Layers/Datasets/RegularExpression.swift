/// What differs between the regular expressions of Python's `re` and of RE2, which checks ours.
///
/// RE2 has no lookaround, references, atomic groups or possessive quantifiers; its `\d`, `\w` and `\s` are ASCII where
/// Python's are Unicode; its `$` is the very end of the text where Python's is also before a last line feed.
enum RegularExpression {
    /// What in a pattern RE2 can not do; nil where nothing is known against it.
    static func problem(_ pattern: String) -> String? {
        var tokens = Tokens(pattern)
        var last: Character?
        while let token = tokens.next() {
            if let problem = unsupported(token) { return problem }
            guard case .plain(let character, false) = token else {
                last = nil
                continue
            }
            if character == "+", let last, "*+?}".contains(last) { return "a possessive quantifier '\(last)+'" }
            last = character
        }
        return nil
    }

    /// A pattern of Python's that gives the same verdict in RE2.
    /// - Returns: the pattern, or what stands against it.
    static func fromPython(_ pattern: String) -> Result<String, Problem> {
        if let problem = problem(pattern) { return .failure(Problem(text: problem)) }
        var tokens = Tokens(pattern)
        var result = ""
        var multiline = false
        while let token = tokens.next() {
            switch token {
            case .escape(let letter, let inClass):
                switch (letter, inClass) {
                case ("d", _): result += #"\p{Nd}"#
                case ("D", _): result += #"\P{Nd}"#
                case ("w", true): result += word
                case ("w", false): result += "[\(word)]"
                case ("s", true): result += space
                case ("s", false): result += "[\(space)]"
                case ("W", false): result += "[^\(word)]"
                case ("S", false): result += "[^\(space)]"
                case ("W", true), ("S", true): return .failure(Problem(text: "'\\\(letter)' in brackets"))
                case ("Z", false): result += #"\z"#
                case ("b", false), ("B", false): return .failure(Problem(text: "'\\\(letter)', which is ASCII in RE2"))
                default: result += "\\\(letter)"
                }
            case .group(let opening):
                let flags = opening.dropFirst(2).prefix { $0 != ":" && $0 != ")" && $0 != "<" && $0 != "P" }
                if let flag = flags.first(where: { "aLux".contains($0) }) {
                    return .failure(Problem(text: "the flag '\(flag)'"))
                }
                multiline = multiline || flags.contains("m")
                result += opening
            case .plain("$", false):
                guard !multiline else {
                    result += "$"
                    continue
                }
                guard tokens.isAtAnEnd else { return .failure(Problem(text: "'$' before the end")) }
                result += lastLine
            case .plain(let character, _): result.append(character)
            }
        }
        return .success(result)
    }

    /// The same pattern for Python's `re`.
    static func toPython(_ pattern: String) -> Result<String, Problem> {
        let exact = [
            ("[^\(word)]", #"\W"#), ("[^\(space)]", #"\S"#), ("[\(word)]", #"\w"#), ("[\(space)]", #"\s"#),
            (word, #"\w"#), (space, #"\s"#), (#"\p{Nd}"#, #"\d"#), (#"\P{Nd}"#, #"\D"#), (lastLine, "$"),
        ]
        var rest = pattern[...]
        var result = ""
        var inClass = false
        scan: while !rest.isEmpty {
            for (ours, python) in exact where rest.hasPrefix(ours) {
                result += python
                rest = rest.dropFirst(ours.count)
                continue scan
            }
            let character = rest.removeFirst()
            if character == "\\", let letter = rest.popFirst() {
                switch letter {
                case "z": result += #"\Z"#
                case "d": result += inClass ? "0-9" : "[0-9]"
                case "w": result += inClass ? "0-9A-Za-z_" : "[0-9A-Za-z_]"
                case "s": result += inClass ? #"\t\n\f\r "# : #"[\t\n\f\r ]"#
                case "D" where !inClass: result += "[^0-9]"
                case "W" where !inClass: result += "[^0-9A-Za-z_]"
                case "S" where !inClass: result += #"[^\t\n\f\r ]"#
                case "p", "P", "C", "Q", "D", "W", "S", "b", "B", "x":
                    return .failure(Problem(text: "'\\\(letter)'"))
                default: result += "\\\(letter)"
                }
                continue
            }
            if character == "[" { inClass = true } else if character == "]" { inClass = false }
            result += character == "$" && !inClass ? #"\Z"# : String(character)
        }
        return .success(result)
    }

    struct Problem: Error, Equatable { let text: String }

    private static let word = #"\p{L}\p{N}_"#
    private static let space = #"\t-\r\x1c-\x20\x{85}\p{Z}"#
    private static let lastLine = #"(?:\n?\z)"#

    private static func unsupported(_ token: Token) -> String? {
        switch token {
        case .group(let opening):
            if ["(?=", "(?!", "(?<=", "(?<!"].contains(opening) { return "a lookaround '\(opening)'" }
            if opening == "(?>" { return "an atomic group '(?>'" }
            if opening.hasPrefix("(?P=") { return "a reference to a group" }
            if opening.hasPrefix("(?(") { return "a condition '(?('" }
            if opening.hasPrefix("(?#") { return "a comment '(?#'" }
            return nil
        case .escape(let letter, inClass: false) where ("1"..."9").contains(letter): return "a reference '\\\(letter)'"
        default: return nil
        }
    }

    private enum Token: Equatable {
        case plain(Character, inClass: Bool)
        case escape(Character, inClass: Bool)
        /// `(?` and what tells the kind of the group.
        case group(String)
    }

    private struct Tokens {
        private var rest: Substring
        private var inClass = false
        private var classStart = false

        init(_ pattern: String) { rest = pattern[...] }

        /// Whether only closing parentheses, an alternative or nothing follows.
        var isAtAnEnd: Bool { rest.isEmpty || rest.first == ")" || rest.first == "|" }

        mutating func next() -> Token? {
            guard let character = rest.popFirst() else { return nil }
            let opened = classStart
            classStart = (character == "[" && !inClass) || (opened && character == "^")
            if character == "\\", let letter = rest.popFirst() { return .escape(letter, inClass: inClass) }
            if inClass {
                if character == "]", !opened { inClass = false }
                return .plain(character, inClass: true)
            }
            if character == "[" {
                inClass = true
                return .plain(character, inClass: true)
            }
            guard character == "(", rest.hasPrefix("?") else { return .plain(character, inClass: false) }
            var opening = "("
            let marks = ["?<=", "?<!", "?P=", "?P<", "?=", "?!", "?>", "?(", "?#", "?<", "?:"]
            if let mark = marks.first(where: { rest.hasPrefix($0) }) {
                opening += mark
                rest = rest.dropFirst(mark.count)
            } else {
                while let flag = rest.first, flag != ":", flag != ")" {
                    opening.append(flag)
                    rest.removeFirst()
                }
            }
            return .group(opening)
        }
    }
}
