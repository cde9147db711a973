import Basics
import Expressions
import Testing

@Suite struct ProgramTests {
    @Test func laterExpressionsUseEarlierOnes() throws {
        let program = try ScalarProgram(
            inputs: [ScalarField("a", .double), ScalarField("unused", .string), ScalarField("b", .double)],
            expressions: [
                ("sum", "a + b"), ("half", "sum / 2"), ("word", "concat(upper('x'), if(half > 1, 'big', 'small'))"),
                ("again", "concat(word, '-', lower(word))"), ("copy", "b"), ("one", "1"),
            ])
        #expect(program.used == [0, 2])
        #expect(program.outputs.map(\.type) == [.double, .double, .string, .string, .double, .integer])
        let row = try program.evaluate([.double(1), .null, .double(2)])
        #expect(row == [.double(3), .double(1.5), .string("Xbig"), .string("Xbig-xbig"), .double(2), .integer(1)])
        #expect(try program.evaluate([.null, .string(""), .double(2)]).prefix(2) == [.null, .null])
    }

    @Test func aFrameServesRowAfterRow() throws {
        let expression = try ScalarExpression(
            "concat(s, '-', cast(i + 1 as string))", names: ["s": .string, "i": .integer])
        #expect(expression.inputs == ["s", "i"])
        let frame = expression.program.frame()
        for round in 0..<1000 {
            frame.reset()
            #expect(frame.set(0, string: "row"))
            if round % 3 > 0 { #expect(frame.set(1, integer: Int64(round))) }
            frame.run()
            #expect(frame.string(0) == (round % 3 > 0 ? "row-\(round + 1)" : nil))
            #expect(frame.isNull(0) == (round % 3 == 0))
        }
    }

    @Test func settersTakeTheInputsTypeOnly() throws {
        let names: [String: ScalarType] = [
            "d": .double, "f": .float, "n": .integer, "s": .string, "b": .boolean, "t": .timestamp,
        ]
        let expression = try ScalarExpression(
            "if(b and n > 0 and s = '' and t < timestamp '2024-01-01', d, f)", names: names)
        #expect(expression.inputs == ["b", "n", "s", "t", "d", "f"])
        let frame = expression.program.frame()
        frame.reset()
        #expect(
            !frame.set(0, integer: 1) && !frame.set(0, double: 1) && !frame.set(0, string: "")
                && frame.set(0, boolean: true))
        #expect(!frame.set(1, double: 1) && !frame.set(1, boolean: true) && frame.set(1, integer: 1))
        #expect(!frame.set(2, timestamp: .distantPast) && frame.set(2, string: ""))
        #expect(!frame.set(3, integer: 0) && frame.set(3, timestamp: .distantPast))
        #expect(frame.set(4, integer: 3) && frame.set(5, double: 0.1))
        #expect(!frame.set(6, double: 1) && !frame.set(-1, double: 1) && !frame.setNull(6))
        frame.run()
        #expect(frame.double(0) == 3 && frame.integer(0) == nil && frame.double(1) == nil && frame.value(-1) == .null)
        #expect(frame.setNull(0))
        frame.run()
        #expect(frame.double(0) == Double(Float(0.1)))
    }

    /// A value that is not finite is null from the start, whichever way it comes.
    @Test func whatIsNotFiniteIsNull() throws {
        let expression = try ScalarExpression("coalesce(x, -1.0)", names: ["x": .double])
        for value in [Double.nan, .infinity, -.infinity] {
            #expect(try expression.evaluate(["x": .double(value)]) == .double(-1))
            let column = try ScalarColumn(.doubles([value, 2]))
            #expect(try expression.program.evaluate([column], rows: 2).first?[0] == .double(-1))
            #expect(column[0] == .null && column[1] == .double(2) && column[2] == .null)
        }
        let float = try ScalarExpression("x", names: ["x": .float])
        #expect(try float.evaluate(["x": .double(1e300)]) == .null)
    }

    @Test func floatsAreOneValueOnlineAndOffline() throws {
        let expression = try ScalarExpression("f * 3", names: ["f": .float])
        let request = try expression.evaluate(["f": .double(0.1)])
        let history = try expression.program.evaluate([ScalarColumn(.floats([0.1]))], rows: 1)
        #expect(history.first?[0] == request && request == .double(Double(Float(0.1)) * 3))
        let same = try ScalarExpression("cast(f as float)", names: ["f": .float]).program
        #expect(try same.evaluate([ScalarColumn(.floats([0.1]))], rows: 1).first?.values == .floats([0.1]))
    }

    @Test func equalTextsOverEqualTypesAreEqual() throws {
        let one = try ScalarExpression("a + 1", names: ["a": .double, "z": .string])
        #expect(try one == ScalarExpression("a + 1", names: ["a": .double]))
        #expect(try one != ScalarExpression("a + 1", names: ["a": .integer]))
        #expect(try one != ScalarExpression("a + 2", names: ["a": .double]))
    }

    /// `'é'` in its two forms looks equal and is not: constants are told apart by their bytes.
    @Test func constantsAreToldApartByTheirBits() throws {
        #expect(try Rows.evaluate("concat('e\u{301}', 'é')").utf8 == Array("e\u{301}é".utf8))
        let zeros = try ScalarExpression("concat(cast(0.0 as string), cast(-0.0 as string))", names: [:])
        #expect(try zeros.evaluate([:]) == .string("0.0-0.0"))
    }

    @Test func manyTermsNeedFewRegisters() throws {
        let names = Dictionary(uniqueKeysWithValues: (0..<200).map { ("f\($0)", ScalarType.double) })
        let text = (0..<200).map { "\($0) * coalesce(f\($0), 1)" }.joined(separator: " + ")
        let expression = try ScalarExpression(text, names: names)
        #expect(try expression.evaluate([:]) == .double(19_900))
        #expect(expression.inputs.count == 200)
    }
}

extension ScalarValue {
    fileprivate var utf8: [UInt8]? {
        if case .string(let text) = self { return Array(text.utf8) }
        return nil
    }
}
