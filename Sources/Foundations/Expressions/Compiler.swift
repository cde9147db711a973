import Basics
import Foundation

/// Turns expressions, one after another, into one list of instructions over shared registers.
struct Compiler {
    /// A name that expressions can use: an input or an earlier result.
    struct Binding {
        let type: ScalarType
        let register: Register
        /// The input's position, nil for a result.
        let input: Int?
    }

    private(set) var code: [Instruction] = []
    private(set) var constants: [(register: Register, value: ScalarValue)] = []
    private(set) var zones: [TimeZone] = []
    private(set) var bounds: [[Double]] = []
    private(set) var registerCount = 0
    /// The inputs that expressions read, in order of first use.
    private(set) var used: [Int] = []
    private var bindings: [String: Binding] = [:]
    private var order: [String] = []
    private var free: [Register] = []
    private var held: [Register] = []
    private var constantRegisters: [ConstantKey: Register] = [:]

    /// The expression at work.
    private var nodes: [SyntaxNode] = []
    private var typings: [Typing] = []

    /// - Parameter inputs: they get the first registers, in order.
    init(inputs: [ScalarField]) throws(ExpressionFailure) {
        for (index, input) in inputs.enumerated() {
            try bind(input.name, Binding(type: input.type, register: try newRegister(), input: index))
        }
    }

    /// Makes a name known to the expressions that follow.
    mutating func bind(_ name: String, _ binding: Binding) throws(ExpressionFailure) {
        guard bindings.updateValue(binding, forKey: name) == nil else { throw .duplicateName(name) }
        order.append(name)
    }

    /// Adds the code of one expression.
    /// - Returns: where its value is found after a run, and its type.
    mutating func add(_ text: String) throws(ExpressionFailure) -> Binding {
        nodes = try Parser.parse(text)
        typings = try TypeChecker.check(nodes, names: order) { bindings[$0]?.type }
        let root = nodes.count - 1
        guard let type = typings.last?.type else { throw .syntax("expected an expression", at: 0) }
        for case .name(let name) in nodes.map(\.form) {
            if let input = bindings[name]?.input, !used.contains(input) { used.append(input) }
        }
        let makesStrings = zip(nodes, typings).contains { node, typing in
            switch node.form {
            case .call, .cast: typing.type == .string
            case .literal, .name, .choice: false
            }
        }
        if makesStrings { append(.mark) }
        // The result is held for good; a bare name needs no register of its own.
        let register = try operand(root, as: type)
        held.removeAll()
        if makesStrings { append(.keep, a: register, extra: type == .string ? 1 : 0) }
        return Binding(type: type, register: register, input: nil)
    }

    // MARK: Registers

    private mutating func newRegister() throws(ExpressionFailure) -> Register {
        guard registerCount < ExpressionLimits.registers else {
            throw .tooLarge("the program needs more than \(ExpressionLimits.registers) inputs, constants and values")
        }
        registerCount += 1
        return Register(registerCount - 1)
    }

    /// A register until `release` of a mark taken before.
    private mutating func hold() throws(ExpressionFailure) -> Register {
        let register: Register
        if let last = free.popLast() { register = last } else { register = try newRegister() }
        held.append(register)
        return register
    }

    private mutating func release(to mark: Int) {
        while held.count > mark, let register = held.popLast() { free.append(register) }
    }

    private mutating func constant(_ value: ScalarValue) throws(ExpressionFailure) -> Register {
        let key = ConstantKey(value)
        if let known = constantRegisters[key] { return known }
        let register = try newRegister()
        constants.append((register, value))
        constantRegisters[key] = register
        return register
    }

    @discardableResult
    private mutating func append(
        _ operation: Operation, _ target: Register = 0, a: Register = 0, b: Register = 0, c: Register = 0,
        d: Register = 0, extra: Int = 0
    ) -> Int {
        code.append(
            Instruction(
                operation: operation, target: target, a: a, b: b, c: c, d: d, extra: Int32(clamping: extra)))
        return code.count - 1
    }

    private mutating func land(_ jump: Int) { code[jump].extra = Int32(clamping: code.count) }

    // MARK: Nodes

    /// The register that holds a node's value, brought to `type`; code is added where there is none yet.
    private mutating func operand(_ node: Int, as type: ScalarType?) throws(ExpressionFailure) -> Register {
        let widened = widens(node, to: type)
        switch nodes[node].form {
        case .literal(.integer(let value)) where widened: return try constant(.double(Double(value)))
        case .literal(let value): return try constant(value)
        case .name(let name):
            if !widened, let binding = bindings[name] { return binding.register }
        case .call, .choice, .cast: break
        }
        let target = try hold()
        try emit(node, as: type, into: target)
        return target
    }

    private func widens(_ node: Int, to type: ScalarType?) -> Bool {
        typings[node].type == .integer && (type == .double || type == .float)
    }

    private mutating func emit(
        _ node: Int, as type: ScalarType?, into target: Register
    ) throws(ExpressionFailure) {
        guard widens(node, to: type) else { return try emit(node, into: target) }
        let mark = held.count
        append(.integerToDouble, target, a: try operand(node, as: nil))
        release(to: mark)
    }

    private mutating func emit(_ node: Int, into target: Register) throws(ExpressionFailure) {
        let mark = held.count
        switch nodes[node].form {
        case .literal, .name: append(.move, target, a: try operand(node, as: nil))
        case .cast(let child, let type):
            if let source = typings[child].type, let operation = Conversion.operation(from: source, to: type) {
                append(operation, target, a: try operand(child, as: nil))
            } else {
                try emit(child, into: target)
            }
        case .choice(let children): try choice(children, as: typings[node].operand, into: target)
        case .call(_, let arguments):
            if isChained(node) {
                try chain(node, into: target)
            } else {
                try call(typings[node], arguments, into: target)
            }
        }
        release(to: mark)
    }

    private mutating func choice(
        _ children: [Int], as type: ScalarType?, into target: Register
    ) throws(ExpressionFailure) {
        var ends: [Int] = []
        for index in stride(from: 0, to: children.count - 1, by: 2) {
            let mark = held.count
            let next = append(.jumpUnlessTrue, a: try operand(children[index], as: nil))
            release(to: mark)
            try emit(children[index + 1], as: type, into: target)
            ends.append(append(.jump))
            land(next)
        }
        if let otherwise = children.last { try emit(otherwise, as: type, into: target) }
        for end in ends { land(end) }
    }

    /// Whether a node is an operator that stands in rows such as `a + b - c`, which nest without parentheses.
    private func isChained(_ node: Int) -> Bool {
        guard case .call(let name, let arguments) = nodes[node].form, arguments.count == 2 else { return false }
        return ["+", "-", "*", "/", "//", "%", "and", "or"].contains(name)
    }

    /// A row of operators from left to right, in a loop: it may be thousands long.
    private mutating func chain(_ node: Int, into target: Register) throws(ExpressionFailure) {
        var links: [(typing: Typing, right: Int)] = []
        var first = node
        while isChained(first), case .call(_, let arguments) = nodes[first].form {
            links.append((typings[first], arguments[1]))
            first = arguments[0]
        }
        var mark = held.count
        var left = try operand(first, as: links.last.flatMap { $0.typing.chainOperand })
        var leftType = typings[first].type
        for link in links.reversed() {
            let type = link.typing.chainOperand
            if left == target, leftType == .integer, type == .double { append(.integerToDouble, target, a: target) }
            let right = try operand(link.right, as: type)
            append(link.typing.operation, target, a: left, b: right)
            left = target
            leftType = link.typing.type
            release(to: mark)
            mark = held.count
        }
    }

    private mutating func call(
        _ typing: Typing, _ arguments: [Int], into target: Register
    ) throws(ExpressionFailure) {
        let operation = typing.operation
        switch typing.rule {
        case .coalesce: try coalesce(arguments, as: typing.operand, into: target)
        case .extreme, .concat: try fold(operation, arguments, as: typing.operand, into: target)
        case .among: try among(operation, arguments, as: typing.operand, into: target)
        case .between:
            let registers = try operands(arguments, as: typing.operand)
            let part = try hold()
            append(operation, part, a: registers[1], b: registers[0])
            append(operation, target, a: registers[0], b: registers[2])
            append(.and, target, a: part, b: target)
        case .nullIf:
            let value = try operand(arguments[0], as: nil)
            let registers = try operands(arguments, as: typing.operand)
            let part = try hold()
            append(operation, part, a: registers[0], b: registers[1])
            append(.nullWhere, target, a: value, b: part)
        case .comparison(_, _, _, let swapped):
            let registers = try operands(arguments, as: typing.operand)
            append(operation, target, a: registers[swapped ? 1 : 0], b: registers[swapped ? 0 : 1])
        case .elapsed(let unit):
            let registers = try operands(arguments, as: nil)
            append(operation, target, a: registers[0], b: registers[1], c: try constant(.double(unit)))
        case .field:
            append(operation, target, a: try operand(arguments[0], as: nil), extra: zoneIndex(typing.zone))
        case .bucket:
            bounds.append(typing.bounds)
            append(operation, target, a: try operand(arguments[0], as: .double), extra: bounds.count - 1)
        case .round where arguments.count == 2:
            append(
                .roundDigits, target, a: try operand(arguments[0], as: .double), b: try operand(arguments[1], as: nil))
        case .substring:
            var registers = try operands(arguments, as: nil)
            if registers.count == 2 { registers.append(try constant(.integer(.max))) }
            append(operation, target, a: registers[0], b: registers[1], c: registers[2])
        case .constant(let value): append(.move, target, a: try constant(.double(value)))
        case .fixed(let types, _, _): try plain(operation, arguments, types, into: target)
        case .numbers, .round, .nullTest, nil:
            try plain(operation, arguments, arguments.map { _ in typing.operand }, into: target)
        }
    }

    private mutating func operands(_ nodes: [Int], as type: ScalarType?) throws(ExpressionFailure) -> [Register] {
        var registers: [Register] = []
        for node in nodes { registers.append(try operand(node, as: type)) }
        return registers
    }

    /// One instruction of up to four operands.
    private mutating func plain(
        _ operation: Operation, _ arguments: [Int], _ types: [ScalarType?], into target: Register
    ) throws(ExpressionFailure) {
        var registers: [Register] = []
        for (node, type) in zip(arguments, types) { registers.append(try operand(node, as: type)) }
        while registers.count < 4 { registers.append(0) }
        append(operation, target, a: registers[0], b: registers[1], c: registers[2], d: registers[3])
    }

    private mutating func coalesce(
        _ arguments: [Int], as type: ScalarType?, into target: Register
    ) throws(ExpressionFailure) {
        var ends: [Int] = []
        for (index, node) in arguments.enumerated() {
            try emit(node, as: type, into: target)
            if index < arguments.count - 1 { ends.append(append(.jumpUnlessNull, a: target)) }
        }
        for end in ends { land(end) }
    }

    private mutating func fold(
        _ operation: Operation, _ arguments: [Int], as type: ScalarType?, into target: Register
    ) throws(ExpressionFailure) {
        let mark = held.count
        var left = try operand(arguments[0], as: type)
        if arguments.count == 1 { append(.move, target, a: left) }
        for node in arguments.dropFirst() {
            append(operation, target, a: left, b: try operand(node, as: type))
            left = target
            release(to: mark)
        }
    }

    private mutating func among(
        _ operation: Operation, _ arguments: [Int], as type: ScalarType?, into target: Register
    ) throws(ExpressionFailure) {
        let value = try operand(arguments[0], as: type)
        let part = try hold()
        let mark = held.count
        for (index, node) in arguments.enumerated().dropFirst() {
            append(operation, index == 1 ? target : part, a: value, b: try operand(node, as: type))
            if index > 1 { append(.or, target, a: target, b: part) }
            release(to: mark)
        }
    }

    private mutating func zoneIndex(_ zone: TimeZone?) -> Int {
        guard let zone else { return -1 }
        if let known = zones.firstIndex(where: { $0.identifier == zone.identifier }) { return known }
        zones.append(zone)
        return zones.count - 1
    }
}
