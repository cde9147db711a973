import Basics
import Foundation

/// The registers of a program: inputs are set, the program is run, outputs are read; then the next row.
///
/// Nothing is allocated per row but where strings are computed for the first time. Not for use by two threads at once.
public final class ScalarFrame {
    let program: ScalarProgram
    let registers: Registers
    private let inputTypes: [ScalarType]

    /// All strings of the row: constants, inputs, then what was computed. A register holds a place in here.
    private(set) var bytes: UnsafeMutableRawPointer
    private(set) var byteCount = 0
    private var byteCapacity = 1024
    private var constantBytes = 0
    /// Where the strings of the expression at work begin.
    var scratchStart = 0

    init(_ program: ScalarProgram) {
        self.program = program
        inputTypes = program.inputs.map(\.type)
        registers = Registers(count: program.registerCount)
        bytes = .allocate(byteCount: byteCapacity, alignment: 16)
        for (register, value) in program.constants {
            switch value {
            case .null: registers.setNull(register)
            case .integer(let value): registers.set(register, integer: value)
            case .double(let value): registers.set(register, double: value)
            case .boolean(let value): registers.set(register, boolean: value)
            case .timestamp(let value): registers.set(register, integer: value.microseconds)
            case .string(let text): store(text, in: register)
            }
        }
        constantBytes = byteCount
    }

    deinit {
        registers.deallocate()
        bytes.deallocate()
    }

    // MARK: Inputs

    /// Begins a new row: all inputs are null.
    public func reset() {
        registers.nullify(first: inputTypes.count)
        byteCount = constantBytes
    }

    private func register(_ input: Int, _ accepts: (ScalarType) -> Bool) -> Register? {
        guard inputTypes.indices.contains(input), accepts(inputTypes[input]) else { return nil }
        return Register(input)
    }

    /// Sets an input of type integer, double or float.
    /// - Returns: false where there is no such input or it has another type; nothing is changed then.
    @discardableResult
    public func set(_ input: Int, integer value: Int64) -> Bool {
        guard let register = register(input, { $0 == .integer }) else { return set(input, double: Double(value)) }
        registers.set(register, integer: value)
        return true
    }

    /// Sets an input of type double or float, which is rounded; what is not finite is null.
    /// - Returns: false where there is no such input or it has another type; nothing is changed then.
    @discardableResult
    public func set(_ input: Int, double value: Double) -> Bool {
        guard let register = register(input, { $0 == .double || $0 == .float }) else { return false }
        registers.set(register, double: inputTypes[input] == .float ? Double(Float(value)) : value)
        return true
    }

    /// Sets an input of type boolean.
    /// - Returns: false where there is no such input or it has another type; nothing is changed then.
    @discardableResult
    public func set(_ input: Int, boolean value: Bool) -> Bool {
        guard let register = register(input, { $0 == .boolean }) else { return false }
        registers.set(register, boolean: value)
        return true
    }

    /// Sets an input of type timestamp.
    /// - Returns: false where there is no such input or it has another type; nothing is changed then.
    @discardableResult
    public func set(_ input: Int, timestamp value: Timestamp) -> Bool {
        guard let register = register(input, { $0 == .timestamp }) else { return false }
        registers.set(register, integer: value.microseconds)
        return true
    }

    /// Sets an input of type string; one of more than 64 KiB is null.
    /// - Returns: false where there is no such input or it has another type; nothing is changed then.
    @discardableResult
    public func set(_ input: Int, utf8 value: UnsafeRawBufferPointer) -> Bool {
        guard let register = register(input, { $0 == .string }) else { return false }
        store(value, in: register)
        return true
    }

    /// Sets an input of type string; one of more than 64 KiB is null.
    /// - Returns: false where there is no such input or it has another type; nothing is changed then.
    @discardableResult
    public func set(_ input: Int, string value: String) -> Bool {
        guard let register = register(input, { $0 == .string }) else { return false }
        store(value, in: register)
        return true
    }

    /// Sets an input to null.
    /// - Returns: false where there is no such input.
    @discardableResult
    public func setNull(_ input: Int) -> Bool {
        guard let register = register(input, { _ in true }) else { return false }
        registers.setNull(register)
        return true
    }

    /// Sets an input of any type; an integer may stand for a double.
    /// - Returns: false where there is no such input or it has another type; nothing is changed then.
    public func set(_ input: Int, to value: ScalarValue) -> Bool {
        switch value {
        case .null: setNull(input)
        case .integer(let value): set(input, integer: value)
        case .double(let value): set(input, double: value)
        case .string(let text): set(input, string: text)
        case .boolean(let value): set(input, boolean: value)
        case .timestamp(let moment): set(input, timestamp: moment)
        }
    }

    // MARK: Outputs

    private func register(output: Int, _ accepts: (ScalarType) -> Bool) -> Register? {
        guard program.outputs.indices.contains(output), accepts(program.outputs[output].type) else { return nil }
        let register = program.outputRegisters[output]
        return registers.null(register) == 0 ? register : nil
    }

    /// Whether an output is null, or not there.
    public func isNull(_ output: Int) -> Bool { register(output: output) { _ in true } == nil }

    /// The value of an output of type integer; nil where it is null or of another type.
    public func integer(_ output: Int) -> Int64? {
        register(output: output) { $0 == .integer }.map { registers.integer($0) }
    }

    /// The value of an output of type integer, double or float; nil where it is null or of another type.
    public func double(_ output: Int) -> Double? {
        if let register = register(output: output, { $0 == .double || $0 == .float }) {
            return registers.double(register)
        }
        return integer(output).map(Double.init)
    }

    /// The value of an output of type boolean; nil where it is null or of another type.
    public func boolean(_ output: Int) -> Bool? {
        register(output: output) { $0 == .boolean }.map { registers.boolean($0) }
    }

    /// The value of an output of type timestamp; nil where it is null or of another type.
    public func timestamp(_ output: Int) -> Timestamp? {
        register(output: output) { $0 == .timestamp }.map { Timestamp(microseconds: registers.integer($0)) }
    }

    /// Lends the UTF-8 of an output of type string; nil where it is null or of another type.
    public func withUTF8<Result>(_ output: Int, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result? {
        guard let register = register(output: output, { $0 == .string }) else { return nil }
        return try body(text(register))
    }

    /// The value of an output of type string; nil where it is null or of another type.
    public func string(_ output: Int) -> String? { withUTF8(output) { String(decoding: $0, as: UTF8.self) } }

    /// The value of an output of any type; null where there is no such output.
    public func value(_ output: Int) -> ScalarValue {
        guard program.outputs.indices.contains(output) else { return .null }
        let value: ScalarValue? =
            switch program.outputs[output].type {
            case .integer: integer(output).map(ScalarValue.integer)
            case .double, .float: double(output).map(ScalarValue.double)
            case .string: string(output).map(ScalarValue.string)
            case .boolean: boolean(output).map(ScalarValue.boolean)
            case .timestamp: timestamp(output).map(ScalarValue.timestamp)
            }
        return value ?? .null
    }
}

// MARK: Strings

extension ScalarFrame {
    /// A register's string; empty where it is null.
    func text(_ register: Register) -> UnsafeRawBufferPointer {
        guard registers.null(register) == 0 else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        let (start, count) = registers.span(register)
        return UnsafeRawBufferPointer(start: bytes + start, count: count)
    }

    /// Room for `count` more bytes behind the strings there are. Pointers into them are not valid afterwards.
    func reserve(_ count: Int) {
        guard byteCount + count > byteCapacity else { return }
        let capacity = max(byteCount + count, byteCapacity * 2)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: bytes, byteCount: byteCount)
        bytes.deallocate()
        bytes = larger
        byteCapacity = capacity
    }

    /// Whether a computed string of so many bytes is within the bounds.
    func allows(_ count: Int) -> Bool {
        count <= ExpressionLimits.stringBytes && byteCount - scratchStart + count <= ExpressionLimits.scratchBytes
    }

    /// Takes `count` bytes that were written behind the strings there are.
    func take(_ count: Int) { byteCount += count }

    /// Gives up the strings computed since `mark`, but for the one in `register`.
    func keep(_ register: Register?) {
        guard let register, registers.null(register) == 0 else {
            byteCount = scratchStart
            return
        }
        let (start, count) = registers.span(register)
        guard start >= scratchStart else {
            byteCount = scratchStart
            return
        }
        memmove(bytes + scratchStart, bytes + start, count)
        registers.set(register, start: scratchStart, count: count)
        byteCount = scratchStart + count
    }

    /// Copies a string from outside; one that is too long is null.
    func store(_ text: UnsafeRawBufferPointer, in register: Register) {
        guard text.count <= ExpressionLimits.stringBytes else { return registers.setNull(register) }
        reserve(text.count)
        if let source = text.baseAddress { (bytes + byteCount).copyMemory(from: source, byteCount: text.count) }
        registers.set(register, start: byteCount, count: text.count)
        byteCount += text.count
    }

    func store(_ text: String, in register: Register) {
        var text = text
        text.withUTF8 { store(UnsafeRawBufferPointer($0), in: register) }
    }
}
