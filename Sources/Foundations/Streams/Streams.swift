import Basics
import Foundation
import Telemetry

/// Opens the stream store that an address names.
public enum Streams {
    /// - `log:FOLDER` is the local log; settings: `durable=true` (acknowledged means flushed to the disk),
    ///   `segment_bytes`, `max_record_bytes`. One process at a time has the folder open.
    ///
    /// - `kafka://HOST:PORT` or `kafka:?brokers=HOST:PORT,…` is a Kafka cluster; settings: `security` (`plaintext`, `ssl`,
    ///   `sasl_plaintext`, `sasl_ssl`), `mechanism` (`PLAIN`, `SCRAM-SHA-256`, `SCRAM-SHA-512`), `user`, `password_env` or
    ///   `password_file`, `ca`, `cert`, `client_key`, `client_key_password_file`, `client_id` (each process its own),
    ///   `prefix` (of topics and groups), `replicas`, `timeout_ms`, `connect_timeout_ms`, `delivery_timeout_ms`,
    ///   `session_timeout_ms`, `fetch_wait_ms`, `max_record_bytes`.
    ///
    /// - Parameters:
    ///   - url: the address.
    ///   - time: stamps records and decides about retention.
    ///   - logger: told of what is mended, lost and slow.
    ///   - metrics: counts records, and shows lag.
    /// - Throws: `StreamFailure` or `StoreURLFailure`. The local log is opened, and damage found, at once;
    ///   Kafka is first talked to by `check` and the other calls.
    public static func open(
        _ url: StoreURL, time: any TimeSource, logger: Logger, metrics: MetricsRegistry
    ) async throws -> any EventStreams {
        switch url.scheme {
        case "log": try await openLog(url, time: time, logger: logger, metrics: metrics)
        case "kafka":
            KafkaStreams(
                try KafkaSettings(url, hostName: ProcessInfo.processInfo.hostName), time: time, logger: logger,
                metrics: metrics)
        default:
            throw StoreURLFailure.unknownScheme(
                url.description, store: "stream", known: ["log:FOLDER", "kafka://HOST:PORT"])
        }
    }

    private static func openLog(
        _ url: StoreURL, time: any TimeSource, logger: Logger, metrics: MetricsRegistry
    ) async throws -> LocalStreams {
        try url.allow(["durable", "segment_bytes", "max_record_bytes"])
        guard !url.path.isEmpty, url.host == nil else {
            throw StoreURLFailure.malformed(url.description, reason: "it names no folder, as in log:streams")
        }
        var options = LocalStreams.Options()
        options.isDurable = try url.flag("durable") ?? false
        options.segmentBytes = try url.integer("segment_bytes", in: 4096...(1 << 30)) ?? options.segmentBytes
        options.recordBytes = try url.integer("max_record_bytes", in: 1024...(16 << 20)) ?? options.recordBytes
        let (folder, chosen) = (url.path, options)
        let streams = try await BlockingThread(name: "streams.open").run {
            try LocalStreams(folder: folder, options: chosen, time: time, logger: logger, metrics: metrics)
        }
        streams.startMaintenance(every: .seconds(30))
        return streams
    }
}
