import Columnar

extension ScoringRequest {
    /// A table as the columns of a request.
    /// - Throws: ``ScoringFailure/wrongShape(_:)`` where it holds values that no model takes.
    init(_ table: Table) throws {
        self.init(
            form: .split,
            content: .columns(try zip(table.names, table.columns).map { ($0, Cells(try Self.cells($1, of: $0))) }))
    }

    private static func cells(_ column: Column, of name: String) throws -> [Cell] {
        func cells<Value>(_ values: [Value], _ cell: (Value) -> Cell) -> [Cell] {
            values.enumerated().map { column.isValid($0) ? cell($1) : .null }
        }
        return switch column.values {
        case .bools(let values): cells(values) { .bool($0) }
        case .int32s(let values): cells(values) { .integer(Int64($0)) }
        case .int64s(let values): cells(values) { .integer($0) }
        case .float32s(let values): cells(values) { .number(Double($0)) }
        case .doubles(let values): cells(values) { .number($0) }
        case .strings(let texts):
            (0..<texts.count).map { column.isValid($0) ? .bytes(Array(texts[$0].utf8)) : .null }
        case .timestamps:
            throw ScoringFailure.wrongShape("the column '\(name)' holds times; write them as texts or numbers")
        }
    }
}
