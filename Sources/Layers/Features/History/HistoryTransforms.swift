import Basics
import Columnar
import Datasets
import Expressions

/// Evaluates transforms over joined rows, in batches, by the code that evaluates them for a request.
struct HistoryTransforms {
    /// What names of joins and columns that only transforms read begin with.
    static let prefix = "__input_"

    /// One compiled transform: the column of each of its inputs, and the results to keep with their names.
    private struct Unit: Sendable {
        var name: String
        var program: ScalarProgram
        var columns: [String]
        var kept: [(output: Int, type: ScalarType, name: String)]
    }

    private let units: [Unit]

    static func column(_ input: FeatureReference) -> String { prefix + input.fullName }

    /// - Throws: ``FeaturesFailure/request(_:remedy:)`` for an expression that can not be compiled.
    init(_ computed: [(transform: TransformDefinition, outputs: [HistoryPlan.Output])], types: [String: FeatureType])
        throws
    {
        units = try computed.map { transform, outputs in
            var inputs: [ScalarField] = []
            var columns: [String] = []
            for feature in transform.request where !feature.type.isList {
                inputs.append(ScalarField(feature.name, feature.type.scalar))
                columns.append(feature.name)
            }
            for input in transform.inputs {
                guard let type = types[input.description], !type.isList else { continue }
                inputs.append(ScalarField(input.fullName, type.scalar))
                columns.append(Self.column(input))
            }
            let program: ScalarProgram
            do throws(ExpressionFailure) {
                program = try ScalarProgram(
                    inputs: inputs, expressions: transform.features.map { ($0.name, $0.expression) })
            } catch {
                throw FeaturesFailure.request(
                    "the transform '\(transform.name)' can not be used: \(error.message)",
                    remedy: error.remedy ?? "Correct its definition and apply again.")
            }
            let kept = outputs.compactMap { output in
                program.outputs.firstIndex { $0.name == output.column }.map {
                    (output: $0, type: program.outputs[$0].type, name: output.name)
                }
            }
            return Unit(name: transform.name, program: program, columns: columns, kept: kept)
        }
    }

    /// The columns of joined rows that are read.
    private var columns: [(name: String, type: ScalarType)] {
        var columns: [(name: String, type: ScalarType)] = []
        for unit in units {
            for (name, field) in zip(unit.columns, unit.program.inputs)
            where !columns.contains(where: { $0.name == name }) {
                columns.append((name, field.type))
            }
        }
        return columns
    }

    /// Reads joined rows from a Parquet file and writes one with ``HistoryPlan/row`` and the transforms' features.
    func evaluate(over path: String, to result: String, with engine: ColumnarEngine) async throws {
        let list = columns.map {
            "CAST(\(SQLText.identifier($0.name)) AS \($0.type.sqlType)) AS \(SQLText.identifier($0.name))"
        }
        let query = """
            SELECT \(([HistoryPlan.row] + list).joined(separator: ", ")) FROM \(FeatureStore.reading(path))
            """
        let name = SQLText.identifier("__transformed")
        let types = units.flatMap(\.kept).map { "\(SQLText.identifier($0.name)) \($0.type.sqlType)" }
        let context = "transforms"
        let writer = try engine.connect()
        try await engine.run { reader in
            try writer.execute(
                "CREATE TEMP TABLE \(name) (\(([HistoryPlan.row + " BIGINT"] + types).joined(separator: ", ")))",
                context: context)
            try reader.stream(query, context: context) { batch in
                try writer.append(try computed(batch), to: "__transformed")
            }
            try writer.writeParquet(query: "SELECT * FROM \(name)", to: result, context: context)
        }
    }

    /// The features of a batch of joined rows.
    func computed(_ batch: Table) throws -> Table {
        var members: [(name: String, column: Column)] = []
        if batch.has(HistoryPlan.row) { members.append((HistoryPlan.row, try batch.column(HistoryPlan.row))) }
        for unit in units {
            let inputs = try unit.columns.map { try ScalarColumn(batch.column($0)) }
            let results = try unit.program.evaluate(inputs, rows: batch.rowCount)
            for kept in unit.kept { members.append((kept.name, try Column(results[kept.output]))) }
        }
        return try Table(members)
    }
}

extension ScalarColumn {
    /// A column of the engine as one of the expression language.
    init(_ column: Column) throws {
        let validity = column.validity
        switch column.values {
        case .bools(let array): try self.init(.booleans(array), validity: validity)
        case .int32s(let array): try self.init(.integers(array.map(Int64.init)), validity: validity)
        case .int64s(let array): try self.init(.integers(array), validity: validity)
        case .float32s(let array): try self.init(.floats(array), validity: validity)
        case .doubles(let array): try self.init(.doubles(array), validity: validity)
        case .timestamps(let array): try self.init(.timestamps(array), validity: validity)
        case .strings(let vector):
            self.init(strings: (0..<vector.count).map { column.isValid($0) ? vector[$0] : nil })
        }
    }
}

extension Column {
    /// A column of the expression language as one of the engine.
    init(_ column: ScalarColumn) throws {
        let values: Values
        switch column.values {
        case .integers(let array): values = .int64s(array)
        case .doubles(let array): values = .doubles(array)
        case .floats(let array): values = .float32s(array)
        case .booleans(let array): values = .bools(array)
        case .timestamps(let array): values = .timestamps(array)
        case .strings:
            let texts = (0..<column.count).map { row -> String? in
                if case .string(let text) = column[row] { text } else { nil }
            }
            self = .strings(nullable: texts)
            return
        }
        try self.init(values, validity: column.validity)
    }
}
