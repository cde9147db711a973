import Basics
import CKafka
import Synchronization

/// The transactional producer of one consumer. Its id fences an older producer of the same id.
final class KafkaTransactions: Sendable {
    let id: String
    private let make: @Sendable () throws -> KafkaClient
    private let time: any TimeSource
    private let current = Mutex<KafkaClient?>(nil)
    private static let tries = 5

    init(id: String, time: any TimeSource, make: @escaping @Sendable () throws -> KafkaClient) {
        self.id = id
        self.time = time
        self.make = make
    }

    /// Publishes outputs and commits offsets, both or neither. Blocks.
    /// - Parameter partitions: for each output its partition.
    func commit(
        _ outputs: [StreamOutput], partitions: [Int], _ offsets: [KafkaPartition: Int64], of consumer: KafkaConsumer
    ) throws {
        let client = try producer(group: consumer.group)
        let handle = client.handle.pointer
        let milliseconds = client.settings.callMilliseconds
        do {
            try attempt(client, consumer) { rd_kafka_begin_transaction(handle) }
            for (index, output) in outputs.enumerated() {
                try produce(output, to: partitions.at(index) ?? 0, client, group: consumer.group)
            }
            if !offsets.isEmpty {
                guard let metadata = rd_kafka_consumer_group_metadata(consumer.client.handle.pointer) else {
                    throw StreamFailure.assignmentLost(group: consumer.group)
                }
                defer { rd_kafka_consumer_group_metadata_destroy(metadata) }
                try KafkaPartitions.with(offsets) { list in
                    try attempt(client, consumer) {
                        rd_kafka_send_offsets_to_transaction(handle, list, metadata, milliseconds)
                    }
                }
            }
        } catch {
            undo(client)
            throw error
        }
        do {
            try attempt(client, consumer) { rd_kafka_commit_transaction(handle, milliseconds) }
        } catch {
            // Whether it went through only the broker knows now; a new producer of this id finishes or undoes it.
            consumer.state.forgetCommitted()
            undo(client)
            throw error
        }
    }

    /// Ends the producer.
    func close() async {
        let client = current.withLock { current in
            defer { current = nil }
            return current
        }
        await client?.close()
    }

    private func producer(group: String) throws -> KafkaClient {
        if let client = current.withLock({ $0 }) { return client }
        let client = try make()
        client.startPolling()
        let milliseconds = client.settings.callMilliseconds
        guard let failure = rd_kafka_init_transactions(client.handle.pointer, milliseconds) else {
            current.withLock { $0 = client }
            return client
        }
        defer { client.stop() }
        throw told(failure, client, group: group)
    }

    private func produce(_ output: StreamOutput, to partition: Int, _ client: KafkaClient, group: String) throws {
        let deadline =
            SystemTime.monotonicNanoseconds &+ UInt64(max(0, client.settings.deliveryMilliseconds)) * 1_000_000
        while true {
            let code = KafkaMessages.produce(
                output.record, to: client.settings.prefix + output.topic.text, partition: Int32(clamping: partition),
                now: time.now, with: client.handle, opaque: nil)
            switch code {
            case RD_KAFKA_RESP_ERR_NO_ERROR: return
            case RD_KAFKA_RESP_ERR__QUEUE_FULL where SystemTime.monotonicNanoseconds < deadline:
                // The library's call that waits for room in the queue.
                _ = rd_kafka_flush(client.handle.pointer, 5)
            case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
                throw StreamFailure.recordTooLarge(
                    bytes: output.record.payloadBytes, limit: client.settings.recordBytes)
            default: throw client.failure(code, "publishing to '\(output.topic)'", topic: output.topic)
            }
        }
    }

    /// Makes one call of the transaction, again while the library says that it may be.
    private func attempt(_ client: KafkaClient, _ consumer: KafkaConsumer, _ call: () -> OpaquePointer?) throws {
        for attempt in 1...KafkaTransactions.tries {
            guard let failure = call() else { return }
            guard rd_kafka_error_is_retriable(failure) != 0, attempt < KafkaTransactions.tries else {
                throw told(failure, client, group: consumer.group)
            }
            rd_kafka_error_destroy(failure)
        }
    }

    /// The failure for an error of a transaction, which is freed.
    private func told(_ failure: OpaquePointer, _ client: KafkaClient, group: String) -> StreamFailure {
        defer { rd_kafka_error_destroy(failure) }
        let code = rd_kafka_error_code(failure)
        if KafkaErrors.isFenced(code) { return .fenced(group: group, id: id) }
        if KafkaErrors.isLost(code) { return .assignmentLost(group: group) }
        if rd_kafka_error_txn_requires_abort(failure) != 0 || rd_kafka_error_is_fatal(failure) != 0 {
            return .transactionFailed(group: group, reason: String(cString: rd_kafka_error_string(failure)))
        }
        return client.failure(code, "the transaction of the group '\(group)'")
    }

    /// Undoes the open transaction; a producer that can not is given up.
    private func undo(_ client: KafkaClient) {
        guard let failure = rd_kafka_abort_transaction(client.handle.pointer, client.settings.callMilliseconds) else {
            return
        }
        rd_kafka_error_destroy(failure)
        current.withLock { $0 = nil }
        client.stop()
    }
}
