import Inference
import Serving

/// A model's configuration in the words of Triton's `ModelConfig`, as its tools read it before they send load.
struct ModelSettings: Encodable {
    struct Input: Encodable {
        var name: String
        var data_type: String
        var dims: [Int]
    }

    struct Batching: Encodable {
        var preferred_batch_size: [Int]
        var max_queue_delay_microseconds: Int
        var priority_levels: Int
        var default_priority_level: Int
    }

    struct Group: Encodable {
        var name: String
        var kind = "KIND_CPU"
        var count: Int
    }

    struct Latest: Encodable { var num_versions: Int }
    struct All: Encodable {}
    struct Specific: Encodable { var versions: [String] }

    struct Policy: Encodable {
        var latest: Latest?
        var all: All?
        var specific: Specific?

        init(_ policy: ModelConfiguration.VersionPolicy) {
            switch policy {
            case .latest(let count): latest = Latest(num_versions: count)
            case .all: all = All()
            case .specific(let versions): specific = Specific(versions: versions)
            }
        }
    }

    var name: String
    var platform: String
    var version_policy: Policy
    var max_batch_size: Int
    var input: [Input]
    var output: [Input]
    var instance_group: [Group]
    var dynamic_batching: Batching?

    init(_ model: ServedModel) {
        let settings = model.configuration
        name = model.name
        platform = model.model.platform
        version_policy = Policy(settings.versionPolicy)
        let limit = model.model.stacksRows ? settings.maxBatchSize ?? ModelConfiguration.rowsMax : 0
        max_batch_size = limit
        func tensors(_ specs: [TensorSpec]) -> [Input] {
            specs.map { spec in
                // Where a model batches, the dimension that counts rows is understood.
                Input(
                    name: spec.name, data_type: Self.type(spec.datatype),
                    dims: limit > 0 ? Array(spec.shape.dropFirst()) : spec.shape)
            }
        }
        input = tensors(model.model.inputs)
        output = tensors(model.model.outputs)
        instance_group = [Group(name: model.name, count: settings.instances ?? 1)]
        if limit > 0 {
            dynamic_batching = Batching(
                preferred_batch_size: settings.preferredBatchSizes,
                max_queue_delay_microseconds: settings.maxQueueDelayMicroseconds,
                priority_levels: settings.priorityLevels, default_priority_level: settings.defaultPriorityLevel)
        }
    }

    static func type(_ type: TensorType) -> String { type == .bytes ? "TYPE_STRING" : "TYPE_\(type.rawValue)" }
}
