import Basics
import Columnar
import Foundation
import Inference

/// Single rows for a model, as requests and as a table: a person's own, or made up.
struct ExampleRequests: Sendable {
    /// Bodies of infer requests.
    let bodies: [[UInt8]]
    /// What the engine of tables reads the same rows from; nil where they do not fit a table.
    let source: String?

    private static let rowsMax = 512

    /// - Parameters:
    ///   - data: a file of Parquet, CSV or JSON; nil for rows that are made up.
    ///   - folder: for what is made up.
    /// - Throws: `CommandFailure` where the table has not the columns that the model takes, or has no whole row.
    static func make(
        for model: any TensorModel, from data: String?, in folder: String, random: any RandomSource
    ) async throws -> ExampleRequests {
        guard let data else { return try madeUp(for: model, in: folder, random) }
        let reader =
            switch (data as NSString).pathExtension {
            case "parquet": "read_parquet"
            case "csv", "tsv": "read_csv"
            default: "read_json"
            }
        let source = "\(reader)(\(SQLText.literal(data)))"
        let engine = ColumnarEngine(ColumnarOptions(temporaryDirectory: "\(folder)/spill"))
        let columns = try await engine.query("DESCRIBE SELECT * FROM \(source)", context: data)
            .strings("column_name").compactMap { $0 }
        let values = try model.inputs.map { try expression(of: $0, of: model, among: columns, data) }
        let whole = columns.map { "\(SQLText.identifier($0)) IS NOT NULL" }.joined(separator: " AND ")
        let list = values.enumerated().map { "to_json(\($1))::VARCHAR AS i\($0)" }.joined(separator: ", ")
        let rows = try await engine.query(
            "SELECT \(list) FROM \(source) WHERE \(whole) LIMIT \(rowsMax)", context: data)
        guard rows.rowCount > 0 else {
            throw CommandFailure(.invalidArgument, "\(data) has no row without gaps", remedy: "Give some examples.")
        }
        let texts = try values.indices.map { try rows.strings("i\($0)") }
        let bodies = (0..<rows.rowCount).map { row in
            body(model.inputs.indices.map { (model.inputs[$0], texts[$0][row] ?? "[]") })
        }
        return ExampleRequests(bodies: bodies, source: source)
    }

    /// The SQL that gives the elements of an input.
    private static func expression(
        of spec: TensorSpec, of model: any TensorModel, among columns: [String], _ data: String
    ) throws -> String {
        if let own = columns.first(where: { $0 == spec.name }) { return SQLText.identifier(own) }
        let width = spec.shape.dropFirst().reduce(1) { $0 * max(1, $1) }
        let names = model.columnNames ?? columns
        guard model.inputs.count == 1, names.count == width, names.allSatisfy(columns.contains) else {
            throw CommandFailure(
                .invalidArgument,
                "\(data) has the columns \(columns.joined(separator: ", ")), and the input '\(spec.name)' takes \(width)",
                remedy: "Give a column of that name, with a list where it takes several, or the columns of one input.")
        }
        return "[\(names.map(SQLText.identifier).joined(separator: ", "))]"
    }

    private static func body(_ inputs: [(spec: TensorSpec, data: String)]) -> [UInt8] {
        let parts = inputs.map { spec, data in
            let shape = spec.shape.map { max(1, $0) }
            let name = (try? JSON.string(JSONValue.string(spec.name))) ?? "\"\""
            let list = data.hasPrefix("[") ? data : "[\(data)]"
            return "{\"name\":\(name),\"datatype\":\"\(spec.datatype.rawValue)\",\"shape\":\(shape),\"data\":\(list)}"
        }
        return Array("{\"inputs\":[\(parts.joined(separator: ","))]}".utf8)
    }

    // MARK: Made up

    private static func madeUp(
        for model: any TensorModel, in folder: String, _ random: any RandomSource
    ) throws -> ExampleRequests {
        var bodies: [[UInt8]] = []
        var lines: [String] = []
        for row in 0..<rowsMax {
            let values = model.inputs.map { spec in
                let count = spec.shape.dropFirst().reduce(1) { $0 * max(1, $1) }
                return (0..<min(count, 1 << 20)).map { element(spec.datatype, $0 + row, random) }
            }
            bodies.append(body(zip(model.inputs, values).map { ($0, "[\($1.joined(separator: ","))]") }))
            lines.append(line(model, values))
        }
        guard model.inputs.allSatisfy({ $0.shape.count <= 2 }) else {
            return ExampleRequests(bodies: bodies, source: nil)
        }
        let path = "\(folder)/rows.json"
        try Data(lines.joined(separator: "\n").utf8).write(to: URL(fileURLWithPath: path))
        return ExampleRequests(bodies: bodies, source: "read_json(\(SQLText.literal(path)))")
    }

    /// Between -1 and 1; whole numbers are 0 and 1, which most tables and vocabularies have.
    private static func element(_ type: TensorType, _ place: Int, _ random: any RandomSource) -> String {
        switch type {
        case .fp16, .bf16, .fp32, .fp64:
            return String(format: "%.6f", Double(random.next() >> 11) * 0x1p-52 - 1)
        case .bool: return place.isMultiple(of: 2) ? "true" : "false"
        case .bytes: return place.isMultiple(of: 2) ? "\"a\"" : "\"b\""
        default: return "\(place & 1)"
        }
    }

    private static func line(_ model: any TensorModel, _ values: [[String]]) -> String {
        var members: [String] = []
        func add(_ name: String, _ value: String) {
            members.append("\((try? JSON.string(JSONValue.string(name))) ?? "\"\""):\(value)")
        }
        for (spec, elements) in zip(model.inputs, values) {
            if model.inputs.count == 1, let names = model.columnNames, names.count == elements.count {
                for (name, element) in zip(names, elements) { add(name, element) }
            } else {
                add(spec.name, elements.count == 1 ? elements[0] : "[\(elements.joined(separator: ","))]")
            }
        }
        return "{\(members.joined(separator: ","))}"
    }
}
