import Basics
import Configuration
import Testing

@testable import Serving

/// Triton's words.
struct ModelConfigurationTests {
    private func read(_ text: String) throws -> (configuration: ModelConfiguration, warnings: [String]) {
        try ModelConfiguration.read(text, file: "config.yaml", standard: ModelConfiguration())
    }

    @Test func readsJSONAndYAML() throws {
        let json = """
            {"name": "m", "platform": "onnxruntime_onnx", "max_batch_size": 16,
             "dynamic_batching": {"preferred_batch_size": [4, 8], "max_queue_delay_microseconds": 500,
               "priority_levels": 3, "default_priority_level": 2,
               "default_queue_policy": {"default_timeout_microseconds": 9, "max_queue_size": 7}},
             "instance_group": [{"count": 2, "kind": "KIND_CPU"}, {"count": 1}],
             "version_policy": {"latest": {"num_versions": 2}}}
            """
        let expected = ModelConfiguration(
            maxBatchSize: 16, preferredBatchSizes: [4, 8], maxQueueDelayMicroseconds: 500, maxQueueSize: 7,
            defaultTimeoutMicroseconds: 9, priorityLevels: 3, defaultPriorityLevel: 2, instances: 3,
            versionPolicy: .latest(2))
        #expect(try read(json).configuration == expected)
        #expect(try read(json).warnings.isEmpty)
        let yaml = """
            max_batch_size: 16
            dynamic_batching:
              preferred_batch_size: [4, 8]
              max_queue_delay_microseconds: 500
              priority_levels: 3
              default_priority_level: 2
              default_queue_policy: {default_timeout_microseconds: 9, max_queue_size: 7}
            instance_group: [{count: 3}]
            version_policy: {latest: {num_versions: 2}}
            """
        #expect(try read(yaml).configuration == expected)
        #expect(try read("").configuration == ModelConfiguration())
    }

    @Test func warnsOfWhatHasNoMeaning() throws {
        let warnings = try read("max_batch_sise: 4\nsequence_batching: {}\ninstance_group: [{gpus: [0]}]").warnings
        #expect(warnings.count == 3)
        #expect(
            warnings.first?.contains("'max_batch_sise' has no meaning here; did you mean 'max_batch_size'?") == true)
    }

    @Test(arguments: [
        "max_batch_size: -1", "max_batch_size: many", "max_batch_size: 99999999999", "dynamic_batching: 5", "- a",
        "instance_group: [3]", "dynamic_batching: {preferred_batch_size: [0]}", "version_policy: {latest: 3}", "{",
    ])
    func refusesWhatIsWrong(text: String) {
        #expect(throws: ConfigurationFailure.self) { try read(text) }
    }
}
