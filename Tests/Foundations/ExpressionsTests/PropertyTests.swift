import Basics
import Columnar
import Expressions
import Foundation
import TestSupport
import Testing

/// Random well-typed expressions over random rows.
@Suite struct PropertyTests {
    static let names: [String: ScalarType] = [
        "i": .integer, "j": .integer, "x": .double, "y": .double, "s": .string, "r": .string, "b": .boolean,
        "t": .timestamp,
        "u": .timestamp,
    ]
    static let types: [ScalarType] = [.integer, .double, .string, .boolean, .timestamp]

    /// Equal, where numbers may differ in type alone: a tree's branch can be an integer that stands for a double.
    private func same(_ left: ScalarValue, _ right: ScalarValue, tolerance: Double = 0) -> Bool {
        switch (left, right) {
        case (.double(let x), .double(let y)): x == y || abs(x - y) <= tolerance * max(abs(x), abs(y))
        case (.double(let x), .integer(let y)): x == Double(y)
        case (.string(let x), .string(let y)): Array(x.utf8) == Array(y.utf8)
        default: left == right
        }
    }

    @Test func valuesAreThoseOfAPlainTreeWalk() throws {
        let generator = TreeGenerator(random: SeededRandom(seed: 20_240_310), names: Self.names)
        var (nulls, cases) = (0, 0)
        for round in 0..<2500 {
            let tree = generator.tree(Self.types[round % Self.types.count], 1 + round % 5)
            let text = tree.text()
            let expression: ScalarExpression
            do { expression = try ScalarExpression(text, names: Self.names) } catch {
                if error.message.contains("more than") || error.message.contains("bytes") { continue }
                Issue.record("\(text): \(error)")
                continue
            }
            #expect(expression.type == tree.type, "\(text)")
            for _ in 0..<4 {
                let row = Self.names.mapValues { generator.value($0) }
                let (found, expected) = (try expression.evaluate(row), Oracle(row: row).value(tree))
                #expect(same(found, expected), "\(text) of \(row): \(found) where \(expected) is right")
                nulls += expected == .null ? 1 : 0
                cases += 1
            }
        }
        #expect(cases > 8000 && nulls * 10 > cases && nulls * 2 < cases, "\(nulls) of \(cases) are null")
    }

    /// Bits of the batch are bits of the row: what makes a request equal its history.
    @Test func aBatchIsItsRows() throws {
        let generator = TreeGenerator(random: SeededRandom(seed: 7), names: Self.names)
        let inputs = Self.names.keys.sorted().compactMap { name in Self.names[name].map { ScalarField(name, $0) } }
        for round in 0..<40 {
            let texts = (0..<8).map { index in
                (name: "e\(index)", text: generator.tree(Self.types[(round + index) % 5], 4).text())
            }
            let program = try ScalarProgram(inputs: inputs, expressions: texts)
            let rows = (0..<50).map { _ in inputs.map { generator.value($0.type) } }
            let columns = try inputs.indices.map { index in try Self.column(inputs[index].type, rows.map { $0[index] })
            }
            let results = try program.evaluate(columns, rows: rows.count)
            for (index, row) in rows.enumerated() {
                let values = results.map { $0[index] }
                let expected = try program.evaluate(row)
                #expect(values.description == expected.description)
            }
        }
    }

    private static func column(_ type: ScalarType, _ values: [ScalarValue]) throws -> ScalarColumn {
        let validity = values.map { $0 != .null }
        func all<Value>(_ blank: Value, _ get: (ScalarValue) -> Value?) -> [Value] { values.map { get($0) ?? blank } }
        switch type {
        case .integer:
            let array = all(Int64(0)) { if case .integer(let value) = $0 { value } else { nil } }
            return try ScalarColumn(.integers(array), validity: validity)
        case .double, .float:
            let array = all(Double(0)) { if case .double(let value) = $0 { value } else { nil } }
            return try ScalarColumn(.doubles(array), validity: validity)
        case .boolean:
            let array = all(false) { if case .boolean(let value) = $0 { value } else { nil } }
            return try ScalarColumn(.booleans(array), validity: validity)
        case .timestamp:
            let array = all(Int64(0)) { if case .timestamp(let value) = $0 { value.microseconds } else { nil } }
            return try ScalarColumn(.timestamps(array), validity: validity)
        case .string:
            return ScalarColumn(strings: values.map { if case .string(let text) = $0 { text } else { nil } })
        }
    }

    @Test func duckDBAgreesWhereItsLanguageIsTheSame() async throws {
        let folder = try TemporaryFolder()
        let engine = ColumnarEngine(ColumnarOptions(temporaryDirectory: folder.path))
        let generator = TreeGenerator(random: SeededRandom(seed: 99), names: Self.names, shared: true)
        let rows = (0..<60).map { _ in Self.names.mapValues { generator.value($0) } }
        let fields = Self.names.keys.sorted().compactMap { name in Self.names[name].map { ScalarField(name, $0) } }
        let tuples = rows.enumerated().map { index, row in
            let cells = fields.map { Tree.literal(row[$0.name] ?? .null, $0.type).text(sql: true) }
            return "(\(index), \(cells.joined(separator: ", ")))"
        }
        let sqlTypes: [ScalarType: String] = [
            .integer: "bigint", .double: "double", .string: "varchar", .boolean: "boolean", .timestamp: "timestamp",
        ]
        let columns = fields.map { "\($0.name) \(sqlTypes[$0.type] ?? "")" }.joined(separator: ", ")
        let cases = (0..<400).map { round in generator.tree(Self.types[round % 5], 1 + round % 4) }
        let answers = try await engine.run { connection in
            try connection.execute("SET ieee_floating_point_ops = false")
            try connection.execute("CREATE TEMP TABLE rows (n integer, \(columns))")
            try connection.execute("INSERT INTO rows VALUES \(tuples.joined(separator: ", "))")
            return cases.map { tree -> Result<Table, any Error> in
                Result { try connection.query("SELECT \(tree.text(sql: true)) AS v FROM rows ORDER BY n") }
            }
        }
        var compared = 0
        for (tree, answer) in zip(cases, answers) {
            guard case .success(let table) = answer else {
                if case .failure(let error) = answer, !"\(error)".contains("Out of Range") {
                    Issue.record("\(tree.text(sql: true)): \(error)")
                }
                continue
            }
            let expression = try ScalarExpression(tree.text(), names: Self.names)
            for (index, row) in rows.enumerated() {
                let found = try expression.evaluate(row)
                let expected: ScalarValue =
                    switch try table.column("v")[index] {
                    case .null: .null
                    case .bool(let value): .boolean(value)
                    case .integer(let value): .integer(value)
                    case .double(let value): .double(value)
                    case .string(let text): .string(text)
                    case .timestamp(let moment): .timestamp(moment)
                    }
                #expect(
                    same(found, expected, tolerance: 1e-12), "\(tree.text()) of \(row): \(found), in DuckDB \(expected)"
                )
                compared += 1
            }
        }
        #expect(compared > 15_000, "\(compared)")
    }
}
