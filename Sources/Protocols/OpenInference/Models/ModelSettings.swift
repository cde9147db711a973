import Inference
import Serving

/// A model's configuration in the words of Triton's `ModelConfig`, as its tools read it before they send load.
struct ModelSettings: Encodable {
    struct Input: Encodable {
        var name: String
        var dataType: String
        var dims: [Int]
        let type: TensorType

        init(name: String, type: TensorType, dims: [Int]) {
            self.name = name
            self.type = type
            self.dims = dims
            dataType = type == .bytes ? "TYPE_STRING" : "TYPE_\(type.rawValue)"
        }

        private enum CodingKeys: CodingKey { case name, dataType, dims }
    }

    struct Batching: Encodable {
        var preferredBatchSize: [Int]
        var maxQueueDelayMicroseconds: Int
        var priorityLevels: Int
        var defaultPriorityLevel: Int
    }

    struct Group: Encodable {
        var name: String
        var kind = "KIND_CPU"
        var count: Int
    }

    /// The graph of a model of models. Keys of the maps are names of a step's model, values those of the ensemble.
    struct Ensemble: Encodable {
        struct Step: Encodable {
            var modelName: String
            /// -1 for the highest one.
            var modelVersion: Int64
            var inputMap: [String: String]
            var outputMap: [String: String]
        }

        var step: [Step]

        init(_ definition: EnsembleDefinition) {
            step = definition.steps.map { step in
                Step(
                    modelName: step.model, modelVersion: step.version.flatMap { Int64($0) } ?? -1,
                    inputMap: step.inputs, outputMap: step.outputs)
            }
        }
    }

    struct Latest: Encodable { var numVersions: Int }
    struct All: Encodable {}
    struct Specific: Encodable { var versions: [String] }

    struct Policy: Encodable {
        var latest: Latest?
        var all: All?
        var specific: Specific?

        init(_ policy: ModelConfiguration.VersionPolicy) {
            switch policy {
            case .latest(let count): latest = Latest(numVersions: count)
            case .all: all = All()
            case .specific(let versions): specific = Specific(versions: versions)
            }
        }
    }

    var name: String
    var platform: String
    var versionPolicy: Policy
    var maxBatchSize: Int
    var input: [Input]
    var output: [Input]
    var instanceGroup: [Group]
    var dynamicBatching: Batching?
    var ensembleScheduling: Ensemble?
    /// What ``versionPolicy`` says.
    let policy: ModelConfiguration.VersionPolicy

    init(_ model: ServedModel) {
        let settings = model.configuration
        name = model.name
        platform = model.model.platform
        policy = settings.versionPolicy
        versionPolicy = Policy(policy)
        let limit = model.model.stacksRows ? settings.maxBatchSize ?? ModelConfiguration.rowsMax : 0
        maxBatchSize = limit
        func tensors(_ specs: [TensorSpec]) -> [Input] {
            specs.map { spec in
                // Where a model batches, the dimension that counts rows is understood.
                Input(
                    name: spec.name, type: spec.datatype,
                    dims: limit > 0 ? Array(spec.shape.dropFirst()) : spec.shape)
            }
        }
        input = tensors(model.model.inputs)
        output = tensors(model.model.outputs)
        instanceGroup = [Group(name: model.name, count: settings.instances ?? 1)]
        ensembleScheduling = settings.ensemble.map(Ensemble.init)
        if limit > 0 {
            dynamicBatching = Batching(
                preferredBatchSize: settings.preferredBatchSizes,
                maxQueueDelayMicroseconds: settings.maxQueueDelayMicroseconds,
                priorityLevels: settings.priorityLevels, defaultPriorityLevel: settings.defaultPriorityLevel)
        }
    }

    /// An endpoint as a model: it takes any number of rows, and puts no requests together.
    init(_ endpoint: Endpoint) {
        let metadata = ModelMetadata(endpoint)
        name = metadata.name
        platform = metadata.platform
        policy = .specific(metadata.versions)
        versionPolicy = Policy(policy)
        maxBatchSize = 0
        func tensors(_ tensors: [ModelMetadata.Tensor]) -> [Input] {
            tensors.map { Input(name: $0.name, type: TensorType(rawValue: $0.datatype) ?? .bytes, dims: $0.shape) }
        }
        input = tensors(metadata.inputs)
        output = tensors(metadata.outputs)
        instanceGroup = [Group(name: metadata.name, count: 1)]
    }

    init(_ target: Directory.Target) {
        switch target {
        case .endpoint(let endpoint): self.init(endpoint)
        case .model(let model): self.init(model)
        }
    }

    private enum CodingKeys: CodingKey {
        case name, platform, versionPolicy, maxBatchSize, input, output, instanceGroup, dynamicBatching,
            ensembleScheduling
    }
}
