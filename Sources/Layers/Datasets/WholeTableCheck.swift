import Basics
import Columnar
import Foundation
import Statistics

/// What the distribution of a column is compared with.
enum DistributionReference: Sendable {
    /// A Parquet file with the rows of a dataset version.
    case rows(path: String)
    case numbers(NumericProfile)
    case categories(CategoricalProfile)
}

/// Judges the rules that are about a table as a whole.
struct WholeTableCheck {
    let check: ExpectationCheck
    /// The relation to look at.
    let rows: String
    let types: [(name: String, type: String)]
    /// The row of aggregates that ``aggregates(_:)`` asked for.
    let counted: Table

    /// Above this many values a distribution is told from every second, third, ... one.
    static let sampleMax: Int64 = 2_000_000

    /// What a rule needs from the one pass over all rows.
    static func aggregates(_ item: ExpectationCheck.Item) -> [String] {
        let value = "__value_\(item.index)"
        func name(_ column: String) -> String { SQLText.identifier(column) }
        switch item.expectation.rule {
        case .nullFraction(let column, _):
            return ["(count(*) - count(\(name(column)))) / CAST(nullif(count(*), 0) AS DOUBLE) AS \(value)"]
        case .freshness(let column, _): return ["CAST(max(\(name(column))) AS TIMESTAMP) AS \(value)"]
        case .statistic(let statistic, let column, _):
            let number = "CAST(\(name(column)) AS DOUBLE)"
            let expression =
                switch statistic {
                case .mean: "avg(\(number))"
                case .median: "median(\(number))"
                case .std: "stddev_samp(\(number))"
                case .sum: "coalesce(sum(\(number)), 0)"
                case .minimum: "min(\(name(column)))"
                case .maximum: "max(\(name(column)))"
                case .distinctCount: "count(DISTINCT \(name(column)))"
                case .distinctFraction:
                    // Great Expectations gives 0 where there are no values.
                    "coalesce(count(DISTINCT \(name(column))) / CAST(nullif(count(\(name(column))), 0) AS DOUBLE), 0)"
                case .nonNullFraction: "count(\(name(column))) / CAST(nullif(count(*), 0) AS DOUBLE)"
                }
            return ["\(expression) AS \(value)"]
        case .quantile(let column, let ranges, let nearest):
            let count = ["count(\(name(column))) AS \(value)"]
            guard !nearest else { return count }
            return count
                + ranges.enumerated().map { position, range in
                    "quantile_cont(CAST(\(name(column)) AS DOUBLE), \(ExpectationLiteral.number(range.at).sql)) "
                        + "AS \(value)_\(position)"
                }
        default: return []
        }
    }

    func judge(_ item: inout ExpectationCheck.Item) throws {
        let value = "__value_\(item.index)"
        switch item.expectation.rule {
        case .rowCount(let bounds):
            let total = ColumnarValue.integer(item.result.rows)
            item.result.observe(total, holds: bounds.contains(total), "the table", bounds.words + " rows")
        case .nullFraction(let column, let maximum):
            let share = try counted.value(value)
            let holds = share == .null || ExpectationBounds(maximum: .number(maximum)).contains(share)
            item.result.observe(share, holds: holds, "the share of nulls in \(column)", "at most \(maximum)")
        case .statistic(let statistic, let column, let bounds):
            let observed = try counted.value(value)
            let name = statistic.rawValue.replacingOccurrences(of: "_", with: " ")
            item.result.observe(observed, holds: bounds.contains(observed), "the \(name) of \(column)", bounds.words)
        case .freshness(let column, let within):
            let newest = try counted.value(value)
            let oldest = check.now.advanced(bySeconds: 0 - within)
            item.result.observe(
                newest, holds: ExpectationBounds(minimum: .moment(oldest)).contains(newest), "the newest \(column)",
                "at least \(oldest), \(within) s before now")
        case .quantile(let column, let ranges, let nearest):
            let values =
                try nearest
                ? nearestRanks(column, ranges, of: counted.count(value), item.expectation)
                : ranges.indices.map { try counted.value("\(value)_\($0)") }
            judge(&item, column, ranges, values)
        case .columns(let columns): judge(&item, columns)
        case .types(let wanted): judge(&item, wanted)
        case .distribution(let column, _, let measure, let maximum):
            let distance = try self.distance(column, measure, item.expectation)
            let observed = distance.map { ColumnarValue.double($0) } ?? .null
            item.result.observe(
                observed, holds: distance.map { $0 <= maximum } ?? false,
                "the \(measure.rawValue.uppercased()) of \(column)", "at most \(maximum)")
        default: return
        }
    }

    // MARK: Quantiles

    private func judge(
        _ item: inout ExpectationCheck.Item, _ column: String, _ ranges: [Expectation.QuantileRange],
        _ values: [ColumnarValue]
    ) {
        var outside: [String] = []
        for (range, value) in zip(ranges, values) {
            let bounds = ExpectationBounds(
                minimum: range.minimum.map { .number($0) }, maximum: range.maximum.map { .number($0) })
            if !bounds.contains(value) {
                outside.append("the quantile \(range.at) of \(column) is \(value.words) and should be \(bounds.words)")
            }
        }
        item.result.success = outside.isEmpty
        item.result.failing = outside.isEmpty ? 0 : 1
        item.result.problem = outside.isEmpty ? nil : outside.joined(separator: "; ")
        item.result.result.observedValue = [
            "quantiles": .array(ranges.map { .number($0.at) }), "values": .array(values.map(\.json)),
        ]
    }

    /// The values whose rank is nearest to the quantile, halves to the even rank, as NumPy's method `nearest`.
    private func nearestRanks(
        _ column: String, _ ranges: [Expectation.QuantileRange], of count: Int64, _ expectation: Expectation
    ) throws -> [ColumnarValue] {
        guard count > 0 else { return ranges.map { _ in .null } }
        let name = SQLText.identifier(column)
        let ranks = ranges.map { Int64(($0.at * Double(count - 1)).rounded(.toNearestOrEven)) }
        let table = try check.connection.query(
            """
            SELECT rank, CAST(value AS DOUBLE) AS value FROM (
              SELECT \(name) AS value, row_number() OVER (ORDER BY \(name)) - 1 AS rank
              FROM \(rows) WHERE \(name) IS NOT NULL
            ) WHERE rank IN (\(Set(ranks).sorted().map(String.init).joined(separator: ", ")))
            """, context: check.context(expectation))
        let found = Dictionary(zip(try table.integers("rank"), try table.doubles("value"))) { first, _ in first }
        return ranks.map { found[$0].map { .double($0) } ?? .null }
    }

    // MARK: Schema

    private func judge(_ item: inout ExpectationCheck.Item, _ columns: Expectation.Columns) {
        let present = types.map(\.name)
        let problem: String?
        switch columns {
        case .exist(let names):
            let absent = names.filter { !present.contains($0) }
            problem = absent.isEmpty ? nil : "the table has no column \(absent.joined(separator: ", "))"
        case .set(let names):
            let absent = names.filter { !present.contains($0) }
            let others = present.filter { !names.contains($0) }
            let parts = [
                absent.isEmpty ? nil : "lacks \(absent.joined(separator: ", "))",
                others.isEmpty ? nil : "also has \(others.joined(separator: ", "))",
            ].compactMap { $0 }
            problem = parts.isEmpty ? nil : "the table " + parts.joined(separator: " and ")
        case .ordered(let names):
            problem =
                names == present
                ? nil
                : "the columns are \(present.joined(separator: ", ")) and should be \(names.joined(separator: ", "))"
        }
        item.result.conclude(.array(present.map { .string($0) }), problem)
    }

    private func judge(_ item: inout ExpectationCheck.Item, _ wanted: [Expectation.ColumnTypes]) {
        var problems: [String] = []
        var observed: [String: JSONValue] = [:]
        for column in wanted {
            guard let type = types.first(where: { $0.name == column.column })?.type else {
                problems.append("the table has no column \(column.column)")
                continue
            }
            observed[column.column] = .string(type)
            guard let scalar = ScalarType(sqlType: type), column.types.contains(scalar) else {
                let names = column.types.map(\.rawValue).joined(separator: " or ")
                problems.append("\(column.column) is \(type) and should be \(names)")
                continue
            }
        }
        item.result.conclude(.object(observed), problems.isEmpty ? nil : problems.joined(separator: "; "))
    }

    // MARK: Distributions

    /// How far the column is from its reference; nil where one of the two has no values.
    private func distance(
        _ column: String, _ measure: Expectation.Measure, _ expectation: Expectation
    ) throws -> Double? {
        guard let reference = check.references[expectation.name] else { return nil }
        let isText = check.table.columns.first { $0.name == column }.map { [.string, .boolean].contains($0.type) }
        guard isText != true else {
            let values = try texts(column, rows, "__row", expectation)
            switch reference {
            case .categories(let profile): return profile.populationStability(of: values)
            case .numbers: throw mismatch(expectation, "of numbers", column)
            case .rows(let path):
                return CategoricalProfile(try texts(column, parquet(path), "file_row_number", expectation))?
                    .populationStability(of: values)
            }
        }
        let values = try numbers(column, rows, "__row", expectation)
        switch (reference, measure) {
        case (.categories, _): throw mismatch(expectation, "of categories", column)
        case (.numbers(let profile), .psi): return profile.populationStability(of: values)
        case (.numbers(let profile), .ks): return profile.kolmogorovSmirnov(of: values)?.statistic
        case (.rows(let path), .psi):
            return NumericProfile(try numbers(column, parquet(path), "file_row_number", expectation))?
                .populationStability(of: values)
        case (.rows(let path), .ks):
            let reference = try numbers(column, parquet(path), "file_row_number", expectation)
            return KolmogorovSmirnov(
                reference.filter(\.isFinite), values.filter(\.isFinite), method: .asymptotic)?.statistic
        }
    }

    private func mismatch(_ expectation: Expectation, _ kind: String, _ column: String) -> DatasetsFailure {
        .badExpectation(
            table: check.table.name, expectation: expectation.name,
            problem: "the profile is one \(kind), which '\(column)' does not hold",
            remedy: "Name a profile of a column of the same type.")
    }

    private func parquet(_ path: String) -> String {
        "read_parquet(\(SQLText.literal(path)), file_row_number = true)"
    }

    private func numbers(_ column: String, _ source: String, _ row: String, _ expectation: Expectation) throws
        -> [Double]
    {
        try sample("CAST(\(SQLText.identifier(column)) AS DOUBLE)", source, row, expectation).doubles("value")
    }

    private func texts(_ column: String, _ source: String, _ row: String, _ expectation: Expectation) throws
        -> [String?]
    {
        try sample("CAST(\(SQLText.identifier(column)) AS VARCHAR)", source, row, expectation).strings("value")
    }

    private func sample(_ value: String, _ source: String, _ row: String, _ expectation: Expectation) throws -> Table {
        let context = check.context(expectation)
        let total = try check.connection.query("SELECT count(*) AS total FROM \(source)", context: context)
            .count("total")
        let step = (total + Self.sampleMax - 1) / Self.sampleMax
        return try check.connection.query(
            "SELECT \(value) AS value FROM \(source)" + (step > 1 ? " WHERE \(row) % \(step) = 0" : ""),
            context: context)
    }
}

extension ExpectationResult {
    /// Takes the verdict on one number of the whole table.
    mutating func observe(_ value: ColumnarValue, holds: Bool, _ subject: String, _ wanted: String) {
        conclude(value.json, holds ? nil : "\(subject) is \(value.words) and should be \(wanted)")
    }

    /// - Parameter problem: nil where the rule holds.
    mutating func conclude(_ observed: JSONValue, _ problem: String?) {
        self.problem = problem
        success = problem == nil
        failing = success ? 0 : 1
        result.observedValue = observed
    }
}

extension ColumnarValue {
    var json: JSONValue {
        switch self {
        case .null: .null
        case .bool(let value): .bool(value)
        case .integer(let value): .integer(value)
        case .double(let value): value.isFinite ? .number(value) : .string("\(value)")
        case .string(let value): .string(value)
        case .timestamp(let value): .string(value.description)
        }
    }

    /// For people.
    var words: String {
        switch self {
        case .null: "nothing"
        case .bool(let value): "\(value)"
        case .integer(let value): "\(value)"
        case .double(let value): "\(value)"
        case .string(let value): "'\(value)'"
        case .timestamp(let value): value.description
        }
    }
}

extension ScalarType {
    /// The type that holds the values of a type of the offline engine; nil for structures, lists and the like.
    init?(sqlType: String) {
        switch sqlType {
        case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER": self = .integer
        case "DOUBLE": self = .double
        case "FLOAT": self = .float
        case "VARCHAR": self = .string
        case "BOOLEAN": self = .boolean
        case let type where type.hasPrefix("TIMESTAMP") || type == "DATE": self = .timestamp
        default: return nil
        }
    }
}
