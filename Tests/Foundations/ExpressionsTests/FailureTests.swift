import Basics
import Expressions
import Testing

@Suite struct FailureTests {
    private static let texts: [(String, String)] = [
        ("1 + delai_last", "unknown name 'delai_last' at 4 (did you mean 'delay_last'?)"),
        ("zzz", "unknown name 'zzz' at 0"), ("sqr(x)", "unknown function 'sqr' at 0 (did you mean 'sqrt'?)"),
        ("x + name", "'+' takes numbers, not string, at 4"), ("-name", "'-' takes a number, not string, at 1"),
        ("x // 2", "'//' takes integers, not double, at 0"), ("1 +", "expected a value, found the end at 3"),
        ("(1", "expected ')', found the end at 2"), ("1 2", "expected an operator or the end, found '2' at 2"),
        ("", "expected a value, found the end at 0"), ("   ", "expected a value, found the end at 3"),
        ("'open", "the string that begins has no closing quote at 0"), ("é + 1", "unexpected character 'é' at 0"),
        ("'é' + #", "unexpected character '#' at 6"),
        ("1 < 2 < 3", "comparisons do not chain: write 'and' between two of them; found '<' at 6"),
        ("x in ()", "expected a value, found ')' at 6"),
        ("x not 5", "expected 'in' or 'between' after 'not', found '5' at 6"),
        ("round(1, 2, 3)", "'round' takes 1 or 2 arguments, not 3, at 0"),
        ("sqrt()", "'sqrt' takes 1 argument, not 0, at 0"),
        ("coalesce()", "'coalesce' takes 1 or more arguments, not 0, at 0"),
        ("if(x, 1, 2)", "a condition is boolean, not double, at 3"),
        ("if(true, 1)", "'if' takes 3 arguments (condition, value, other value), not 2, at 0"),
        ("if(true, 1, 'a')", "'case' takes values of one type, not integer and string, at 12"),
        ("x = 'a'", "'=' takes values of one type, not double and string, at 4"),
        ("null", "the type of null is not known at 0"),
        ("null = null", "the type of null is not known at 0"),
        ("lower(1)", "'lower' takes a string, not integer, at 6"),
        ("x and true", "'and' takes a boolean, not double, at 0"),
        (
            "cast(x as dubble)",
            "expected a type (integer, double, float, string, boolean, timestamp), found 'dubble' (did you mean 'double'?) at 10"
        ),
        ("cast(x as timestamp)", "'cast' can not turn double into timestamp at 0"),
        ("99999999999999999999", "the integer 99999999999999999999 does not fit into 64 bits at 0"),
        ("9223372036854775808", "the integer 9223372036854775808 does not fit into 64 bits at 0"),
        ("1e999", "the number 1e999 is out of range at 0"),
        ("1.", "expected digits after the '.' of the number at 0"), ("1abc", "the number is followed by 'a' at 0"),
        ("hour(t, 'Europe/Berlim')", "unknown time zone 'Europe/Berlim' (did you mean 'Europe/Berlin'?) at 8"),
        ("hour(t, name)", "'hour' takes a time zone written as a text, such as 'America/New_York', at 8"),
        ("bucket(x, 2, 1)", "the bound 1.0 of 'bucket' is not greater than the one before, at 13"),
        ("bucket(x, x)", "a bound of 'bucket' is a number itself, not an expression, at 10"),
        ("timestamp '2024-13-01'", "'2024-13-01' is no RFC 3339 time such as 2024-01-01T00:00:00Z at 0"),
        ("case x when 1 then 2 end", "expected 'when', found 'x' at 5"),
        ("case when true then 1", "expected 'end', found the end at 21"),
        ("then", "expected a value, found 'then' at 0"), ("x.y", "expected digits after the '.' of the number at 1"),
    ]

    @Test(arguments: texts) func message(_ text: String, _ expected: String) {
        let names: [String: ScalarType] = ["delay_last": .double, "x": .double, "name": .string, "t": .timestamp]
        do {
            _ = try ScalarExpression(text, names: names)
            Issue.record("\(text) was taken")
        } catch {
            #expect(error.message == expected, "\(text)")
            #expect(error.code == .invalidArgument && error.remedy?.hasSuffix(".") == true)
        }
    }

    @Test func bounds() throws {
        func message(_ text: String) -> String? {
            do throws(ExpressionFailure) {
                _ = try ScalarExpression(text, names: [:])
                return nil
            } catch { return error.message }
        }
        func nested(_ levels: Int) -> String {
            String(repeating: "(", count: levels) + "1" + String(repeating: ")", count: levels)
        }
        #expect(message(nested(63)) == nil)
        #expect(message(nested(64)) == "the expression is nested more than 64 levels deep at 64")
        #expect(message(String(repeating: "not ", count: 64) + "true")?.hasPrefix("the expression is nested") == true)
        #expect(message(String(repeating: "- ", count: 64) + "pi()")?.hasPrefix("the expression is nested") == true)
        // A row of operators is no nesting.
        #expect(message(Array(repeating: "1", count: 2048).joined(separator: "+")) == nil)
        #expect(
            message(Array(repeating: "1", count: 2049).joined(separator: "+"))?.hasPrefix(
                "the expression has more than 4096") == true)
        #expect(
            message(String(repeating: " ", count: 16_384) + "1")?.hasPrefix("the expression has 16385 bytes") == true)
    }

    @Test func rowsOfAnotherShapeAreRefused() throws {
        let program = try ScalarProgram(
            inputs: [ScalarField("a", .integer), ScalarField("s", .string)], expressions: [("b", "a + length(s)")])
        #expect(throws: ExpressionFailure.self) { try program.evaluate([.integer(1)]) }
        #expect(throws: ExpressionFailure.self) { try program.evaluate([.double(1), .string("")]) }
        #expect(throws: ExpressionFailure.self) { try program.evaluate([.integer(1), .integer(1)]) }
        #expect(try program.evaluate([.integer(1), .string("xy")]) == [.integer(3)])
        let one = try ScalarColumn(.integers([1]))
        let two = ScalarColumn(strings: ["a", nil])
        #expect(throws: ExpressionFailure.self) { try program.evaluate([one, two], rows: 2) }
        #expect(throws: ExpressionFailure.self) { try program.evaluate([one, one], rows: 1) }
        #expect(throws: ExpressionFailure.self) { try program.evaluate([one], rows: 1) }
        #expect(throws: ExpressionFailure.self) { try ScalarColumn(.strings(bytes: [65], offsets: [0, 2])) }
        #expect(throws: ExpressionFailure.self) { try ScalarColumn(.strings(bytes: [], offsets: [])) }
        #expect(throws: ExpressionFailure.self) { try ScalarColumn(.integers([1]), validity: []) }
    }

    @Test func namesAreGivenOnce() {
        let a = ScalarField("a", .integer)
        #expect(throws: ExpressionFailure.duplicateName("a")) { try ScalarProgram(inputs: [a, a], expressions: []) }
        #expect(throws: ExpressionFailure.duplicateName("a")) {
            try ScalarProgram(inputs: [a], expressions: [("a", "1")])
        }
        #expect(throws: ExpressionFailure.expression("c", .unknownName("d", at: 0, nearest: nil))) {
            try ScalarProgram(inputs: [], expressions: [("c", "d + 1"), ("d", "1")])
        }
    }
}
