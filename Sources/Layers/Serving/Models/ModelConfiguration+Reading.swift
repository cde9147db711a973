import Basics
import Configuration
import Foundation
import Inference

extension ModelConfiguration {
    /// Words of Triton's `ModelConfig` that say nothing a model file does not say itself.
    private static let understood = ["name", "platform", "backend", "input", "output", "default_model_filename"]

    /// Reads a configuration in the words of Triton's `ModelConfig`, as YAML or JSON.
    ///
    /// `max_batch_size`, `dynamic_batching`, `instance_group`, `version_policy`, `response_cache` (with our own `max_bytes` and
    /// `ttl`) and our own `latency_budget_microseconds`, `latency_budget` (by ``RequestStage``), `record` (``RecordPolicy``) and
    /// `scaling` are obeyed.
    ///
    /// - Parameters:
    ///   - file: what errors call the text.
    ///   - standard: what holds where the text says nothing.
    /// - Returns: the configuration, and what of the text has no meaning here.
    /// - Throws: `ConfigurationFailure` where a value is not what it has to be.
    static func read(
        _ text: String, file: String, standard: ModelConfiguration
    ) throws -> (configuration: ModelConfiguration, warnings: [String]) {
        guard let document = try YAMLParser.parse(text, file: file).first else { return (standard, []) }
        var reading = Reading(configuration: standard)
        try reading.model(try document.mapping())
        return (reading.configuration, reading.warnings)
    }

    private struct Reading {
        var configuration: ModelConfiguration
        var warnings: [String] = []

        mutating func model(_ mapping: ConfigurationMapping) throws {
            warn(
                mapping,
                except: understood + [
                    "max_batch_size", "dynamic_batching", "instance_group", "version_policy",
                    "latency_budget_microseconds", "latency_budget", "response_cache", "record", "scaling",
                    "ensemble_scheduling",
                ])
            if mapping.node("max_batch_size") != nil {
                configuration.maxBatchSize = try positive(mapping, "max_batch_size", 0)
            }
            configuration.latencyBudgetMicroseconds = try positive(
                mapping, "latency_budget_microseconds", configuration.latencyBudgetMicroseconds)
            if let budget = mapping.node("latency_budget") { configuration.latencyBudget = try LatencyBudget(budget) }
            if let record = mapping.node("record") {
                configuration.record = try RecordPolicy(record, over: configuration.record ?? RecordPolicy())
            }
            if let batching = try mapping.node("dynamic_batching")?.mapping() { try dynamicBatching(batching) }
            let groups = try mapping.list("instance_group").map { try $0.mapping() }
            if !groups.isEmpty {
                for group in groups { warn(group, except: ["count", "kind", "name"]) }
                let count = try groups.reduce(0) { $0 + min(try positive($1, "count", 1), Self.instancesMax) }
                configuration.instances = min(max(1, count), Self.instancesMax)
            }
            if let cache = try mapping.node("response_cache")?.mapping() { try responseCache(cache) }
            if let scaling = try mapping.node("scaling")?.mapping() {
                warn(scaling, except: ScalingPolicy.keys)
                configuration.scaling = try ScalingPolicy(scaling)
            }
            if let policy = try mapping.node("version_policy")?.mapping() { try versionPolicy(policy) }
            if let graph = try mapping.node("ensemble_scheduling")?.mapping() { try ensemble(graph, of: mapping) }
        }

        private mutating func ensemble(_ graph: ConfigurationMapping, of model: ConfigurationMapping) throws {
            warn(graph, except: ["step"])
            let isStacked = (configuration.maxBatchSize ?? 0) > 0
            let steps = try graph.list("step").map { node in
                let step = try node.mapping(allowing: ["model_name", "model_version", "input_map", "output_map"])
                let version = try step.int("model_version", default: -1)
                func map(_ key: String) throws -> [String: String] {
                    let entries = try step.required(key).mapping().entries
                    return Dictionary(
                        try entries.map { ($0.key, try $0.value.string()) }, uniquingKeysWith: { first, _ in first })
                }
                return EnsembleDefinition.Step(
                    model: try step.string("model_name"), version: version < 0 ? nil : "\(version)",
                    inputs: try map("input_map"), outputs: try map("output_map"))
            }
            do {
                configuration.ensemble = try EnsembleDefinition(
                    inputs: try specs(model, "input", isStacked), outputs: try specs(model, "output", isStacked),
                    steps: steps)
            } catch let failure as ServingFailure {
                throw ConfigurationFailure(graph.place, failure.message, remedy: failure.remedy)
            }
        }

        /// The inputs or outputs as Triton has them: where rows are stacked, `dims` leaves them out.
        private func specs(_ mapping: ConfigurationMapping, _ key: String, _ isStacked: Bool) throws -> [TensorSpec] {
            try mapping.list(key).map { node in
                let tensor = try node.mapping()
                let word = try tensor.string("data_type")
                let name = word.hasPrefix("TYPE_") ? String(word.dropFirst(5)) : word
                guard let type = TensorType(rawValue: name == "STRING" ? "BYTES" : name) else {
                    throw ConfigurationFailure(
                        try tensor.required("data_type").place, "'\(word)' is no data type such as TYPE_FP32")
                }
                let sizes = try tensor.list("dims").map { size in
                    guard let value = Int(try size.string()), value >= -1 else {
                        throw ConfigurationFailure(size.place, "a size must be a whole number, or -1 for any")
                    }
                    return value
                }
                return TensorSpec(
                    name: try tensor.string("name"), datatype: type, shape: (isStacked ? [-1] : []) + sizes)
            }
        }

        private mutating func dynamicBatching(_ mapping: ConfigurationMapping) throws {
            warn(
                mapping,
                except: [
                    "preferred_batch_size", "max_queue_delay_microseconds", "priority_levels",
                    "default_priority_level", "default_queue_policy", "preserve_ordering",
                ])
            configuration.preferredBatchSizes = try mapping.list("preferred_batch_size").map {
                guard let size = Int(try $0.string()), size > 0 else {
                    throw ConfigurationFailure($0.place, "a preferred batch size must be a positive whole number")
                }
                return size
            }
            configuration.maxQueueDelayMicroseconds = try positive(mapping, "max_queue_delay_microseconds", 0)
            configuration.priorityLevels = try positive(mapping, "priority_levels", 0)
            configuration.defaultPriorityLevel = try positive(mapping, "default_priority_level", 0)
            guard let policy = try mapping.node("default_queue_policy")?.mapping() else { return }
            warn(
                policy,
                except: ["default_timeout_microseconds", "max_queue_size", "timeout_action", "allow_timeout_override"])
            configuration.defaultTimeoutMicroseconds = try positive(policy, "default_timeout_microseconds", 0)
            let size = try positive(policy, "max_queue_size", 0)
            // Triton's 0 is a queue without end, which nothing here is.
            if size > 0 { configuration.maxQueueSize = size }
        }

        private mutating func responseCache(_ mapping: ConfigurationMapping) throws {
            warn(mapping, except: ["enable", "max_bytes", "ttl"])
            guard try mapping.bool("enable", default: true) else {
                configuration.responseCache = nil
                return
            }
            var settings = configuration.responseCache ?? ModelConfiguration.ResponseCacheSettings()
            settings.bytes = Int(clamping: try mapping.bytes("max_bytes", default: Int64(settings.bytes)))
            settings.seconds = Int(clamping: try mapping.seconds("ttl", default: Int64(settings.seconds)))
            configuration.responseCache = settings
        }

        private mutating func versionPolicy(_ mapping: ConfigurationMapping) throws {
            warn(mapping, except: ["all", "latest", "specific"])
            if let latest = try mapping.node("latest")?.mapping() {
                configuration.versionPolicy = .latest(max(1, try positive(latest, "num_versions", 1)))
            } else if let specific = try mapping.node("specific")?.mapping() {
                configuration.versionPolicy = .specific(try specific.strings("versions"))
            } else {
                configuration.versionPolicy = .all
            }
        }

        private static let instancesMax = 64
        private static let numberMax = 1_000_000_000

        private func positive(_ mapping: ConfigurationMapping, _ key: String, _ standard: Int) throws -> Int {
            let value = try mapping.int(key, default: standard)
            guard (0...Self.numberMax).contains(value) else {
                throw ConfigurationFailure(
                    mapping.node(key)?.place ?? mapping.place,
                    "'\(key)' must be 0 to \(Self.numberMax), and is \(value)")
            }
            return value
        }

        private mutating func warn(_ mapping: ConfigurationMapping, except known: [String]) {
            for entry in mapping.entries where !known.contains(entry.key) {
                let nearest = NearestWord.of(entry.key, among: known)
                warnings.append(
                    "\(entry.place): '\(entry.key)' has no meaning here"
                        + (nearest.map { "; did you mean '\($0)'?" } ?? ""))
            }
        }
    }

    /// The versions that are to be loaded of those there are.
    func chosen(of versions: [FoundModel.Version]) -> [FoundModel.Version] {
        switch versionPolicy {
        case .all: versions
        case .latest(let count): Array(versions.suffix(count))
        case .specific(let numbers): versions.filter { numbers.contains($0.number) }
        }
    }
}
