import Basics

/// A random expression as the tests hold it, with a way to write it down.
struct Tree: Sendable {
    /// An operator or function as it is written, `literal`, or `name`.
    let word: String
    let type: ScalarType
    var children: [Tree] = []
    var value: ScalarValue = .null

    static func literal(_ value: ScalarValue, _ type: ScalarType) -> Tree {
        Tree(word: "literal", type: type, value: value)
    }

    /// - Parameter sql: for DuckDB, where numbers need their type, and strings are joined by `||`.
    func text(sql: Bool = false) -> String {
        let parts = children.map { $0.text(sql: sql) }
        func part(_ index: Int) -> String { parts.indices.contains(index) ? parts[index] : "" }
        let list = parts.joined(separator: ", ")
        switch word {
        case "literal": return literalText(sql)
        case "name":
            if case .string(let name) = value { return name }
            return ""
        case "unary -": return "(- \(part(0)))"
        case "not": return "(not \(part(0)))"
        case "is null", "is not null": return "(\(part(0)) \(word))"
        case "between": return "(\(part(0)) between \(part(1)) and \(part(2)))"
        case "in": return "(\(part(0)) in (\(parts.dropFirst().joined(separator: ", "))))"
        case "case": return "(case when \(part(0)) then \(part(1)) when \(part(2)) then \(part(3)) else \(part(4)) end)"
        case "cast":
            return "cast(\(part(0)) as \(sql ? sqlType : type.rawValue))"
        case "concat" where sql: return "(\(parts.joined(separator: " || ")))"
        case "day_of_week" where sql: return "isodow(\(list))"
        case "epoch_seconds" where sql: return "epoch(\(list))"
        default:
            guard let first = word.first, !first.isLetter || word == "and" || word == "or" else {
                return "\(word)(\(list))"
            }
            return "(\(part(0)) \(word) \(part(1)))"
        }
    }

    private var sqlType: String {
        switch type {
        case .integer: "bigint"
        case .string: "varchar"
        case .double, .float, .boolean, .timestamp: type.rawValue
        }
    }

    private func literalText(_ sql: Bool) -> String {
        switch value {
        case .null: "cast(null as \(sql ? sqlType : type.rawValue))"
        case .integer(let value): sql ? "cast(\(value) as bigint)" : "\(value)"
        case .double(let value): sql ? "cast('\(value)' as double)" : "\(value)"
        case .string(let text):
            "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
        case .boolean(let value): "\(value)"
        case .timestamp(let moment):
            sql ? "timestamp '\(moment.description.prefix(19))'" : "timestamp '\(moment)'"
        }
    }
}

/// Makes random well-typed trees.
struct TreeGenerator {
    let random: SeededRandom
    let names: [String: ScalarType]
    /// Only what DuckDB computes alike.
    var shared = false

    func below(_ limit: Int) -> Int { Int(random.next() % UInt64(max(1, limit))) }

    func choose<Item>(_ items: [Item], or other: Item) -> Item {
        items.isEmpty ? other : items[below(items.count)]
    }

    func tree(_ type: ScalarType, _ depth: Int) -> Tree {
        if depth == 0 || below(8) == 0 { return leaf(type) }
        func sub(_ type: ScalarType) -> Tree { tree(type, depth - 1) }
        func make(_ word: String, _ types: [ScalarType]) -> Tree {
            Tree(word: word, type: type, children: types.map(sub))
        }
        /// A double, or an integer that stands for one.
        func number() -> ScalarType { below(3) == 0 ? .integer : .double }
        switch below(10) {
        case 0: return make("if", [.boolean, type, type])
        case 1: return make("case", [.boolean, type, .boolean, type, type])
        case 2: return make("coalesce", [type, type])
        case 3: return make(choose(["least", "greatest"], or: "least"), [type, type, type])
        case 4: return make("nullif", [type, type])
        default: break
        }
        let zones = ["America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]
        switch type {
        case .integer:
            let words = ["+", "-", "*", "unary -", "abs", "sign", "length", "field", "field"]
            let word = choose(
                shared ? words : words + ["//", "%", "clamp", "cast", "bucket", "hash_bucket", "zone", "floor"], or: "+"
            )
            switch word {
            case "unary -", "abs", "floor": return make(word, [.integer])
            case "sign": return make(word, [number()])
            case "length": return make(word, [.string])
            case "clamp": return make(word, [.integer, .integer, .integer])
            case "cast": return make(word, [choose([.double, .boolean, .string], or: .double)])
            case "bucket":
                let bounds = [-3.5, 0, 2, 1000].map { Tree.literal(.double($0), .double) }
                return Tree(word: word, type: .integer, children: [sub(number())] + bounds)
            case "hash_bucket": return make(word, [.string, .integer])
            case "field", "zone":
                let name = choose(["hour", "minute", "day_of_week", "day", "month", "year"], or: "hour")
                let zone = word == "zone" ? [Tree.literal(.string(choose(zones, or: "UTC")), .string)] : []
                return Tree(word: name, type: .integer, children: [sub(.timestamp)] + zone)
            default: return make(word, [.integer, .integer])
            }
        case .double, .float:
            let words = ["+", "-", "*", "/", "unary -", "abs", "floor", "ceil", "trunc", "epoch_seconds", "cast"]
            let word = choose(
                shared
                    ? words
                    : words + [
                        "%", "sqrt", "ln", "exp", "pow", "round", "clamp", "sin", "atan2", "sigmoid", "seconds_between",
                    ], or: "+")
            switch word {
            case "/", "pow", "atan2": return make(word, [number(), number()])
            case "sqrt", "ln", "exp", "sin", "sigmoid": return make(word, [number()])
            case "unary -", "abs", "floor", "ceil", "trunc": return make(word, [.double])
            case "epoch_seconds": return make(word, [.timestamp])
            case "seconds_between": return make(word, [.timestamp, .timestamp])
            case "cast": return make(word, [shared ? .integer : choose([.integer, .boolean, .string], or: .integer)])
            case "round": return make(word, [number(), .integer])
            case "clamp": return make(word, [.double, number(), number()])
            default: return below(2) == 0 ? make(word, [.double, number()]) : make(word, [number(), .double])
            }
        case .string:
            switch choose(["concat", "substring", "trim", "replace", "lower", "upper", "cast"], or: "trim") {
            case "concat": return make("concat", [.string, .string, .string])
            case "substring":
                if shared {
                    let places = [1 + below(4), below(6)].map { Tree.literal(.integer(Int64($0)), .integer) }
                    return Tree(word: "substring", type: .string, children: [sub(.string)] + places)
                }
                return make("substring", [.string, .integer, .integer])
            case "replace": return make("replace", [.string, .string, .string])
            case "cast": return make("cast", [shared ? .integer : choose([.integer, .double, .boolean], or: .integer)])
            case let word: return make(word, [.string])
            }
        case .boolean:
            let other = choose([ScalarType.integer, .double, .string, .timestamp, .boolean], or: .integer)
            func like() -> ScalarType { other == .double ? number() : other }
            switch below(8) {
            case 0, 1: return make(choose(["=", "<>", "<", "<=", ">", ">="], or: "="), [other, like()])
            case 2: return make(choose(["and", "or"], or: "and"), [.boolean, .boolean])
            case 3: return make("not", [.boolean])
            case 4: return make(choose(["is null", "is not null"], or: "is null"), [other])
            case 5: return make("between", [other, like(), like()])
            case 6: return make("in", [other, like(), like(), like()])
            default: return make(choose(["starts_with", "ends_with", "contains"], or: "contains"), [.string, .string])
            }
        case .timestamp: return leaf(type)
        }
    }

    private func leaf(_ type: ScalarType) -> Tree {
        let fitting = names.filter { $0.value == type }.keys.sorted()
        if below(3) > 0, !fitting.isEmpty {
            return Tree(word: "name", type: type, value: .string(choose(fitting, or: "")))
        }
        return .literal(value(type), type)
    }

    /// A value, now and then null, with a liking for edges.
    func value(_ type: ScalarType, nulls: Int = 8) -> ScalarValue {
        if below(nulls) == 0 { return .null }
        let edges = !shared && below(4) == 0
        switch type {
        case .integer:
            let wide: [Int64] = [.min, .max, .max - 1, 0, 1, -1, 1 << 53, 400, -400]
            return .integer(edges ? choose(wide, or: 0) : Int64(below(200)) - 100)
        case .double, .float:
            let wide = [0, -0.0, 1e308, -1e308, Double.leastNonzeroMagnitude, 0.1, 9.3e18, 1e15, -0.5]
            return .double(edges ? choose(wide, or: 0) : (Double(below(4000)) - 2000) / 8)
        case .string:
            return .string(
                choose(["", "a", "ab", "b a", " a ", "Ab", shared ? "é日" : "ß日", "12", "1.5", "it's", "true"], or: ""))
        case .boolean: return .boolean(below(2) == 0)
        case .timestamp: return .timestamp(Timestamp(seconds: Int64(below(6_000_000)) * 1000 - 2_000_000_000))
        }
    }
}
