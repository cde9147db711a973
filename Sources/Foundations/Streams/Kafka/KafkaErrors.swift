import CKafka

/// Tells an error code of librdkafka in the words of this room.
enum KafkaErrors {
    /// - Parameter last: why a broker could not be reached last; a timeout alone does not tell.
    static func failure(
        _ code: rd_kafka_resp_err_t, action: String, store: String, topic: TopicName?,
        last: (code: Int32, reason: String)?
    ) -> StreamFailure {
        let reason = String(cString: rd_kafka_err2str(code))
        switch code {
        case RD_KAFKA_RESP_ERR__TIMED_OUT, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, RD_KAFKA_RESP_ERR__TRANSPORT,
            RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, RD_KAFKA_RESP_ERR__WAIT_COORD,
            RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE:
            guard let last else { return .timedOut(action: action, store: store) }
            let cause = rd_kafka_resp_err_t(last.code)
            if isAuthentication(cause) { return .authentication(store: store, reason: last.reason) }
            return .unreachable(store: store, reason: last.reason)
        case RD_KAFKA_RESP_ERR__RESOLVE: return .unreachable(store: store, reason: reason)
        case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
            RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
            return .unknownTopic(topic?.text ?? "")
        case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
            RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
            return .denied(action: action, store: store, reason: reason)
        case _ where isAuthentication(code): return .authentication(store: store, reason: reason)
        default: return .broker(action: action, store: store, reason: reason)
        }
    }

    /// Whether the partitions of a consumer have moved on.
    static func isLost(_ code: rd_kafka_resp_err_t) -> Bool {
        switch code {
        case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
            RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS, RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST,
            RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
            true
        default: false
        }
    }

    /// Whether a newer producer has taken over the transactional id.
    static func isFenced(_ code: rd_kafka_resp_err_t) -> Bool {
        code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED
            || code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH
    }

    private static func isAuthentication(_ code: rd_kafka_resp_err_t) -> Bool {
        code == RD_KAFKA_RESP_ERR__AUTHENTICATION || code == RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED
            || code == RD_KAFKA_RESP_ERR__SSL
    }
}
