import Basics
import Engines
import Foundation
import Synchronization
import Telemetry
import Testing

@testable import Streams

/// What only a broker can do: be away, answer with errors, or be no broker at all.
@Suite struct KafkaStreamsTests {
    @Test func aBrokerThatWasAwayLosesAndDoublesNothing() async throws {
        let server = try KafkaServer(brokers: 1)
        let store = try StreamEngine.kafka.store(settings: ["delivery_timeout_ms": "30000"], server: server)
        let streams = try await store.open()
        let topic = try await store.topic("load", partitions: 4, on: streams)
        let acknowledged = Acknowledged()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for publisher in 0..<4 {
                group.addTask {
                    var next = 0
                    while !acknowledged.isDone {
                        let ids = (0..<5).map { "\(publisher)-\(next + $0)" }
                        next += 5
                        try await streams.publish(ids.map { StreamRecord(key: $0, value: $0) }, to: topic)
                        acknowledged.add(ids)
                    }
                }
            }
            for _ in 0..<3 {
                let before = acknowledged.count
                try await acknowledged.wait(for: before + 40)
                try server.say("down 1")
                try await Task.sleep(for: .milliseconds(150))
                try server.say("up 1")
            }
            try await acknowledged.wait(for: acknowledged.count + 40)
            acknowledged.finish()
            try await group.waitForAll()
        }
        var seen: [String] = []
        for (partition, end) in try await streams.ends(topic).enumerated() {
            var next: Int64 = 0
            while next < end {
                let records = try await streams.read(
                    topic, partition: partition, from: next, limit: 1000, wait: .seconds(2))
                seen += records.map { String(decoding: $0.record.value, as: UTF8.self) }
                next = (records.last?.position.offset ?? end) + 1
            }
        }
        #expect(Set(seen).count == seen.count, "a record is doubled")
        #expect(Set(seen) == acknowledged.all)
        await streams.close()
    }

    @Test func errorsThatPassAreMendedWithoutDoubling() async throws {
        let server = try KafkaServer(brokers: 1)
        let store = try StreamEngine.kafka.store(server: server)
        let streams = try await store.open()
        let topic = try await store.topic("flaky", partitions: 1, on: streams)
        try await streams.publish([StreamRecord(key: "k", value: "0")], to: topic)
        // Produce (0) answers three times that too few replicas are in sync (19).
        try server.say("error 0 19 3")
        for value in 1..<5 { try await streams.publish([StreamRecord(key: "k", value: "\(value)")], to: topic) }
        var records: [StreamedRecord] = []
        while records.count < 5 {
            let more = try await streams.read(
                topic, partition: 0, from: Int64(records.count), limit: 100, wait: .seconds(5))
            guard !more.isEmpty else { break }
            records += more
        }
        #expect(records.map { String(decoding: $0.record.value, as: UTF8.self) } == ["0", "1", "2", "3", "4"])
        // Not allowed to write (29): told at once, and not as a network that is down.
        try server.say("error 0 29")
        await #expect {
            try await streams.publish([StreamRecord(key: "k", value: "no")], to: topic)
        } throws: { error in
            guard case StreamFailure.denied = error else { return false }
            return true
        }
        await streams.close()
    }

    @Test func noBrokerIsToldWithinTheTimeout() async throws {
        let port = try freePort()
        let url = try StoreURL(
            "kafka://127.0.0.1:\(port)?timeout_ms=1000&delivery_timeout_ms=1000",
            secrets: SecretSource(environment: [:]))
        let streams = try await Streams.open(url, time: SystemTime(), logger: .silent, metrics: MetricsRegistry())
        let topic = try TopicName("t")
        let calls: [@Sendable () async throws -> Void] = [
            { _ = try await streams.check() },
            { try await streams.publish([StreamRecord(value: [1])], to: topic) },
            { try await streams.createTopic(topic, partitions: 1) },
            { _ = try await streams.consumer(group: "g", topics: [topic]) },
        ]
        for call in calls {
            let started = ContinuousClock.now
            await #expect {
                try await call()
            } throws: { error in
                guard case StreamFailure.unreachable(_, let reason) = error else { return false }
                return reason.contains("refused")
            }
            // The timeout of a connection, and time to tell.
            #expect(ContinuousClock.now - started < .seconds(8))
        }
        let started = ContinuousClock.now
        await streams.close()
        #expect(ContinuousClock.now - started < .seconds(8))
    }

    @Test func addressesThatCanNotWorkAreRefused() throws {
        let source = SecretSource(environment: ["KAFKA_PASSWORD": "hunter22"])
        func settings(_ address: String) throws -> KafkaSettings {
            try KafkaSettings(try StoreURL(address, secrets: source), hostName: "here")
        }
        for address in [
            "kafka:", "kafka://h:9092?acks=1", "kafka://h?security=tls", "kafka://h?security=sasl_ssl&user=a",
            "kafka://h?security=sasl_ssl&user=a&password=b&mechanism=GSSAPI", "kafka://h?timeout_ms=0", "kafka://h?x=1",
        ] {
            #expect(throws: StoreURLFailure.self, "\(address)") { try settings(address) }
        }
        let full = try settings(
            "kafka://broker:9093?security=sasl_ssl&mechanism=SCRAM-SHA-512&user=works&password_env=KAFKA_PASSWORD"
                + "&ca=/etc/ca.pem&prefix=f.&client_id=one")
        #expect(!full.name.contains("hunter22"))
        var told: [String: String] = [:]
        full.forEach(with: full.producer) { told[$0] = $1 }
        #expect(told["bootstrap.servers"] == "broker:9093" && told["security.protocol"] == "sasl_ssl")
        #expect(told["sasl.password"] == "hunter22" && told["sasl.mechanisms"] == "SCRAM-SHA-512")
        #expect(told["enable.idempotence"] == "true" && told["acks"] == "all")
        #expect(told["ssl.ca.location"] == "/etc/ca.pem")
    }

    @Test func topicNamesFollowKafkasRules() throws {
        for name in ["a", "A.b_c-9", String(repeating: "x", count: 249), "..."] {
            #expect(try TopicName(name).text == name)
        }
        for name in ["", ".", "..", "a b", "a/b", "ä", "a\n", String(repeating: "x", count: 250)] {
            #expect(throws: StreamFailure.self) { try TopicName(name) }
        }
    }
}

/// Ids that a store acknowledged.
private final class Acknowledged: Sendable {
    private let state = Mutex<(ids: Set<String>, isDone: Bool)>(([], false))

    var all: Set<String> { state.withLock { $0.ids } }
    var count: Int { state.withLock { $0.ids.count } }
    var isDone: Bool { state.withLock { $0.isDone } }

    func add(_ ids: [String]) { state.withLock { $0.ids.formUnion(ids) } }
    func finish() { state.withLock { $0.isDone = true } }

    func wait(for count: Int) async throws {
        let deadline = ContinuousClock.now + .seconds(30)
        while self.count < count {
            guard ContinuousClock.now < deadline else { throw EngineUnavailable("only \(self.count) of \(count)") }
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}
