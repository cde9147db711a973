import Basics
import Foundation

/// Several expressions compiled together over one row layout. Later ones may use the names of earlier ones.
///
/// The language is total: every expression gives a value or null for every row, in time bounded by its size.
/// `ScalarExpression` describes the language.
public struct ScalarProgram: Sendable {
    /// The row that is read, in order.
    public let inputs: [ScalarField]
    /// The row that is computed: one field per expression, in order.
    public let outputs: [ScalarField]
    /// Positions of the inputs that are read at all, in order of first use.
    public let used: [Int]

    let code: [Instruction]
    let registerCount: Int
    let constants: [(register: Register, value: ScalarValue)]
    let zones: [TimeZone]
    let bounds: [[Double]]
    let outputRegisters: [Register]

    /// - Parameters:
    ///   - inputs: the names the expressions can use, each once.
    ///   - expressions: names and texts; a name is neither an input's nor another expression's.
    public init(
        inputs: [ScalarField], expressions: [(name: String, text: String)]
    ) throws(ExpressionFailure) {
        var compiler = try Compiler(inputs: inputs)
        var outputs: [ScalarField] = []
        var registers: [Register] = []
        for (name, text) in expressions {
            let result: Compiler.Binding
            do throws(ExpressionFailure) {
                result = try compiler.add(text)
            } catch {
                throw .expression(name, error)
            }
            try compiler.bind(name, result)
            outputs.append(ScalarField(name, result.type))
            registers.append(result.register)
        }
        self.init(compiler, inputs, outputs, registers)
    }

    /// One expression without a name.
    init(_ text: String, inputs: [ScalarField]) throws(ExpressionFailure) {
        var compiler = try Compiler(inputs: inputs)
        let result = try compiler.add(text)
        self.init(compiler, inputs, [ScalarField("", result.type)], [result.register])
    }

    private init(
        _ compiler: Compiler, _ inputs: [ScalarField], _ outputs: [ScalarField], _ registers: [Register]
    ) {
        self.inputs = inputs
        self.outputs = outputs
        outputRegisters = registers
        used = compiler.used
        code = compiler.code
        registerCount = compiler.registerCount
        constants = compiler.constants
        zones = compiler.zones
        bounds = compiler.bounds
    }

    /// Registers to evaluate rows with: make one per thread or request and use it for many rows.
    public func frame() -> ScalarFrame { ScalarFrame(self) }

    /// Evaluates one row. `frame()` is the quick way; this one is convenient.
    ///
    /// - Parameter row: one value per input, in order; an integer may stand for a double.
    /// - Returns: one value per expression.
    /// - Throws: `wrongRow` where the row has another length or a value another type.
    public func evaluate(_ row: [ScalarValue]) throws(ExpressionFailure) -> [ScalarValue] {
        guard row.count == inputs.count else {
            throw .wrongRow("the row has \(row.count) values where the program has \(inputs.count) inputs")
        }
        let frame = frame()
        for (index, value) in row.enumerated() where !frame.set(index, to: value) {
            throw .wrongRow("the value of '\(inputs[index].name)' is not of type \(inputs[index].type.rawValue)")
        }
        frame.run()
        return outputs.indices.map { frame.value($0) }
    }
}
