import Basics

/// What can go wrong in training.
public enum TrainingFailure: Failure {
    case unknown(String, known: [String])
    case noTraining(model: String, service: String)
    case tooFewRows(training: String, rows: Int, needed: Int)
    case oneClass(training: String)
    case badRange(training: String, from: Timestamp, to: Timestamp)
    case badParameter(training: String, name: String, value: String)
    case nonBinaryLabel(training: String, value: Double)
    case noRecipe(run: String)

    public var code: FailureCode {
        switch self {
        case .unknown, .noTraining: .notFound
        case .badRange, .badParameter, .nonBinaryLabel: .invalidArgument
        case .tooFewRows, .oneClass, .noRecipe: .failedPrecondition
        }
    }

    public var message: String {
        switch self {
        case .unknown(let name, _): "there is no training '\(name)'"
        case .noTraining(let model, let service):
            "no training makes the model '\(model)' from the service '\(service)', so no population tells whom an id is of"
        case .tooFewRows(let name, let rows, let needed):
            "the training '\(name)' has \(rows) labelled rows in its range, and needs \(needed)"
        case .oneClass(let name): "all labels of the training '\(name)' are the same"
        case .badRange(let name, let from, let to):
            "the range of the training '\(name)', \(from) to \(to), has no room for rows before its holdout"
        case .badParameter(let training, let name, let value):
            "the parameter '\(name)' of the training '\(training)' can not be '\(value)'"
        case .noRecipe(let run): "the run '\(run)' has no \(TrainingRecipe.file): it was not trained here"
        case .nonBinaryLabel(let name, let value): "a label of the training '\(name)' is \(value), not 0 or 1"
        }
    }

    public var remedy: String? {
        switch self {
        case .unknown(_, let known):
            known.isEmpty
                ? "Define one under training/ and apply." : "Known: \(known.sorted().joined(separator: ", "))."
        case .noTraining: "Define one under training/ and apply."
        case .tooFewRows, .oneClass: "Widen its range, and check that the labels were known by its end."
        case .badRange: "Set 'from' and 'to' further apart, or make the holdout shorter."
        case .badParameter: "See LightGBM's documentation of its parameters."
        case .noRecipe: "Run its own script again; 'modelworks runs show' tells the commit, data and environment."
        case .nonBinaryLabel: "Let the population give 0, 1 or null."
        }
    }
}
