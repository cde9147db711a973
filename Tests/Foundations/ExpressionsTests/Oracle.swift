import Basics
import Foundation

/// Evaluates a tree slowly and plainly, over optional values, without any code of the language itself.
struct Oracle {
    let row: [String: ScalarValue]

    func value(_ tree: Tree) -> ScalarValue {
        switch tree.word {
        case "literal": return tree.value
        case "name":
            guard case .string(let name) = tree.value else { return .null }
            return row[name] ?? .null
        case "if": return value(tree.children[value(tree.children[0]) == .boolean(true) ? 1 : 2], as: tree.type)
        case "case":
            if value(tree.children[0]) == .boolean(true) { return value(tree.children[1], as: tree.type) }
            if value(tree.children[2]) == .boolean(true) { return value(tree.children[3], as: tree.type) }
            return value(tree.children[4], as: tree.type)
        case "cast": return cast(value(tree.children[0]), tree.type)
        default: break
        }
        let values = tree.children.map(value)
        switch tree.word {
        case "coalesce": return values.first { $0 != .null } ?? .null
        case "least": return values.filter { $0 != .null }.min { order($0, $1) == -1 } ?? .null
        case "greatest": return values.filter { $0 != .null }.max { order($0, $1) == -1 } ?? .null
        case "nullif": return order(values[0], values[1]) == 0 ? .null : values[0]
        case "is null": return .boolean(values[0] == .null)
        case "is not null": return .boolean(values[0] != .null)
        case "and": return all([truth(values[0]), truth(values[1])])
        case "or": return negated(all([truth(values[0]).map { !$0 }, truth(values[1]).map { !$0 }]))
        case "in": return negated(all(values.dropFirst().map { order(values[0], $0).map { $0 != 0 } }))
        case "between":
            return all([order(values[1], values[0]).map { $0 <= 0 }, order(values[0], values[2]).map { $0 <= 0 }])
        case "=": return boolean(order(values[0], values[1]).map { $0 == 0 })
        case "<>": return boolean(order(values[0], values[1]).map { $0 != 0 })
        case "<": return boolean(order(values[0], values[1]).map { $0 < 0 })
        case "<=": return boolean(order(values[0], values[1]).map { $0 <= 0 })
        case ">": return boolean(order(values[0], values[1]).map { $0 > 0 })
        case ">=": return boolean(order(values[0], values[1]).map { $0 >= 0 })
        default: break
        }
        if values.contains(.null) { return .null }
        return strict(tree, values)
    }

    private func value(_ tree: Tree, as type: ScalarType) -> ScalarValue { value(tree) }

    private func truth(_ value: ScalarValue) -> Bool? {
        if case .boolean(let value) = value { return value }
        return nil
    }

    private func boolean(_ value: Bool?) -> ScalarValue { value.map(ScalarValue.boolean) ?? .null }

    private func all(_ values: [Bool?]) -> ScalarValue {
        values.contains(false) ? .boolean(false) : values.contains(nil) ? .null : .boolean(true)
    }

    private func negated(_ value: ScalarValue) -> ScalarValue { boolean(truth(value).map { !$0 }) }

    /// -1, 0 or 1; nil where one is null.
    private func order(_ a: ScalarValue, _ b: ScalarValue) -> Int? {
        func compare<Value: Comparable>(_ x: Value, _ y: Value) -> Int { x < y ? -1 : x == y ? 0 : 1 }
        switch (a, b) {
        case (.integer(let x), .integer(let y)): return compare(x, y)
        case (.double(let x), .double(let y)): return compare(x, y)
        case (.integer(let x), .double(let y)): return compare(Double(x), y)
        case (.double(let x), .integer(let y)): return compare(x, Double(y))
        case (.boolean(let x), .boolean(let y)): return compare(x ? 1 : 0, y ? 1 : 0)
        case (.timestamp(let x), .timestamp(let y)): return compare(x, y)
        case (.string(let x), .string(let y)):
            if Array(x.utf8) == Array(y.utf8) { return 0 }
            return x.utf8.lexicographicallyPrecedes(y.utf8) ? -1 : 1
        default: return nil
        }
    }

    private func number(_ value: ScalarValue) -> Double {
        switch value {
        case .integer(let value): Double(value)
        case .double(let value): value
        default: .nan
        }
    }

    private func finite(_ value: Double) -> ScalarValue { value.isFinite ? .double(value) : .null }
    private func narrow(_ value: Int128) -> ScalarValue { Int64(exactly: value).map(ScalarValue.integer) ?? .null }

    private func cast(_ value: ScalarValue, _ type: ScalarType) -> ScalarValue {
        switch (value, type) {
        case (.integer(let value), .double): .double(Double(value))
        case (.boolean(let value), .double): .double(value ? 1 : 0)
        case (.boolean(let value), .integer): .integer(value ? 1 : 0)
        case (.double(let value), .integer):
            value > -9.3e18 && value < 9.3e18 ? narrow(Int128(value)) : .null
        case (.string(let text), .integer): Int64(text).map(ScalarValue.integer) ?? .null
        case (.string(let text), .double): Double(text).map(finite) ?? .null
        case (.integer(let value), .string): .string("\(value)")
        case (.double(let value), .string): .string("\(value)")
        case (.boolean(let value), .string): .string("\(value)")
        default: .null
        }
    }

    private func strict(_ tree: Tree, _ values: [ScalarValue]) -> ScalarValue {
        let numbers = values.map(number)
        let x = numbers[0]
        let y = numbers.count > 1 ? numbers[1] : .nan
        let integers = values.compactMap { value -> Int128? in
            if case .integer(let value) = value { return Int128(value) }
            return nil
        }
        let texts = values.compactMap { value -> String? in
            if case .string(let text) = value { return text }
            return nil
        }
        if tree.type == .integer, let result = integer(tree.word, values, integers, texts) { return result }
        switch tree.word {
        case "+": return finite(x + y)
        case "-": return finite(x - y)
        case "*": return finite(x * y)
        case "/": return finite(x / y)
        case "%":
            let remainder = fmod(x, y)
            if remainder == 0 { return finite(copysign(0, y)) }
            return finite((remainder < 0) == (y < 0) ? remainder : remainder + y)
        case "unary -": return finite(-x)
        case "abs": return finite(Swift.abs(x))
        case "floor": return finite(Foundation.floor(x))
        case "ceil": return finite(Foundation.ceil(x))
        case "trunc": return finite(Foundation.trunc(x))
        case "sqrt": return finite(Foundation.sqrt(x))
        case "ln": return finite(Foundation.log(x))
        case "exp": return finite(Foundation.exp(x))
        case "pow": return finite(Foundation.pow(x, y))
        case "sin": return finite(Foundation.sin(x))
        case "atan2": return finite(Foundation.atan2(x, y))
        case "sigmoid": return finite(1 / (1 + Foundation.exp(-x)))
        case "clamp": return y > numbers[2] ? .null : finite(x < y ? y : x > numbers[2] ? numbers[2] : x)
        case "round":
            let digits = integers.last ?? 0
            if digits < -308 { return .double(0) }
            let factor = Foundation.pow(10, Double(Swift.abs(digits)))
            let result = digits < 0 ? Foundation.round(x / factor) * factor : Foundation.round(x * factor) / factor
            return digits < 0 || result.isFinite ? finite(result) : .double(x)
        case "epoch_seconds": return .double(moment(values[0]).timeIntervalSince1970)
        case "seconds_between": return .double(moment(values[1]).timeIntervalSince(moment(values[0])))
        case "not": return negated(values[0])
        case "starts_with": return .boolean(Array(texts[0].utf8).starts(with: Array(texts[1].utf8)))
        case "ends_with": return .boolean(Array(texts[0].utf8).reversed().starts(with: Array(texts[1].utf8).reversed()))
        case "contains": return .boolean(texts[1].isEmpty || texts[0].contains(texts[1]))
        case "concat": return .string(texts.joined())
        case "trim": return .string(texts[0].trimmingCharacters(in: .whitespaces))
        case "lower": return .string(texts[0].lowercased())
        case "upper": return .string(texts[0].uppercased())
        case "replace":
            return .string(
                texts[1].isEmpty ? texts[0] : texts[0].components(separatedBy: texts[1]).joined(separator: texts[2]))
        case "substring":
            guard integers[1] >= 0 else { return .null }
            let kept = texts[0].unicodeScalars.enumerated().filter {
                Int128($0.offset) + 1 >= integers[0] && Int128($0.offset) + 1 < integers[0] + integers[1]
            }
            return .string(String(String.UnicodeScalarView(kept.map(\.element))))
        default: return .string("no oracle for \(tree.word)")
        }
    }

    private func integer(
        _ word: String, _ values: [ScalarValue], _ integers: [Int128], _ texts: [String]
    ) -> ScalarValue? {
        func floored(_ x: Int128, _ y: Int128) -> Int128 { x / y - (x % y != 0 && (x < 0) != (y < 0) ? 1 : 0) }
        switch word {
        case "+": return narrow(integers[0] + integers[1])
        case "-": return narrow(integers[0] - integers[1])
        case "*": return narrow(integers[0] * integers[1])
        case "//": return integers[1] == 0 ? .null : narrow(floored(integers[0], integers[1]))
        case "%":
            return integers[1] == 0 ? .null : narrow(integers[0] - integers[1] * floored(integers[0], integers[1]))
        case "unary -": return narrow(-integers[0])
        case "abs": return narrow(Swift.abs(integers[0]))
        case "floor": return values[0]
        case "sign":
            let value = number(values[0])
            return .integer(value > 0 ? 1 : value < 0 ? -1 : 0)
        case "clamp":
            return integers[1] > integers[2]
                ? .null : narrow(Swift.min(Swift.max(integers[0], integers[1]), integers[2]))
        case "length": return .integer(Int64(texts[0].unicodeScalars.count))
        case "bucket": return .integer(Int64(values.dropFirst().filter { number($0) <= number(values[0]) }.count))
        case "hash_bucket":
            guard integers[0] > 0 else { return .null }
            let hash = texts[0].utf8.reduce(14_695_981_039_346_656_037 as UInt64) {
                ($0 ^ UInt64($1)) &* 1_099_511_628_211
            }
            return narrow(Int128(hash) % integers[0])
        case "hour", "minute", "day", "month", "year", "day_of_week":
            var calendar = Calendar(identifier: .gregorian)
            calendar.timeZone = TimeZone(identifier: texts.first ?? "UTC") ?? .gmt
            let parts: [String: Calendar.Component] = [
                "hour": .hour, "minute": .minute, "day": .day, "month": .month, "year": .year, "day_of_week": .weekday,
            ]
            let part = calendar.component(parts[word] ?? .era, from: moment(values[0]))
            return .integer(Int64(word == "day_of_week" ? (part + 5) % 7 + 1 : part))
        default: return nil
        }
    }

    private func moment(_ value: ScalarValue) -> Date {
        guard case .timestamp(let value) = value else { return .distantPast }
        return Date(timeIntervalSince1970: Double(value.microseconds / 1_000_000))
    }
}
