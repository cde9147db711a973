import Basics
import Foundation
import Streams
import Telemetry
import TestSupport

/// The engines that every suite over event streams runs on.
public enum StreamEngine: String, CaseIterable, Sendable, CustomStringConvertible {
    case log
    case kafka

    public var description: String { rawValue }

    /// An empty store of the caller's own.
    public func store(
        time: any TimeSource = SystemTime(), settings: [String: String] = [:], server: KafkaServer? = nil
    ) throws -> StreamStore {
        let server = self == .kafka ? try server ?? KafkaServer.shared() : nil
        if self == .log { announceEngine("log", "of this machine") }
        return StreamStore(
            engine: self, folder: try TemporaryFolder(), prefix: "t\(UUID().uuidString.prefix(8)).", time: time,
            settings: settings, server: server)
    }
}

/// Topics of one test, which may be opened many times.
public struct StreamStore: Sendable {
    public let engine: StreamEngine
    public let folder: TemporaryFolder
    /// Stands before the names of topics and groups on a cluster that tests share.
    public let prefix: String
    let time: any TimeSource
    var settings: [String: String]
    public let server: KafkaServer?

    /// The store's address.
    public var address: String {
        var items = settings
        let base: String
        if let server {
            // The cluster of tests lets a new group wait 3 s, a changed one for the session timeout less 1 s.
            items.merge(["brokers": server.bootstrap, "prefix": prefix, "session_timeout_ms": "3600"]) { old, _ in old }
            base = "kafka:"
        } else {
            items = items.filter { ["durable", "segment_bytes", "max_record_bytes"].contains($0.key) }
            base = "log:\(folder.path)"
        }
        let query = items.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: "&")
        return query.isEmpty ? base : "\(base)?\(query)"
    }

    /// The same topics with further settings, as another process may have them.
    public func with(_ more: [String: String]) -> StreamStore {
        var other = self
        other.settings.merge(more) { $1 }
        return other
    }

    /// Opens the store.
    public func open(
        logger: Logger = .silent, metrics: MetricsRegistry = MetricsRegistry()
    ) async throws -> any EventStreams {
        let url = try StoreURL(address, secrets: SecretSource(environment: [:]))
        return try await Streams.open(url, time: time, logger: logger, metrics: metrics)
    }

    /// Makes a topic: the cluster of tests makes topics by command only.
    @discardableResult
    public func topic(_ name: String, partitions: Int, on streams: any EventStreams) async throws -> TopicName {
        try server?.topic(prefix + name, partitions: partitions)
        let topic = try TopicName(name)
        try await streams.createTopic(topic, partitions: partitions)
        return topic
    }
}
