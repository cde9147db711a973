/// A filter of a search: clauses that must all hold.
///
/// The grammar is MLflow's: `KEY COMPARISON VALUE`, joined by AND. There is no OR, no NOT and no bracket but those of a list.
public struct SearchFilter: Sendable {
    /// How a value is compared.
    public enum Comparison: String, Sendable {
        case equal = "="
        case unequal = "!="
        case less = "<"
        case atMost = "<="
        case greater = ">"
        case atLeast = ">="
        case like = "LIKE"
        case likeAnyCase = "ILIKE"
        case among = "IN"
        case notAmong = "NOT IN"
        case isNull = "IS NULL"
        case isNotNull = "IS NOT NULL"

        var isOrder: Bool { [.less, .atMost, .greater, .atLeast].contains(self) }
    }

    /// What is compared with.
    public enum Value: Sendable, Equatable {
        case none
        case text(String)
        case number(SearchNumber)
        case list([String])
    }

    /// One condition.
    public struct Clause: Sendable, Equatable {
        public var entity: SearchVocabulary.Entity
        public var key: String
        public var comparison: Comparison
        public var value: Value
    }

    /// How many conditions a filter may have.
    public static let clauseLimit = 200
    /// How long a filter may be, in bytes.
    public static let lengthLimit = 64 << 10
    /// How long a pattern of LIKE may be, in bytes: half of what SQLite takes, because each backslash is doubled.
    public static let patternLimit = 24_000

    /// The conditions; none where everything is looked for.
    public var clauses: [Clause]

    /// Reads a filter; an empty one has no clauses.
    /// - Throws: ``ExperimentsFailure/search(_:)``.
    public init(_ text: String, _ vocabulary: SearchVocabulary) throws {
        guard text.utf8.count <= SearchFilter.lengthLimit else {
            throw ExperimentsFailure.search(
                "Invalid filter string: it has \(text.utf8.count) bytes, the most is \(SearchFilter.lengthLimit)")
        }
        var parser = SearchParser(try SearchLexer.tokens(text), vocabulary, whole: text)
        clauses = try parser.clauses()
    }

    static func brief(_ text: String) -> String { text.utf8.count <= 200 ? "'\(text)'" : "'\(text.prefix(200))...'" }
}

/// Reads clauses from tokens.
private struct SearchParser {
    private var rest: ArraySlice<SearchToken>
    private let vocabulary: SearchVocabulary
    private let whole: String

    init(_ tokens: [SearchToken], _ vocabulary: SearchVocabulary, whole: String) {
        rest = tokens[...]
        self.vocabulary = vocabulary
        self.whole = whole
    }

    mutating func clauses() throws -> [SearchFilter.Clause] {
        var clauses: [SearchFilter.Clause] = []
        guard !rest.isEmpty else { return clauses }
        repeat {
            clauses.append(try clause())
            guard clauses.count <= SearchFilter.clauseLimit else {
                throw refusal("it has more than \(SearchFilter.clauseLimit) clauses")
            }
        } while keyword("AND")
        guard rest.isEmpty else { throw refusal("'\(rest.first?.written ?? "")' where AND belongs") }
        return clauses
    }

    private mutating func clause() throws -> SearchFilter.Clause {
        let path: SearchPath
        switch rest.popFirst() {
        case .word(let found, let text)?:
            guard !["OR", "NOT", "AND"].contains(text.uppercased()) else {
                throw refusal("'\(text)' where a key belongs")
            }
            path = found
        // "metrics.loss" in one pair of quotes.
        case .text(let text)?:
            let parts = text.split(separator: ".", maxSplits: 1).map(String.init)
            guard let first = parts.first, let last = parts.last else { throw refusal("a key is empty") }
            path = parts.count == 2 ? SearchPath(prefix: first, name: last) : SearchPath(prefix: nil, name: text)
        case let other: throw refusal("'\(other?.written ?? "")' where a key belongs")
        }
        let (entity, key) = try vocabulary.key(path)
        let comparison = try comparison()
        var value = try value(of: comparison)
        if entity == .attribute, vocabulary.attributes[key] == .quotableNumber, case .text(let text) = value,
            let number = Int64(text)
        {
            value = .number(.integer(number))
        }
        let clause = SearchFilter.Clause(entity: entity, key: key, comparison: comparison, value: value)
        try check(clause)
        return clause
    }

    private mutating func comparison() throws -> SearchFilter.Comparison {
        if case .comparison(let text)? = rest.first, let found = SearchFilter.Comparison(rawValue: text) {
            rest.removeFirst()
            return found
        }
        if keyword("LIKE") { return .like }
        if keyword("ILIKE") { return .likeAnyCase }
        if keyword("IN") { return .among }
        if keyword("NOT") {
            guard keyword("IN") else { throw refusal("NOT without IN") }
            return .notAmong
        }
        if keyword("IS") {
            let isNot = keyword("NOT")
            guard keyword("NULL") else { throw refusal("IS without NULL") }
            return isNot ? .isNotNull : .isNull
        }
        throw refusal("'\(rest.first?.written ?? "")' where a comparison belongs")
    }

    private mutating func value(of comparison: SearchFilter.Comparison) throws -> SearchFilter.Value {
        switch comparison {
        case .isNull, .isNotNull: return .none
        case .among, .notAmong: return .list(try list())
        default: break
        }
        switch rest.popFirst() {
        case .text(let text)?: return .text(text)
        case .number(let number, _)?: return .number(number)
        case .word(_, let text)?: return .list([text])
        case let other: throw refusal("'\(other?.written ?? "")' where a value belongs")
        }
    }

    private mutating func list() throws -> [String] {
        guard rest.popFirst() == .open else { throw refusal("IN without a list in brackets") }
        var items: [String] = []
        while true {
            guard case .text(let text)? = rest.popFirst() else {
                throw refusal("While parsing a list in the query, expected string value, punctuation, or whitespace")
            }
            items.append(text)
            switch rest.popFirst() {
            case .comma?: continue
            case .close?: return items
            default: throw refusal("a list is not closed")
            }
        }
    }

    private func check(_ clause: SearchFilter.Clause) throws {
        let sign = clause.comparison.rawValue
        func needText(_ kind: String) throws {
            guard [.isNull, .isNotNull, .among, .notAmong].contains(clause.comparison) || isText(clause.value) else {
                throw ExperimentsFailure.search(
                    "Expected a quoted string value for \(kind) (e.g. 'my-value'). Got value \(written(clause.value))")
            }
        }
        func needNumber(_ kind: String) throws {
            guard clause.comparison.isOrder || clause.comparison == .equal || clause.comparison == .unequal else {
                throw ExperimentsFailure.search("Invalid comparator '\(sign)' for \(kind)")
            }
            guard case .number = clause.value else {
                throw ExperimentsFailure.search(
                    "Expected numeric value type for \(kind). Found \(written(clause.value))")
            }
        }
        func allow(_ comparisons: [SearchFilter.Comparison], _ kind: String) throws {
            guard comparisons.contains(clause.comparison) else {
                throw ExperimentsFailure.search("Invalid comparator '\(sign)' for \(kind) '\(clause.key)'")
            }
        }
        if [.like, .likeAnyCase].contains(clause.comparison), case .text(let pattern) = clause.value,
            pattern.utf8.count > SearchFilter.patternLimit
        {
            throw refusal("a pattern has \(pattern.utf8.count) bytes, the most is \(SearchFilter.patternLimit)")
        }
        let texts: [SearchFilter.Comparison] = [.equal, .unequal, .like, .likeAnyCase]
        switch clause.entity {
        case .metric: try needNumber("metric")
        case .parameter, .tag:
            try allow(texts + [.isNull, .isNotNull], clause.entity.rawValue)
            try needText(clause.entity.rawValue)
        case .dataset:
            try allow(texts + [.among, .notAmong], "dataset")
            try needText("dataset")
        case .attribute:
            switch vocabulary.attributes[clause.key] {
            case .number?, .quotableNumber?: try needNumber("numeric attribute: \(clause.key)")
            case .listedText?:
                try allow(texts + [.among, .notAmong], "attribute")
                try needText("attributes")
            case .identifier?:
                try allow([.equal, .unequal, .among, .notAmong], "attribute")
                try needText("attributes")
            default:
                if clause.comparison == .among || clause.comparison == .notAmong {
                    throw ExperimentsFailure.search(
                        "Only the 'run_id' attribute supports comparison with a list of quoted string values.")
                }
                try allow(texts, "attribute")
                try needText("attributes")
            }
        }
    }

    private func isText(_ value: SearchFilter.Value) -> Bool {
        if case .text = value { return true }
        return false
    }

    private func written(_ value: SearchFilter.Value) -> String {
        switch value {
        case .none: "nothing"
        case .text(let text): "'\(text)'"
        case .number(.integer(let number)): "\(number)"
        case .number(.double(let number)): "\(number)"
        case .list(let items): items.joined(separator: ", ")
        }
    }

    private mutating func keyword(_ word: String) -> Bool {
        guard case .word(let path, let text)? = rest.first, path.prefix == nil, text.uppercased() == word else {
            return false
        }
        rest.removeFirst()
        return true
    }

    private func refusal(_ reason: String) -> ExperimentsFailure {
        .search("Invalid clause(s) in filter string: \(SearchFilter.brief(whole)): \(reason)")
    }
}
