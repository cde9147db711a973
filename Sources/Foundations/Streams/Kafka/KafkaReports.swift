import Basics
import CKafka
import Foundation
import Synchronization
import Telemetry

/// What a client instance reports, kept for as long as the instance lives.
final class KafkaReports: Sendable {
    let logger: Logger
    let metrics: StreamMetrics
    /// The partitions of a consumer; nil for a producer.
    let assignment: KafkaAssignment?
    let isStopping = Atomic<Bool>(false)
    /// Left when the thread that polls has ended.
    let pollingEnded = DispatchGroup()
    private let error = Mutex<(code: Int32, reason: String)?>(nil)

    init(logger: Logger, metrics: StreamMetrics, assignment: KafkaAssignment?) {
        self.logger = logger
        self.metrics = metrics
        self.assignment = assignment
    }

    /// Why the broker could not be reached last, or nil since it could.
    var lastError: (code: Int32, reason: String)? { error.withLock { $0 } }

    func noteSuccess() { error.withLock { $0 = nil } }

    func note(_ code: rd_kafka_resp_err_t, _ reason: String) {
        error.withLock { error in
            // That all brokers are down says less than why the last one is.
            if code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, error != nil { return }
            error = (code.rawValue, reason)
        }
    }

    func log(_ level: Int32, _ facility: String, _ text: String) {
        let fields: [String: JSONValue] = ["facility": .string(facility), "store": .string("kafka")]
        switch level {
        case ..<4: logger.error(text, fields)
        case 4: logger.warning(text, fields)
        case 5, 6: logger.info(text, fields)
        default: logger.debug(text, fields)
        }
    }

    /// Shows queue length, round trips and lag.
    func show(_ statistics: KafkaStatistics) {
        let registry = metrics.registry
        if let count = statistics.waiting {
            registry.gauge(
                "modelworks_stream_queue_records", help: "Records that wait in this process for the broker.",
                labels: ["client": statistics.name]
            ).set(count)
        }
        for (name, broker) in statistics.brokers ?? [:] {
            guard let rtt = broker.rtt?.avg, rtt > 0 else { continue }
            registry.gauge(
                "modelworks_stream_broker_rtt_seconds", help: "Mean round trip to a broker.", labels: ["broker": name]
            ).set(rtt / 1e6)
        }
    }
}

/// What is used of the statistics that librdkafka reports as JSON (STATISTICS.md of librdkafka 2.0).
struct KafkaStatistics: Decodable {
    struct Broker: Decodable {
        let rtt: Window?
    }

    struct Window: Decodable {
        /// Microseconds.
        let avg: Double
    }

    let name: String
    /// Messages in the producer's queues.
    let waiting: Double?
    let brokers: [String: Broker]?

    private enum CodingKeys: String, CodingKey {
        case name
        case waiting = "msg_cnt"
        case brokers
    }
}

/// The library's callbacks. They run on the thread that polls, or on one of the library's.
enum KafkaCallbacks {
    static func install(on configuration: OpaquePointer, consumer: Bool) {
        rd_kafka_conf_set_log_cb(configuration) { client, level, facility, text in
            guard let client, let text else { return }
            KafkaCallbacks.reports(client)?.log(
                level, facility.map { String(cString: $0) } ?? "", String(cString: text))
        }
        rd_kafka_conf_set_error_cb(configuration) { client, code, reason, opaque in
            guard let reports = KafkaCallbacks.reports(opaque) else { return }
            let code = rd_kafka_resp_err_t(code)
            reports.note(code, reason.map { String(cString: $0) } ?? "")
        }
        rd_kafka_conf_set_stats_cb(configuration) { _, text, length, opaque in
            guard let text, let reports = KafkaCallbacks.reports(opaque) else { return 0 }
            let data = Data(bytes: text, count: length)
            if let statistics = try? JSONDecoder().decode(KafkaStatistics.self, from: data) { reports.show(statistics) }
            return 0
        }
        if consumer {
            rd_kafka_conf_set_rebalance_cb(configuration) { client, code, partitions, opaque in
                guard let client, let assignment = KafkaCallbacks.reports(opaque)?.assignment else { return }
                if code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
                    rd_kafka_assign(client, partitions)
                    assignment.assign(KafkaPartitions.read(partitions))
                } else {
                    assignment.revoke()
                    rd_kafka_assign(client, nil)
                }
            }
        } else {
            rd_kafka_conf_set_dr_msg_cb(configuration) { _, message, _ in
                guard let message = message?.pointee else { return }
                KafkaDelivery.report(message)
            }
        }
    }

    private static func reports(_ opaque: UnsafeMutableRawPointer?) -> KafkaReports? {
        opaque.map { Unmanaged<KafkaReports>.fromOpaque($0).takeUnretainedValue() }
    }

    private static func reports(_ client: OpaquePointer) -> KafkaReports? { reports(rd_kafka_opaque(client)) }
}
