import Basics
import Datasets
import KeyValue
import Streams

/// How far a stream has been brought online and into history.
public struct StreamStatus: Sendable, Codable, Equatable {
    public struct View: Sendable, Codable, Equatable {
        public var view: String
        /// Records of the log that it has not taken in.
        public var lag: Int64
        public var events: Int64
        /// Events dropped because they arrived too late.
        public var late: Int64
        /// Events without a join key.
        public var keyless: Int64
        /// Arrival of the newest event taken in.
        public var watermark: Timestamp?
    }

    public var source: String
    /// The topic that events are read from, where there is one.
    public var topic: String?
    /// Records in its log.
    public var records: Int64
    public var views: [View]
    /// Events in history, those that arrived too late among them.
    public var historyEvents: Int64
    public var historyLate: Int64
    /// Records of the log that are not in history yet.
    public var historyLag: Int64
    /// Records of the topic that were no events.
    public var rejected: Int64
}

extension FeatureStreams {
    /// How far each stream has come.
    public func status() async throws -> [StreamStatus] {
        var found: [StreamStatus] = []
        for name in try streamNames(features.catalogue) {
            let (_, source) = try source(name)
            let opened = try await opened([source.topic])
            let end = try await opened.streams.ends(source.topic).first ?? 0
            let segments = try await features.segments(of: name)
            var status = StreamStatus(
                source: name, topic: source.definition.topic, records: end, views: [],
                historyEvents: segments.reduce(0) { $0 + $1.rows }, historyLate: segments.reduce(0) { $0 + $1.late },
                historyLag: end - (segments.last?.next ?? 0), rejected: 0)
            for view in try views(of: source) {
                let stored = try await features.readOnline { try $0.value(view.positionKey, in: opened.table) }
                let position =
                    try stored.map { try JSON.decode(IngestionPosition.self, from: $0) } ?? IngestionPosition()
                status.views.append(
                    StreamStatus.View(
                        view: view.view.name, lag: end - position.next, events: position.events, late: position.late,
                        keyless: position.keyless,
                        watermark: position.clock.arrived.map { Timestamp(microseconds: $0) }))
            }
            if let topic = source.definition.topic {
                let rejected = try TopicBridge.rejectedTopic(of: topic)
                if try await opened.streams.topics().contains(where: { $0.name == rejected }) {
                    status.rejected = try await opened.streams.ends(rejected).first ?? 0
                }
            }
            found.append(status)
        }
        return found
    }
}
