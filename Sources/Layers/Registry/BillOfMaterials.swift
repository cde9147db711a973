import Basics

/// What a version was made from, by digest: enough to make it again, or to say what of that is not known.
public struct BillOfMaterials: Sendable, Codable, Equatable {
    /// Dataset versions by table.
    public var datasets: [String: Digest]
    /// The datasets that a client said its run read.
    public var inputs: [Input]
    /// The feature service's definitions; nil for what was not trained here.
    public var features: Digest?
    /// The training specification; nil for what was not trained here.
    public var training: Digest?
    /// The rows and columns it was trained on; nil for what was not trained here.
    public var trainingSet: Digest?
    /// The commit of its code, or version and build of the program that trained it; empty where it is not known.
    public var code: String
    /// The changes to that commit that were not committed, as a text; nil where there were none, or it is not known.
    public var diff: Digest?
    /// The hyperparameters of its run.
    public var parameters: [String: String]
    /// Versions of libraries by name; for a client's model its lock files, by path, with their digests.
    public var environment: [String: String]
    /// Nil where it is not known.
    public var seed: Int64?
    /// Names and types of what the model takes and gives; nil where it has none.
    public var signature: Digest?
    /// Rows that it was asked, with its answers; nil where it has none.
    public var sample: Digest?
    /// Where it comes from, where it was not registered here first.
    public var origin: Origin?

    /// A dataset as a client names it.
    public struct Input: Sendable, Codable, Equatable {
        public var name: String
        /// As the client worked it out; in no form of ours.
        public var digest: String
        public var source: String
        /// Such as `training`; empty where none was said.
        public var context: String
    }

    /// The version of another installation that this one is a copy of.
    public struct Origin: Sendable, Codable, Equatable {
        public var version: ModelVersionID
        /// The run that made it there; nil where it had none.
        public var run: String?
        /// The name of the key that its export is signed with.
        public var key: String
        public var exported: Timestamp
        /// Of the signed statement.
        public var statement: Digest
    }

    /// A bill of a training of this factory.
    public init(
        datasets: [String: Digest], features: Digest, training: Digest, trainingSet: Digest, code: String,
        parameters: [String: String] = [:], environment: [String: String], seed: Int64, signature: Digest? = nil,
        sample: Digest? = nil
    ) {
        self.init(code: code, parameters: parameters, environment: environment)
        self.datasets = datasets
        self.features = features
        self.training = training
        self.trainingSet = trainingSet
        self.seed = seed
        self.signature = signature
        self.sample = sample
    }

    /// A bill of what is known of a model that was made elsewhere.
    init(code: String = "", parameters: [String: String] = [:], environment: [String: String] = [:]) {
        datasets = [:]
        inputs = []
        self.code = code
        self.parameters = parameters
        self.environment = environment
    }

    /// Reads a bill; what older programs did not write down is not known.
    public init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        datasets = try fields.decode([String: Digest].self, forKey: .datasets)
        inputs = try fields.decodeIfPresent([Input].self, forKey: .inputs) ?? []
        features = try fields.decodeIfPresent(Digest.self, forKey: .features)
        training = try fields.decodeIfPresent(Digest.self, forKey: .training)
        trainingSet = try fields.decodeIfPresent(Digest.self, forKey: .trainingSet)
        code = try fields.decode(String.self, forKey: .code)
        diff = try fields.decodeIfPresent(Digest.self, forKey: .diff)
        parameters = try fields.decodeIfPresent([String: String].self, forKey: .parameters) ?? [:]
        environment = try fields.decode([String: String].self, forKey: .environment)
        seed = try fields.decodeIfPresent(Int64.self, forKey: .seed)
        signature = try fields.decodeIfPresent(Digest.self, forKey: .signature)
        sample = try fields.decodeIfPresent(Digest.self, forKey: .sample)
        origin = try fields.decodeIfPresent(Origin.self, forKey: .origin)
    }
}
