import Inference
import Serving

extension ScoringRequest {
    /// The inputs of a model, in its order.
    ///
    /// Columns go to the inputs of their names. A model with one input of two dimensions takes them side by side: by the
    /// names of its features where it knows them, else in the order in which they came. What has no name goes to the
    /// only input, or its columns to the inputs one by one.
    ///
    /// - Throws: ``ScoringFailure``, `InferenceError` where names, types or shapes do not fit.
    func tensors(for model: any TensorModel) throws -> [Tensor] {
        let specs = model.inputs
        switch content {
        case .array(let cells):
            if let spec = specs.first, specs.count == 1 { return [try cells.tensor(for: spec)] }
            let columns = try Self.apart(cells, into: specs.count)
            return try zip(specs, columns).map { try $1.tensor(for: $0) }
        case .columns(let columns):
            let byName = Dictionary(columns.map { ($0.name, $0.cells) }) { _, last in last }
            if specs.allSatisfy({ byName[$0.name] != nil }) {
                if let other = columns.first(where: { column in !specs.contains { $0.name == column.name } }), !isTable
                {
                    throw ScoringFailure.unknownColumn(other.name, known: specs.map(\.name))
                }
                return try specs.map { try (byName[$0.name] ?? Cells([])).tensor(for: $0) }
            }
            if let spec = specs.first, specs.count == 1, spec.shape.count == 2 {
                let ordered = try Self.order(columns, by: model.columnNames, byName)
                return [try Self.together(ordered, for: spec).tensor(for: spec)]
            }
            let missing = specs.first { byName[$0.name] == nil }?.name ?? ""
            throw ScoringFailure.missingColumn(missing, known: specs.map(\.name))
        }
    }

    /// Whether it came as a table, from which a model takes the columns that it wants.
    var isTable: Bool { form == .split || form == .records }

    /// Columns in the order of a model's own names, where it has some and they are those of the columns.
    private static func order(
        _ columns: [(name: String, cells: Cells)], by names: [String]?, _ byName: [String: Cells]
    ) throws -> [(name: String, cells: Cells)] {
        // Who gives none of the names goes by the order, as for a model that knows no names.
        guard let names, names.contains(where: { byName[$0] != nil }) else { return columns }
        return try names.map { name in
            guard let cells = byName[name] else { throw ScoringFailure.missingColumn(name, known: names) }
            return (name, cells)
        }
    }

    /// Columns side by side as rows.
    private static func together(_ columns: [(name: String, cells: Cells)], for spec: TensorSpec) throws -> Cells {
        let rows = columns.first?.cells.shape.first ?? 0
        guard columns.allSatisfy({ $0.cells.shape == [rows] }) else {
            throw ScoringFailure.ragged("the columns for the input '\(spec.name)'")
        }
        if let width = spec.shape.last, width >= 0, width != columns.count {
            throw ScoringFailure.wrongShape(
                "the input '\(spec.name)' takes \(width) columns and was given \(columns.count)")
        }
        var cells = Cells((0..<rows).flatMap { row in columns.map { $0.cells.values[row] } })
        cells.shape = [rows, columns.count]
        return cells
    }

    /// The columns of rows one by one.
    private static func apart(_ cells: Cells, into count: Int) throws -> [Cells] {
        guard cells.shape.count == 2, cells.shape[1] == count else {
            throw ScoringFailure.wrongShape(
                "the model has \(count) inputs; an array of the shape \(cells.shape) does not tell which is which")
        }
        return (0..<count).map { column in
            Cells(stride(from: column, to: cells.values.count, by: count).map { cells.values[$0] })
        }
    }
}
