import Basics
import Columnar
import Inference

/// Which columns of a table go into which inputs of a model, and how they are read.
struct ModelBinding: Sendable {
    /// One column that is read.
    struct Reading: Sendable {
        let column: TableColumn
        /// What the model calls it.
        let name: String
        /// The SQL that gives the value in a type that the tensor is filled from, null where there is none.
        let expression: String
        /// The SQL that is true where there is a value, but none that the model takes; nil where that can not be.
        let misfit: String?
        /// Whether a missing value is handed to the model, as NaN.
        let takesMissing: Bool
    }

    /// One input tensor.
    struct Input: Sendable {
        let spec: TensorSpec
        /// Values of each row; nil where the shape has the rows alone.
        let width: Int?
        /// One for each value of a row, or a single one that is a list.
        let readings: [Reading]
        let isList: Bool
    }

    let inputs: [Input]

    var readings: [Reading] { inputs.flatMap(\.readings) }

    /// Columns that are taken as text.
    var texts: Set<String> {
        Set(inputs.filter { $0.spec.datatype == .bytes }.flatMap(\.readings).map(\.column.name))
    }

    /// - Throws: ``ScoringFailure/missingColumn(_:found:nearest:)``, ``ScoringFailure/unnamedInput(input:takes:found:)``,
    ///   ``ScoringFailure/unfitColumn(_:type:takes:)``, ``ScoringFailure/unfitModel(_:reason:)``.
    init(_ scored: ScoredModel, to columns: [TableColumn], _ options: ScoringOptions) throws {
        let table = Table(columns: columns, mapping: options.mapping)
        let specs = scored.model.inputs
        guard scored.model.stacksRows else {
            throw ScoringFailure.unfitModel(scored.name, reason: "its answers do not stand for one row each")
        }
        var known: Set<String> = []
        inputs = try specs.map { spec in
            guard spec.shape.first == -1, spec.shape.count <= 2 else {
                throw ScoringFailure.unfitModel(
                    scored.name, reason: "its input '\(spec.name)' has the shape \(spec.shape)")
            }
            let width = spec.shape.count == 2 ? spec.shape[1] : nil
            func reading(_ signature: SignatureColumn) throws -> Reading {
                known.insert(signature.name)
                return try Reading(
                    try table.column(signature.name), as: signature.name, spec, takesMissing: signature.nullable)
            }
            if specs.count == 1, let names = scored.columns, width == names.count {
                return Input(spec: spec, width: width, readings: try names.map(reading), isList: false)
            }
            let own = SignatureColumn(name: spec.name, datatype: spec.datatype, nullable: spec.datatype.isReal)
            if let width, width != 1 {
                if width > 0, options.features == nil, let list = table.found(spec.name), list.isList {
                    known.insert(spec.name)
                    let one = try Reading(list: list, as: spec.name, spec, width: width)
                    return Input(spec: spec, width: width, readings: [one], isList: true)
                }
                let names = try table.names(for: spec, width: width, options.features, isOnly: specs.count == 1)
                return Input(
                    spec: spec, width: names.count,
                    readings: try names.map {
                        try reading(SignatureColumn(name: $0, datatype: spec.datatype, nullable: own.nullable))
                    }, isList: false)
            }
            return Input(spec: spec, width: width, readings: [try reading(own)], isList: false)
        }
        if let stray = options.mapping.keys.sorted().first(where: { !known.contains($0) }) {
            let nearest = NearestWord.of(stray, among: known.sorted())
            throw ScoringFailure.badOptions(
                "the model takes no column '\(stray)'",
                remedy: nearest.map { "Did you mean '\($0)'?" } ?? "Write MODEL_COLUMN=TABLE_COLUMN")
        }
    }

    /// Columns as the mapping names them.
    private struct Table {
        let columns: [TableColumn]
        let mapping: [String: String]

        func found(_ name: String) -> TableColumn? {
            let name = mapping[name] ?? name
            // The engine compares names without regard to case; an exact one comes first.
            return columns.first { $0.name == name } ?? columns.first { $0.name.lowercased() == name.lowercased() }
        }

        func column(_ name: String) throws -> TableColumn {
            if let column = found(name) { return column }
            let names = columns.map(\.name)
            let wanted = mapping[name] ?? name
            throw ScoringFailure.missingColumn(wanted, found: names, nearest: NearestWord.of(wanted, among: names))
        }

        /// The columns of an input whose values have no names.
        func names(for spec: TensorSpec, width: Int, _ told: [String]?, isOnly: Bool) throws -> [String] {
            let candidates = columns.filter { $0.isNumber || $0.isBoolean }.map(\.name)
            let names = isOnly ? told ?? (columns.count == width ? candidates : nil) : nil
            guard let names, names.count == width || width == -1, !names.isEmpty else {
                throw ScoringFailure.unnamedInput(input: spec.name, takes: width, found: columns.map(\.name))
            }
            return names
        }
    }
}

extension ModelBinding.Reading {
    /// One value of a row.
    fileprivate init(_ column: TableColumn, as name: String, _ spec: TensorSpec, takesMissing: Bool) throws {
        self.column = column
        self.name = name
        self.takesMissing = takesMissing && spec.datatype.isReal
        let value = SQLText.identifier(column.name)
        let isPlain = column.isNumber || column.isBoolean || column.isText
        guard !column.isList, isPlain || spec.datatype == .bytes else {
            throw ScoringFailure.unfitColumn(column.name, type: column.type, takes: spec.datatype.rawValue)
        }
        let kind = spec.datatype.columnType
        if spec.datatype == .bytes {
            expression = "CAST(\(value) AS VARCHAR)"
        } else if spec.datatype.isReal {
            expression = "\(column.isText ? "TRY_CAST" : "CAST")(\(value) AS \(kind))"
        } else if spec.datatype == .bool {
            expression = "TRY_CAST(\(value) AS BOOLEAN)"
        } else {
            let whole = "TRY_CAST(\(value) AS \(spec.datatype.rangeType))"
            // A fraction would be rounded away without a word.
            expression =
                column.isWhole || column.isBoolean
                ? "CAST(\(whole) AS \(kind))"
                : "CASE WHEN TRY_CAST(\(value) AS DOUBLE) = \(whole) THEN CAST(\(whole) AS \(kind)) END"
        }
        let always = spec.datatype == .bytes || spec.datatype.isReal && !column.isText
        misfit = always ? nil : "(\(value) IS NOT NULL AND \(expression) IS NULL)"
    }

    /// A list whose elements are the values of a row.
    fileprivate init(list column: TableColumn, as name: String, _ spec: TensorSpec, width: Int) throws {
        self.column = column
        self.name = name
        takesMissing = false
        guard spec.datatype != .bytes else {
            throw ScoringFailure.unfitColumn(column.name, type: column.type, takes: "columns of text")
        }
        let value = SQLText.identifier(column.name)
        let list = "TRY_CAST(\(value) AS \(spec.datatype.columnType)[])"
        expression = "CASE WHEN len(\(value)) = \(width) AND list_count(\(value)) = \(width) THEN \(list) END"
        misfit = "(\(value) IS NOT NULL AND (\(expression)) IS NULL)"
    }
}

extension TensorType {
    var isReal: Bool { [.fp16, .bf16, .fp32, .fp64].contains(self) }

    /// The engine's type that tensors of this type are filled from.
    var columnType: String {
        switch self {
        case .bool: "BOOLEAN"
        case .fp16, .bf16, .fp32: "FLOAT"
        case .fp64: "DOUBLE"
        case .bytes: "VARCHAR"
        default: "BIGINT"
        }
    }

    /// The engine's type that has the same range.
    fileprivate var rangeType: String {
        switch self {
        case .int8: "TINYINT"
        case .int16: "SMALLINT"
        case .int32: "INTEGER"
        case .uint8: "UTINYINT"
        case .uint16: "USMALLINT"
        case .uint32: "UINTEGER"
        default: "BIGINT"
        }
    }
}
