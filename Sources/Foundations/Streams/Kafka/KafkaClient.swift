import Basics
import CKafka
import Foundation
import Synchronization
import Telemetry

/// One client instance of librdkafka with what it reports: log lines, errors, statistics, and for a consumer the
/// partitions it is given.
final class KafkaClient: Sendable {
    /// Which half of the library the instance is.
    enum Kind: Sendable {
        case producer
        case consumer(KafkaAssignment)
    }

    let handle: KafkaHandle
    let settings: KafkaSettings
    let reports: KafkaReports
    private let isStopped = Atomic<Bool>(false)

    /// - Parameter own: settings of librdkafka beside those of the address.
    init(
        _ kind: Kind, _ settings: KafkaSettings, _ own: [String: String], logger: Logger, metrics: StreamMetrics
    ) throws {
        self.settings = settings
        var assignment: KafkaAssignment?
        var type = RD_KAFKA_PRODUCER
        if case .consumer(let state) = kind {
            assignment = state
            type = RD_KAFKA_CONSUMER
        }
        reports = KafkaReports(logger: logger, metrics: metrics, assignment: assignment)
        guard let configuration = rd_kafka_conf_new() else {
            throw StreamFailure.broker(action: "making a client", store: settings.name, reason: "out of memory")
        }
        var text = [CChar](repeating: 0, count: 512)
        do {
            try settings.forEach(with: own) { name, value in
                guard rd_kafka_conf_set(configuration, name, value, &text, text.count) == RD_KAFKA_CONF_OK else {
                    throw StreamFailure.broker(
                        action: "setting '\(name)'", store: settings.name, reason: "librdkafka refused its value")
                }
            }
        } catch {
            rd_kafka_conf_destroy(configuration)
            throw error
        }
        rd_kafka_conf_set_opaque(configuration, Unmanaged.passRetained(reports).toOpaque())
        KafkaCallbacks.install(on: configuration, consumer: assignment != nil)
        // On success the configuration belongs to the client.
        guard let client = rd_kafka_new(type, configuration, &text, text.count) else {
            rd_kafka_conf_destroy(configuration)
            Unmanaged.passUnretained(reports).release()
            let reason = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw StreamFailure.broker(action: "making a client", store: settings.name, reason: reason)
        }
        handle = KafkaHandle(pointer: client)
        if assignment != nil { rd_kafka_poll_set_consumer(client) }
    }

    deinit { stop() }

    /// Ends the instance on a thread of its own; a second call changes nothing. Nobody may use the handle afterwards.
    /// - Parameter done: called when it is gone.
    func stop(_ done: (@Sendable () -> Void)? = nil) {
        guard !isStopped.exchange(true, ordering: .acquiringAndReleasing) else {
            done?()
            return
        }
        let (handle, reports) = (handle, reports)
        DispatchQueue(label: "modelworks.kafka.stop").async {
            reports.isStopping.store(true, ordering: .releasing)
            if reports.assignment != nil { rd_kafka_consumer_close(handle.pointer) }
            reports.pollingEnded.wait()
            rd_kafka_destroy(handle.pointer)
            Unmanaged.passUnretained(reports).release()
            done?()
        }
    }

    /// Ends the instance and returns when it is gone, or after the timeout of a call; then it goes on ending by itself.
    func close() async {
        let wakeup = Wakeup(timers: DispatchQueue.global())
        stop { wakeup.signal() }
        await wakeup.wait(nanoseconds: Int64(settings.callMilliseconds) * 1_000_000)
    }

    /// Serves delivery reports, errors and statistics of a producer on a thread of its own until it is stopped.
    func startPolling() {
        let (handle, reports) = (handle, reports)
        reports.pollingEnded.enter()
        let thread = Thread {
            while !reports.isStopping.load(ordering: .acquiring) { rd_kafka_poll(handle.pointer, 50) }
            // What is still queued is given up, and whoever waits for it is told.
            rd_kafka_purge(handle.pointer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
            while rd_kafka_outq_len(handle.pointer) > 0, rd_kafka_poll(handle.pointer, 50) >= 0 {}
            reports.pollingEnded.leave()
        }
        thread.name = "modelworks.kafka.poll"
        thread.start()
    }

    /// The failure for an error code of the library.
    func failure(_ code: rd_kafka_resp_err_t, _ action: String, topic: TopicName? = nil) -> StreamFailure {
        KafkaErrors.failure(code, action: action, store: settings.name, topic: topic, last: reports.lastError)
    }
}

/// The library's pointer, which any thread may use until the instance is destroyed.
struct KafkaHandle: @unchecked Sendable {
    let pointer: OpaquePointer
}
