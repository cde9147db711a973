import CKafka

/// Takes records out of a consumer instance. Used by one thread at a time.
struct KafkaSource {
    let client: KafkaClient
    /// Told of what was taken; nil for a reader without a group.
    let state: KafkaAssignment?

    /// What was taken, and whether a partition ended after it.
    struct Taken: Sendable {
        var records: [StreamedRecord] = []
        var isAtEnd = false
    }

    /// Records that are there already, or the first ones that come.
    /// - Parameters:
    ///   - milliseconds: how long to wait for the first.
    ///   - stopsAtEnd: whether the end of a partition is a reason to wait no longer.
    func take(limit: Int, milliseconds: Int32, stopsAtEnd: Bool = false) throws -> Taken {
        var records: [StreamedRecord] = []
        var names: [OpaquePointer: (name: TopicName, kafka: String)] = [:]
        var wait = milliseconds
        while records.count < limit, let message = rd_kafka_consumer_poll(client.handle.pointer, wait) {
            defer { rd_kafka_message_destroy(message) }
            let code = message.pointee.err
            if code == RD_KAFKA_RESP_ERR__PARTITION_EOF {
                // The end of a partition is no reason to stop waiting for another.
                if let partition = partition(message) { state?.noteEnd(partition, message.pointee.offset) }
                if stopsAtEnd { return Taken(records: records, isAtEnd: true) }
                if !records.isEmpty { wait = 0 }
                continue
            }
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
                // A broker that is away comes back; what was taken before an error is not lost.
                guard records.isEmpty, !KafkaSource.passes(code) else { break }
                throw client.failure(code, "consuming")
            }
            guard let handle = message.pointee.rkt else { continue }
            if names[handle] == nil {
                let kafka = String(cString: rd_kafka_topic_name(handle))
                names[handle] = (try TopicName(String(kafka.dropFirst(client.settings.prefix.count))), kafka)
            }
            guard let name = names[handle] else { continue }
            let partition = message.pointee.partition
            state?.notePolled(KafkaPartition(topic: name.kafka, partition: partition), message.pointee.offset)
            records.append(
                StreamedRecord(
                    record: KafkaMessages.record(message),
                    position: StreamPosition(
                        topic: name.name, partition: Int(partition), offset: message.pointee.offset)))
            wait = 0
        }
        return Taken(records: records)
    }

    private func partition(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> KafkaPartition? {
        message.pointee.rkt.map {
            KafkaPartition(topic: String(cString: rd_kafka_topic_name($0)), partition: message.pointee.partition)
        }
    }

    /// Whether the library mends it by itself.
    private static func passes(_ code: rd_kafka_resp_err_t) -> Bool {
        switch code {
        case RD_KAFKA_RESP_ERR__TRANSPORT, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__TIMED_OUT,
            RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE, RD_KAFKA_RESP_ERR_NOT_COORDINATOR,
            RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE,
            RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS,
            RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED:
            true
        default: false
        }
    }
}

/// Where partitions start and end.
enum KafkaOffsets {
    enum End: Int64 {
        // The two special times of Kafka's ListOffsets request.
        case end = -1
        case start = -2
    }

    static func list(
        _ partitions: Set<KafkaPartition>, _ end: End, with client: KafkaClient
    ) throws -> [KafkaPartition: Int64] {
        try KafkaPartitions.with(Dictionary(partitions.map { ($0, end.rawValue) }, uniquingKeysWith: { $1 })) { list in
            var code = rd_kafka_offsets_for_times(client.handle.pointer, list, client.settings.callMilliseconds)
            if code == RD_KAFKA_RESP_ERR_NO_ERROR { code = KafkaPartitions.error(in: list) }
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw client.failure(code, "asking for offsets") }
            client.reports.noteSuccess()
            return KafkaPartitions.read(list)
        }
    }
}
