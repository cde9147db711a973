import Basics
import Foundation

/// Gives every node its type, children first, or says why it has none.
struct TypeChecker {
    private let nodes: [SyntaxNode]
    private var typings: [Typing] = []

    /// - Parameter type: the type of a name, nil where there is none.
    /// - Returns: one typing per node.
    static func check(
        _ nodes: [SyntaxNode], names: [String], type: (String) -> ScalarType?
    ) throws(ExpressionFailure) -> [Typing] {
        var checker = TypeChecker(nodes: nodes)
        for node in nodes {
            switch node.form {
            case .literal(let value): checker.typings.append(Typing(type: value.type))
            case .name(let name):
                guard let type = type(name) else {
                    throw .unknownName(
                        String(name.prefix(256)), at: node.offset, nearest: NearestWord.of(name, among: names))
                }
                checker.typings.append(Typing(type: type))
            case .call(let name, let arguments):
                checker.typings.append(try checker.call(name, arguments, node.offset))
            case .choice(let children): checker.typings.append(try checker.choice(children, node.offset))
            case .cast(let child, let type): checker.typings.append(try checker.cast(child, to: type, node.offset))
            }
        }
        guard let root = checker.typings.last, root.type != nil else { throw checker.typeless(nodes.count - 1) }
        return checker.typings
    }

    private init(nodes: [SyntaxNode]) { self.nodes = nodes }

    private func type(_ node: Int) -> ScalarType? { typings[node].type }

    private func typeless(_ node: Int) -> ExpressionFailure {
        .mismatch(
            "the type of null is not known", at: nodes[node].offset,
            remedy: "Write cast(null as double), or another type.")
    }

    /// The message for an argument of the wrong type.
    private func refused(_ name: String, takes expected: String, _ node: Int) -> ExpressionFailure {
        let shown = name == "unary -" ? "-" : name
        let found = type(node)?.rawValue ?? "null"
        return .mismatch("'\(shown)' takes \(expected), not \(found),", at: nodes[node].offset, remedy: nil)
    }

    private static func isNumber(_ type: ScalarType?) -> Bool {
        switch type {
        case .integer, .double, .float, nil: true
        case .string, .boolean, .timestamp: false
        }
    }

    /// The type that all values can be brought to. Throws where there is none.
    private func unified(_ name: String, _ values: [Int]) throws(ExpressionFailure) -> ScalarType {
        var result: ScalarType?
        for node in values {
            guard let type = type(node) else { continue }
            guard let known = result, known != type else {
                result = type
                continue
            }
            guard TypeChecker.isNumber(known), TypeChecker.isNumber(type) else {
                throw .mismatch(
                    "'\(name)' takes values of one type, not \(known.rawValue) and \(type.rawValue),",
                    at: nodes[node].offset, remedy: nil)
            }
            result = .double
        }
        guard let result else { throw typeless(values.first ?? 0) }
        return result
    }

    private func require(_ expected: ScalarType, of node: Int, _ name: String) throws(ExpressionFailure) {
        guard let type = type(node), type != expected else { return }
        if expected == .double, TypeChecker.isNumber(type) { return }
        throw refused(name, takes: "\(expected == .integer ? "an" : "a") \(expected.rawValue)", node)
    }

    private func call(_ name: String, _ arguments: [Int], _ offset: Int) throws(ExpressionFailure) -> Typing {
        guard let function = Function.named(name) else {
            throw .unknownFunction(
                String(name.prefix(256)), at: offset, nearest: NearestWord.of(name, among: Function.names + ["if"]))
        }
        let range = function.arguments
        guard range.contains(arguments.count) else {
            let expected =
                range.lowerBound == range.upperBound
                ? "\(range.lowerBound)"
                : range.upperBound == ExpressionLimits.nodes
                    ? "\(range.lowerBound) or more" : "\(range.lowerBound) or \(range.upperBound)"
            throw .mismatch(
                "'\(name)' takes \(expected) argument\(expected == "1" ? "" : "s"), not \(arguments.count),",
                at: offset,
                remedy: nil)
        }
        var typing = Typing(rule: function.rule)
        try resolve(function.rule, name, arguments, &typing)
        return typing
    }

    private func resolve(
        _ rule: Function.Rule, _ name: String, _ arguments: [Int], _ typing: inout Typing
    ) throws(ExpressionFailure) {
        switch rule {
        case .numbers(_, _, let result):
            for node in arguments where !TypeChecker.isNumber(type(node)) {
                throw refused(name, takes: arguments.count == 1 ? "a number" : "numbers", node)
            }
            let common = try unified(name, arguments)
            typing.operand = common == .integer ? .integer : .double
            typing.type = result ?? typing.operand
        case .fixed(let types, let result, let operation):
            for (type, node) in zip(types, arguments) {
                if operation == .divideInteger, let found = self.type(node), found != .integer {
                    throw .mismatch(
                        "'//' takes integers, not \(found.rawValue),", at: nodes[node].offset,
                        remedy: "Write floor(x / y) for other numbers.")
                }
                try require(type, of: node, name)
            }
            typing.type = result
        case .field: try calendar(name, arguments, &typing)
        case .elapsed:
            for node in arguments { try require(.timestamp, of: node, name) }
            typing.type = .double
        case .comparison, .between, .among:
            typing.operand = try unified(name, arguments)
            typing.type = .boolean
        case .extreme, .coalesce:
            typing.operand = try unified(name, arguments)
            typing.type = typing.operand
        case .nullIf:
            typing.operand = try unified(name, arguments)
            typing.type = arguments.first.flatMap(type) ?? typing.operand
        case .constant: typing.type = .double
        case .nullTest: typing.type = .boolean
        case .concat:
            for node in arguments { try require(.string, of: node, name) }
            typing.type = .string
        case .bucket: try bucket(arguments, &typing)
        case .round:
            guard let value = arguments.first else { return }
            guard TypeChecker.isNumber(type(value)) else { throw refused(name, takes: "a number", value) }
            if arguments.count > 1 { try require(.integer, of: arguments[1], name) }
            typing.operand = arguments.count == 1 && type(value) == .integer ? .integer : .double
            typing.type = typing.operand
        case .substring:
            for (index, node) in arguments.enumerated() {
                try require(index == 0 ? .string : .integer, of: node, name)
            }
            typing.type = .string
        }
    }

    private func calendar(
        _ name: String, _ arguments: [Int], _ typing: inout Typing
    ) throws(ExpressionFailure) {
        typing.type = .integer
        guard let moment = arguments.first else { return }
        try require(.timestamp, of: moment, name)
        guard arguments.count > 1 else { return }
        let node = nodes[arguments[1]]
        guard case .literal(.string(let identifier)) = node.form else {
            throw .mismatch(
                "'\(name)' takes a time zone written as a text, such as 'America/New_York',", at: node.offset,
                remedy: "Write the zone's name itself.")
        }
        guard let zone = TimeZone(identifier: identifier) else {
            let nearest = NearestWord.of(identifier, among: TimeZone.knownTimeZoneIdentifiers)
            throw .mismatch(
                "unknown time zone '\(identifier.prefix(64))'\(nearest.map { " (did you mean '\($0)'?)" } ?? "")",
                at: node.offset, remedy: "Use a name of the IANA time zone database, such as 'Europe/Berlin'.")
        }
        typing.zone = zone
    }

    private func bucket(_ arguments: [Int], _ typing: inout Typing) throws(ExpressionFailure) {
        typing.type = .integer
        for (index, node) in arguments.enumerated() {
            guard index > 0 else {
                try require(.double, of: node, "bucket")
                continue
            }
            let bound: Double
            switch nodes[node].form {
            case .literal(.integer(let value)): bound = Double(value)
            case .literal(.double(let value)): bound = value
            default:
                throw .mismatch(
                    "a bound of 'bucket' is a number itself, not an expression,", at: nodes[node].offset,
                    remedy: "Write the bounds as numbers, each greater than the one before.")
            }
            if let last = typing.bounds.last, last >= bound {
                throw .mismatch(
                    "the bound \(bound) of 'bucket' is not greater than the one before,", at: nodes[node].offset,
                    remedy: "Write the bounds in ascending order.")
            }
            typing.bounds.append(bound)
        }
    }

    private func choice(_ children: [Int], _ offset: Int) throws(ExpressionFailure) -> Typing {
        var values: [Int] = []
        for (index, node) in children.enumerated() {
            if index % 2 == 1 || index == children.count - 1 {
                values.append(node)
            } else if let type = type(node), type != .boolean {
                throw .mismatch(
                    "a condition is boolean, not \(type.rawValue),", at: nodes[node].offset,
                    remedy: "Compare it with a value.")
            }
        }
        let type = try unified("case", values)
        return Typing(type: type, operand: type)
    }

    private func cast(_ child: Int, to target: ScalarType, _ offset: Int) throws(ExpressionFailure) -> Typing {
        guard let source = type(child), source != target, Conversion.operation(from: source, to: target) == nil else {
            return Typing(type: target)
        }
        let remedy =
            source == .timestamp
            ? "Use epoch_seconds(…)." : target == .timestamp ? "Use timestamp(seconds)." : nil
        throw .mismatch(
            "'cast' can not turn \(source.rawValue) into \(target.rawValue)", at: offset,
            remedy: remedy ?? "Cast over string, or compare the value with another.")
    }
}

extension ScalarValue {
    /// nil for null.
    fileprivate var type: ScalarType? {
        switch self {
        case .null: nil
        case .integer: .integer
        case .double: .double
        case .string: .string
        case .boolean: .boolean
        case .timestamp: .timestamp
        }
    }
}
