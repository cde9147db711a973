import CInference
import Inference
import Serving

extension ServiceMessages {
    func statistics(_ models: [ModelCounts]) throws -> [UInt8] {
        let message = try arena.make(Inference__ModelStatisticsResponse.self, mw_model_statistics_response())
        message.pointee.model_stats = try arena.messages(models.map(counts))
        message.pointee.n_model_stats = models.count
        return bytes(message)
    }

    private func counts(_ model: ModelCounts) throws -> UnsafeMutablePointer<Inference__ModelStatistics> {
        let message = try arena.make(Inference__ModelStatistics.self, mw_model_statistics())
        message.pointee.name = try arena.text(model.name)
        message.pointee.version = try arena.text(model.version)
        message.pointee.last_inference = model.lastInference
        message.pointee.inference_count = model.inferenceCount
        message.pointee.execution_count = model.executionCount
        let stats = try arena.make(Inference__InferStatistics.self, mw_infer_statistics())
        stats.pointee.success = try duration(model.inferenceStats.success)
        stats.pointee.fail = try duration(model.inferenceStats.fail)
        stats.pointee.queue = try duration(model.inferenceStats.queue)
        stats.pointee.compute_input = try duration(model.inferenceStats.computeInput)
        stats.pointee.compute_infer = try duration(model.inferenceStats.computeInfer)
        stats.pointee.compute_output = try duration(model.inferenceStats.computeOutput)
        stats.pointee.cache_hit = try duration(model.inferenceStats.cacheHit)
        stats.pointee.cache_miss = try duration(model.inferenceStats.cacheMiss)
        message.pointee.inference_stats = stats
        message.pointee.batch_stats = try arena.messages(
            model.batchStats.map { batch in
                let message = try arena.make(Inference__InferBatchStatistics.self, mw_infer_batch_statistics())
                message.pointee.batch_size = UInt64(max(0, batch.batchSize))
                message.pointee.compute_input = try duration(batch.computeInput)
                message.pointee.compute_infer = try duration(batch.computeInfer)
                message.pointee.compute_output = try duration(batch.computeOutput)
                return message
            })
        message.pointee.n_batch_stats = model.batchStats.count
        message.pointee.memory_usage = try arena.messages(
            model.memoryUsage.map { memory in
                let message = try arena.make(Inference__MemoryUsage.self, mw_memory_usage())
                message.pointee.type = try arena.text(memory.type)
                message.pointee.byte_size = UInt64(max(0, memory.byteSize))
                return message
            })
        message.pointee.n_memory_usage = model.memoryUsage.count
        return message
    }

    private func duration(_ total: ModelCounts.Total) throws -> UnsafeMutablePointer<Inference__StatisticDuration> {
        let message = try arena.make(Inference__StatisticDuration.self, mw_statistic_duration())
        message.pointee.count = total.count
        message.pointee.ns = total.ns
        return message
    }

    func settings(_ settings: ModelSettings) throws -> [UInt8] {
        let config = try arena.make(Inference__ModelConfig.self, mw_model_config())
        config.pointee.name = try arena.text(settings.name)
        config.pointee.platform = try arena.text(settings.platform)
        config.pointee.max_batch_size = Int32(clamping: settings.maxBatchSize)
        config.pointee.version_policy = try policy(settings.policy)
        config.pointee.input = try arena.messages(
            settings.input.map { input in
                let message = try arena.make(Inference__ModelInput.self, mw_model_input())
                message.pointee.name = try arena.text(input.name)
                message.pointee.data_type = Self.type(input.type)
                message.pointee.dims = try arena.list(input.dims.map(Int64.init))
                message.pointee.n_dims = input.dims.count
                return message
            })
        config.pointee.n_input = settings.input.count
        config.pointee.output = try arena.messages(
            settings.output.map { output in
                let message = try arena.make(Inference__ModelOutput.self, mw_model_output())
                message.pointee.name = try arena.text(output.name)
                message.pointee.data_type = Self.type(output.type)
                message.pointee.dims = try arena.list(output.dims.map(Int64.init))
                message.pointee.n_dims = output.dims.count
                return message
            })
        config.pointee.n_output = settings.output.count
        config.pointee.instance_group = try arena.messages(
            settings.instanceGroup.map { group in
                let message = try arena.make(Inference__ModelInstanceGroup.self, mw_model_instance_group())
                message.pointee.name = try arena.text(group.name)
                message.pointee.kind = INFERENCE__MODEL_INSTANCE_GROUP__KIND__KIND_CPU
                message.pointee.count = Int32(clamping: group.count)
                return message
            })
        config.pointee.n_instance_group = settings.instanceGroup.count
        if let batching = settings.dynamicBatching {
            let message = try arena.make(Inference__ModelDynamicBatching.self, mw_model_dynamic_batching())
            message.pointee.preferred_batch_size = try arena.list(
                batching.preferredBatchSize.map { Int32(clamping: $0) })
            message.pointee.n_preferred_batch_size = batching.preferredBatchSize.count
            message.pointee.max_queue_delay_microseconds = UInt64(max(0, batching.maxQueueDelayMicroseconds))
            message.pointee.priority_levels = UInt64(max(0, batching.priorityLevels))
            message.pointee.default_priority_level = UInt64(max(0, batching.defaultPriorityLevel))
            config.pointee.dynamic_batching = message
        }
        let response = try arena.make(Inference__ModelConfigResponse.self, mw_model_config_response())
        response.pointee.config = config
        return bytes(response)
    }

    private func policy(
        _ policy: ModelConfiguration.VersionPolicy
    ) throws -> UnsafeMutablePointer<Inference__ModelVersionPolicy> {
        let message = try arena.make(Inference__ModelVersionPolicy.self, mw_model_version_policy())
        switch policy {
        case .latest(let count):
            let latest = try arena.make(
                Inference__ModelVersionPolicy__Latest.self, mw_model_version_policy__latest())
            latest.pointee.num_versions = UInt32(clamping: count)
            message.pointee.latest = latest
            message.pointee.policy_choice_case = INFERENCE__MODEL_VERSION_POLICY__POLICY_CHOICE_LATEST
        case .all:
            message.pointee.all = try arena.make(
                Inference__ModelVersionPolicy__All.self, mw_model_version_policy__all())
            message.pointee.policy_choice_case = INFERENCE__MODEL_VERSION_POLICY__POLICY_CHOICE_ALL
        case .specific(let versions):
            let specific = try arena.make(
                Inference__ModelVersionPolicy__Specific.self, mw_model_version_policy__specific())
            let numbers = versions.compactMap { Int64($0) }
            specific.pointee.versions = try arena.list(numbers)
            specific.pointee.n_versions = numbers.count
            message.pointee.specific = specific
            message.pointee.policy_choice_case = INFERENCE__MODEL_VERSION_POLICY__POLICY_CHOICE_SPECIFIC
        }
        return message
    }

    private static func type(_ type: TensorType) -> Inference__DataType {
        switch type {
        case .bool: INFERENCE__DATA_TYPE__TYPE_BOOL
        case .uint8: INFERENCE__DATA_TYPE__TYPE_UINT8
        case .uint16: INFERENCE__DATA_TYPE__TYPE_UINT16
        case .uint32: INFERENCE__DATA_TYPE__TYPE_UINT32
        case .uint64: INFERENCE__DATA_TYPE__TYPE_UINT64
        case .int8: INFERENCE__DATA_TYPE__TYPE_INT8
        case .int16: INFERENCE__DATA_TYPE__TYPE_INT16
        case .int32: INFERENCE__DATA_TYPE__TYPE_INT32
        case .int64: INFERENCE__DATA_TYPE__TYPE_INT64
        case .fp16: INFERENCE__DATA_TYPE__TYPE_FP16
        case .bf16: INFERENCE__DATA_TYPE__TYPE_BF16
        case .fp32: INFERENCE__DATA_TYPE__TYPE_FP32
        case .fp64: INFERENCE__DATA_TYPE__TYPE_FP64
        case .bytes: INFERENCE__DATA_TYPE__TYPE_STRING
        }
    }
}
