import CKafka

/// One partition as Kafka knows it: the topic's name with the prefix.
struct KafkaPartition: Hashable, Sendable {
    let topic: String
    let partition: Int32
}

/// Lists of partitions with offsets, to and from the library's own.
enum KafkaPartitions {
    static func read(_ list: UnsafePointer<rd_kafka_topic_partition_list_t>?) -> [KafkaPartition: Int64] {
        guard let list, let elements = list.pointee.elems else { return [:] }
        var result: [KafkaPartition: Int64] = [:]
        for element in UnsafeBufferPointer(start: elements, count: Int(max(0, list.pointee.cnt))) {
            guard let topic = element.topic else { continue }
            result[KafkaPartition(topic: String(cString: topic), partition: element.partition)] = element.offset
        }
        return result
    }

    /// Runs `body` with a list that lives until it returns.
    static func with<Result>(
        _ partitions: [KafkaPartition: Int64],
        _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) throws -> Result
    ) throws -> Result {
        guard let list = rd_kafka_topic_partition_list_new(Int32(clamping: partitions.count)) else {
            throw StreamFailure.invalidArgument("there is no memory for \(partitions.count) partitions")
        }
        defer { rd_kafka_topic_partition_list_destroy(list) }
        for (partition, offset) in partitions {
            rd_kafka_topic_partition_list_add(list, partition.topic, partition.partition)?.pointee.offset = offset
        }
        return try body(list)
    }

    /// The first error that an element carries.
    static func error(in list: UnsafePointer<rd_kafka_topic_partition_list_t>) -> rd_kafka_resp_err_t {
        guard let elements = list.pointee.elems else { return RD_KAFKA_RESP_ERR_NO_ERROR }
        return UnsafeBufferPointer(start: elements, count: Int(max(0, list.pointee.cnt)))
            .first { $0.err != RD_KAFKA_RESP_ERR_NO_ERROR }?.err ?? RD_KAFKA_RESP_ERR_NO_ERROR
    }
}
