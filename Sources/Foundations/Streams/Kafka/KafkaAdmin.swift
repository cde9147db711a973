import CKafka

/// Calls of Kafka's administration.
enum KafkaAdmin {
    /// Makes a topic; one that exists already is left as it is. Blocks.
    static func create(
        _ name: String, partitions: Int, retention: TopicRetention, with client: KafkaClient
    ) throws {
        var text = [CChar](repeating: 0, count: 512)
        guard
            let topic = rd_kafka_NewTopic_new(
                name, Int32(clamping: partitions), client.settings.replicas, &text, text.count)
        else { throw StreamFailure.invalidArgument("librdkafka refused the topic '\(name)'") }
        defer { rd_kafka_NewTopic_destroy(topic) }
        let age = retention.seconds.map { seconds in
            let (milliseconds, wide) = seconds.multipliedReportingOverflow(by: 1000)
            return wide ? "-1" : String(milliseconds)
        }
        rd_kafka_NewTopic_set_config(topic, "retention.ms", age ?? "-1")
        rd_kafka_NewTopic_set_config(topic, "retention.bytes", retention.bytes.map(String.init) ?? "-1")
        let handle = client.handle.pointer
        guard let queue = rd_kafka_queue_new(handle),
            let options = rd_kafka_AdminOptions_new(handle, RD_KAFKA_ADMIN_OP_CREATETOPICS)
        else { return }
        defer {
            rd_kafka_AdminOptions_destroy(options)
            rd_kafka_queue_destroy(queue)
        }
        let milliseconds = client.settings.callMilliseconds
        rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, &text, text.count)
        var topics: [OpaquePointer?] = [topic]
        rd_kafka_CreateTopics(handle, &topics, 1, options, queue)
        guard let event = rd_kafka_queue_poll(queue, milliseconds.addingReportingOverflow(1000).partialValue) else {
            throw client.failure(RD_KAFKA_RESP_ERR__TIMED_OUT, "making the topic '\(name)'")
        }
        defer { rd_kafka_event_destroy(event) }
        var code = rd_kafka_event_error(event)
        var count = 0
        if code == RD_KAFKA_RESP_ERR_NO_ERROR,
            let results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count),
            count > 0
        {
            code = rd_kafka_topic_result_error(results[0])
        }
        guard code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS else {
            throw client.failure(code, "making the topic '\(name)'")
        }
    }
}
