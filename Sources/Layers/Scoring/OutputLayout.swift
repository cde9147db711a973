import Basics
import Inference

/// Which columns the answers of a model become.
struct OutputLayout: Sendable, Equatable {
    struct Column: Sendable, Equatable {
        let name: String
        let type: TensorType

        /// The engine's type of the column.
        var sqlType: String {
            switch type {
            case .bool: "BOOLEAN"
            case .fp16, .bf16, .fp32: "FLOAT"
            case .fp64: "DOUBLE"
            case .bytes: "VARCHAR"
            default: "BIGINT"
            }
        }
    }

    /// Indices of the outputs that are asked.
    let wanted: [Int]
    /// How many columns each of them is.
    let widths: [Int]
    let columns: [Column]

    /// - Parameter answers: what the outputs gave for some rows; empty to go by what the model declares.
    /// - Throws: ``ScoringFailure/unfitModel(_:reason:)``, ``ScoringFailure/badOptions(_:remedy:)``.
    init(_ scored: ScoredModel, outputs names: [String]?, answers: [Tensor] = []) throws {
        let specs = scored.model.outputs
        wanted = try OutputLayout.wanted(scored, names)
        var widths: [Int] = []
        var columns: [Column] = []
        for (number, index) in wanted.enumerated() {
            let spec = specs[index]
            let shape = answers.isEmpty ? spec.shape : answers[number].shape
            guard !shape.isEmpty, shape.count <= 2, shape.count == 1 || shape[1] > 0 else {
                throw ScoringFailure.unfitModel(
                    scored.name, reason: "its output '\(spec.name)' has the shape \(shape)")
            }
            let width = shape.count == 2 ? shape[1] : 1
            guard width <= OutputLayout.widthMax else {
                throw ScoringFailure.unfitModel(
                    scored.name, reason: "its output '\(spec.name)' has \(width) values for each row")
            }
            let type = answers.isEmpty ? spec.datatype : answers[number].type
            widths.append(width)
            columns += OutputLayout.names(scored, spec, width).map { Column(name: $0, type: type) }
        }
        self.widths = widths
        self.columns = columns
    }

    /// More columns than this are hardly predictions.
    private static let widthMax = 4096
    /// What the one output of a forest is called, which its file does not name.
    private static let plainName = "prediction"

    /// The outputs that are asked for.
    static func wanted(_ scored: ScoredModel, _ names: [String]?) throws -> [Int] {
        let specs = scored.model.outputs
        guard let names else { return Array(specs.indices) }
        let known = specs.map { $0.name == RowsAsTensors.outputName ? plainName : $0.name }
        return try names.map { name in
            guard let index = known.firstIndex(of: name) ?? scored.model.output(named: name) else {
                let nearest = NearestWord.of(name, among: known)
                throw ScoringFailure.badOptions(
                    "the model has no output '\(name)'",
                    remedy: nearest.map { "Did you mean '\($0)'?" }
                        ?? "Choose of: \(known.joined(separator: ", "))")
            }
            return index
        }
    }

    private static func names(_ scored: ScoredModel, _ spec: TensorSpec, _ width: Int) -> [String] {
        if let known = scored.outputs, known.count == width { return known }
        let name = spec.name == RowsAsTensors.outputName ? plainName : spec.name
        if width == 1 { return [name] }
        if let labels = spec.labels, labels.count == width { return labels.map { "\(name)_\($0)" } }
        return (0..<width).map { "\(name)_\($0)" }
    }
}
