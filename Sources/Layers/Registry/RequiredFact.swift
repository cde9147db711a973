import Basics

/// A fact about a version that may have to be known before it goes to Production.
public enum RequiredFact: String, Sendable, Codable, CaseIterable {
    /// Which run made it.
    case run
    /// Of which commit its code was.
    case code
    /// Which dataset versions it learnt from.
    case data
    case parameters
    case metrics
    case environment
    case signature
    case sample

    /// What is missing, for messages.
    public var name: String {
        switch self {
        case .run: "its run"
        case .code: "the commit of its code"
        case .data: "the dataset versions it learnt from"
        case .parameters: "its hyperparameters"
        case .metrics: "its metrics"
        case .environment: "its environment"
        case .signature: "its signature"
        case .sample: "a sample input"
        }
    }

    /// How it is given.
    public var remedy: String {
        switch self {
        case .run: "register it with its run_id"
        case .code: "run the script in a git repository, or set the run's tag mlflow.source.git.commit"
        case .data: "call mlflow.log_input with the dataset"
        case .parameters: "call mlflow.log_params"
        case .metrics: "call mlflow.log_metrics"
        case .environment: "log the model with mlflow.<flavor>.log_model, which writes requirements.txt"
        case .signature: "give log_model a signature or an input_example"
        case .sample: "give log_model an input_example"
        }
    }

    /// Whether a version has it.
    func isKnown(of version: ModelVersion) -> Bool {
        let materials = version.materials
        return switch self {
        case .run: version.run != nil || materials?.origin?.run != nil
        case .code: materials?.code.isEmpty == false
        case .data: materials.map { !$0.datasets.isEmpty || !$0.inputs.isEmpty } ?? false
        case .parameters: materials?.parameters.isEmpty == false
        case .metrics: !version.metrics.isEmpty
        case .environment: materials?.environment.isEmpty == false
        case .signature: materials?.signature != nil
        case .sample: materials?.sample != nil
        }
    }
}
