import Basics
import CKafka
import Foundation

/// The idempotent producer: what it acknowledges is on all replicas, once and in order.
final class KafkaProducer: Sendable {
    let client: KafkaClient
    private let time: any TimeSource

    init(_ client: KafkaClient, time: any TimeSource) {
        self.client = client
        self.time = time
        client.startPolling()
    }

    /// Whether the library gave this producer up; another must take its place.
    var hasFailed: Bool {
        rd_kafka_fatal_error(client.handle.pointer, nil, 0) != RD_KAFKA_RESP_ERR_NO_ERROR
    }

    /// Hands records in and returns their offsets when all of them are acknowledged.
    /// - Parameter partitions: for each record its partition.
    func publish(_ records: [StreamRecord], to topic: TopicName, partitions: [Int]) async throws -> [Int64] {
        let name = client.settings.prefix + topic.text
        let delivery = KafkaDelivery(count: records.count)
        let now = time.now
        let deadline =
            SystemTime.monotonicNanoseconds &+ UInt64(max(0, client.settings.deliveryMilliseconds)) * 1_000_000
        var failed = RD_KAFKA_RESP_ERR_NO_ERROR
        for (index, record) in records.enumerated() {
            guard let partition = partitions.at(index) else { break }
            while true {
                failed = KafkaMessages.produce(
                    record, to: name, partition: Int32(clamping: partition), now: now, with: client.handle,
                    opaque: delivery.begin(index))
                guard failed != RD_KAFKA_RESP_ERR_NO_ERROR else { break }
                delivery.cancel()
                // A full queue empties as reports come in.
                guard failed == RD_KAFKA_RESP_ERR__QUEUE_FULL, SystemTime.monotonicNanoseconds < deadline else { break }
                do { try await Task.sleep(for: .milliseconds(2)) } catch { break }
            }
            guard failed == RD_KAFKA_RESP_ERR_NO_ERROR else { break }
        }
        let outcome = await delivery.outcome(failed: failed)
        guard outcome.code == RD_KAFKA_RESP_ERR_NO_ERROR else {
            if outcome.code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE {
                throw StreamFailure.recordTooLarge(
                    bytes: records.map(\.payloadBytes).max() ?? 0, limit: client.settings.recordBytes)
            }
            throw client.failure(outcome.code, "publishing to '\(topic)'", topic: topic)
        }
        client.reports.noteSuccess()
        return outcome.offsets
    }

    /// Waits for what is under way and ends the producer.
    func close() async {
        let handle = client.handle
        let milliseconds = client.settings.callMilliseconds
        _ = try? await BlockingThread(name: "kafka.flush").run { _ = rd_kafka_flush(handle.pointer, milliseconds) }
        await client.close()
    }
}
