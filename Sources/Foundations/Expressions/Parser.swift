import Basics

/// Reads an expression by recursive descent, from `or`, which binds least, to literals.
struct Parser {
    private let tokens: [Token]
    private var index = 0
    private var depth = 0
    private var nodes: [SyntaxNode] = []

    private static let keywords: Set<String> = [
        "and", "or", "not", "between", "in", "is", "null", "true", "false", "case", "when", "then", "else", "end",
        "cast", "as",
    ]
    private static let comparisons: Set<String> = ["=", "==", "!=", "<>", "<", "<=", ">", ">="]

    /// - Returns: the nodes, children before parents; the last is the whole.
    static func parse(_ text: String) throws(ExpressionFailure) -> [SyntaxNode] {
        var parser = Parser(tokens: try Lexer.tokens(of: text))
        _ = try parser.expression()
        guard parser.token.kind == .end else {
            throw .syntax("expected an operator or the end, found \(parser.token.shown)", at: parser.token.offset)
        }
        return parser.nodes
    }

    private init(tokens: [Token]) { self.tokens = tokens }

    private var token: Token {
        index < tokens.count ? tokens[index] : Token(kind: .end, offset: tokens.last?.offset ?? 0)
    }

    private var following: Token.Kind { index + 1 < tokens.count ? tokens[index + 1].kind : .end }

    private func isAt(_ symbol: String) -> Bool { token.kind == .symbol(symbol) }

    /// The keyword at hand, in small letters.
    private var keyword: String? {
        guard case .word(let word) = token.kind else { return nil }
        let small = word.lowercased()
        return Parser.keywords.contains(small) ? small : nil
    }

    private mutating func skip(_ symbol: String) -> Bool {
        guard isAt(symbol) else { return false }
        index += 1
        return true
    }

    private mutating func skip(keyword word: String) -> Bool {
        guard keyword == word else { return false }
        index += 1
        return true
    }

    private mutating func expect(_ symbol: String, _ what: String) throws(ExpressionFailure) {
        guard skip(symbol) else { throw .syntax("expected \(what), found \(token.shown)", at: token.offset) }
    }

    private mutating func expect(keyword word: String) throws(ExpressionFailure) {
        guard skip(keyword: word) else { throw .syntax("expected '\(word)', found \(token.shown)", at: token.offset) }
    }

    private mutating func add(_ form: SyntaxNode.Form, _ offset: Int) throws(ExpressionFailure) -> Int {
        guard nodes.count < ExpressionLimits.nodes else {
            throw .tooLarge("the expression has more than \(ExpressionLimits.nodes) names, literals and operators")
        }
        nodes.append(SyntaxNode(form: form, offset: offset))
        return nodes.count - 1
    }

    private mutating func enter() throws(ExpressionFailure) {
        depth += 1
        guard depth <= ExpressionLimits.depth else {
            throw .tooLarge(
                "the expression is nested more than \(ExpressionLimits.depth) levels deep at \(token.offset)")
        }
    }

    private mutating func expression() throws(ExpressionFailure) -> Int {
        try enter()
        defer { depth -= 1 }
        let start = token.offset
        var left = try conjunction()
        while skip(keyword: "or") { left = try add(.call("or", [left, try conjunction()]), start) }
        return left
    }

    private mutating func conjunction() throws(ExpressionFailure) -> Int {
        let start = token.offset
        var left = try negation()
        while skip(keyword: "and") { left = try add(.call("and", [left, try negation()]), start) }
        return left
    }

    private mutating func negation() throws(ExpressionFailure) -> Int {
        let start = token.offset
        guard skip(keyword: "not") else { return try predicate() }
        try enter()
        defer { depth -= 1 }
        return try add(.call("not", [try negation()]), start)
    }

    private mutating func predicate() throws(ExpressionFailure) -> Int {
        let start = token.offset
        let left = try sum()
        let result: Int
        if case .symbol(let symbol) = token.kind, Parser.comparisons.contains(symbol) {
            index += 1
            let name = symbol == "==" ? "=" : symbol == "!=" ? "<>" : symbol
            result = try add(.call(name, [left, try sum()]), start)
        } else if skip(keyword: "is") {
            let negated = skip(keyword: "not")
            try expect(keyword: "null")
            result = try add(.call(negated ? "is not null" : "is null", [left]), start)
        } else {
            let negated = skip(keyword: "not")
            guard let test = try rangeOrSet(left, start) else {
                guard !negated else {
                    throw .syntax("expected 'in' or 'between' after 'not', found \(token.shown)", at: token.offset)
                }
                return left
            }
            result = negated ? try add(.call("not", [test]), start) : test
        }
        if case .symbol(let symbol) = token.kind, Parser.comparisons.contains(symbol) {
            throw .syntax(
                "comparisons do not chain: write 'and' between two of them; found '\(symbol)'", at: token.offset)
        }
        return result
    }

    private mutating func rangeOrSet(_ left: Int, _ start: Int) throws(ExpressionFailure) -> Int? {
        if skip(keyword: "between") {
            let low = try sum()
            try expect(keyword: "and")
            return try add(.call("between", [left, low, try sum()]), start)
        }
        guard skip(keyword: "in") else { return nil }
        try expect("(", "'(' after 'in'")
        return try add(.call("in", [left] + (try list())), start)
    }

    private mutating func sum() throws(ExpressionFailure) -> Int {
        let start = token.offset
        var left = try product()
        while case .symbol(let symbol) = token.kind, symbol == "+" || symbol == "-" {
            index += 1
            left = try add(.call(symbol, [left, try product()]), start)
        }
        return left
    }

    private mutating func product() throws(ExpressionFailure) -> Int {
        let start = token.offset
        var left = try signed()
        while case .symbol(let symbol) = token.kind, ["*", "/", "//", "%"].contains(symbol) {
            index += 1
            left = try add(.call(symbol, [left, try signed()]), start)
        }
        return left
    }

    private mutating func signed() throws(ExpressionFailure) -> Int {
        let start = token.offset
        guard skip("-") else { return try primary() }
        if case .integer(let magnitude) = token.kind {
            index += 1
            return try add(.literal(.integer(Int64(truncatingIfNeeded: 0 &- magnitude))), start)
        }
        if case .double(let magnitude) = token.kind {
            index += 1
            return try add(.literal(.double(-magnitude)), start)
        }
        try enter()
        defer { depth -= 1 }
        return try add(.call("unary -", [try signed()]), start)
    }

    private mutating func primary() throws(ExpressionFailure) -> Int {
        let start = token.offset
        switch token.kind {
        case .integer(let magnitude):
            guard let value = Int64(exactly: magnitude) else {
                throw .syntax("the integer \(magnitude) does not fit into 64 bits", at: start)
            }
            index += 1
            return try add(.literal(.integer(value)), start)
        case .double(let value):
            index += 1
            return try add(.literal(.double(value)), start)
        case .string(let text):
            index += 1
            return try add(.literal(.string(text)), start)
        case .quoted(let name):
            index += 1
            return try add(.name(name), start)
        case .word(let word): return try self.word(word, start)
        case .symbol("("):
            index += 1
            let inner = try expression()
            try expect(")", "')'")
            return inner
        case .symbol, .end: throw .syntax("expected a value, found \(token.shown)", at: start)
        }
    }

    private mutating func word(_ word: String, _ start: Int) throws(ExpressionFailure) -> Int {
        if let keyword {
            index += 1
            switch keyword {
            case "null": return try add(.literal(.null), start)
            case "true": return try add(.literal(.boolean(true)), start)
            case "false": return try add(.literal(.boolean(false)), start)
            case "case": return try choice(start)
            case "cast": return try cast(start)
            default:
                throw .syntax("expected a value, found '\(keyword)'", at: start)
            }
        }
        if word.lowercased() == "timestamp", case .string(let text) = following {
            guard let moment = Timestamp(text) else {
                throw .syntax("'\(text.prefix(64))' is no RFC 3339 time such as 2024-01-01T00:00:00Z", at: start)
            }
            index += 2
            return try add(.literal(.timestamp(moment)), start)
        }
        index += 1
        guard skip("(") else { return try add(.name(word), start) }
        let arguments = skip(")") ? [] : try list()
        let name = word.lowercased()
        if name == "if" {
            guard arguments.count == 3 else {
                throw .mismatch(
                    "'if' takes 3 arguments (condition, value, other value), not \(arguments.count),", at: start,
                    remedy: nil)
            }
            return try add(.choice(arguments), start)
        }
        return try add(.call(name, arguments), start)
    }

    /// Expressions between commas, and the closing parenthesis.
    private mutating func list() throws(ExpressionFailure) -> [Int] {
        var items = [try expression()]
        while skip(",") { items.append(try expression()) }
        try expect(")", "',' or ')'")
        return items
    }

    private mutating func choice(_ start: Int) throws(ExpressionFailure) -> Int {
        var children: [Int] = []
        repeat {
            try expect(keyword: "when")
            children.append(try expression())
            try expect(keyword: "then")
            children.append(try expression())
        } while keyword == "when"
        children.append(skip(keyword: "else") ? try expression() : try add(.literal(.null), token.offset))
        try expect(keyword: "end")
        return try add(.choice(children), start)
    }

    private mutating func cast(_ start: Int) throws(ExpressionFailure) -> Int {
        try expect("(", "'(' after 'cast'")
        let value = try expression()
        try expect(keyword: "as")
        let names = ScalarType.allCases.map(\.rawValue)
        guard case .word(let word) = token.kind else {
            throw .syntax("expected a type, found \(token.shown)", at: token.offset)
        }
        guard let type = ScalarType(rawValue: word.lowercased()) else {
            let hint = NearestWord.of(word, among: names).map { " (did you mean '\($0)'?)" } ?? ""
            throw .syntax(
                "expected a type (\(names.joined(separator: ", "))), found '\(word.prefix(64))'\(hint)",
                at: token.offset)
        }
        index += 1
        try expect(")", "')'")
        return try add(.cast(value, type), start)
    }
}
