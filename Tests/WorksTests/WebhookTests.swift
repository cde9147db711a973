import Basics
import Foundation
import HTTP
import Sealing
import Synchronization
import Telemetry
import TestSupport
import Testing
import Works
import Workshop

/// News of the registry, on their way to a receiver of a test's own.
@Suite(.serialized) struct WebhookTests {
    /// What a receiver was sent.
    private struct Letter: Sendable {
        var id: String
        var time: String
        var signature: String?
        var body: [UInt8]

        var json: JSONValue { (try? JSON.decode(JSONValue.self, from: body)) ?? .null }
        var event: String { "\(json["entity"]?.string ?? "").\(json["action"]?.string ?? "")" }
    }

    /// What came, and how many are still to be refused.
    private final class Mailbox: Sendable {
        let letters = Mutex<[Letter]>([])
        let refusals: Mutex<Int>

        init(refusing count: Int) { refusals = Mutex(count) }
    }

    /// A receiver on loopback that refuses the first so many letters.
    private final class Receiver: Sendable {
        private let mailbox: Mailbox
        private let server: HTTPServer
        let url: String

        /// - Parameter answer: what it says to what it takes.
        init(refusing count: Int, answer: String = "thanks") throws {
            let mailbox = Mailbox(refusing: count)
            self.mailbox = mailbox
            let log = Logger(sink: LogSink { _ in }, level: .error, time: SystemTime())
            let router = Router(log: log)
            router.post("/hook", needs: .nothing) { request in
                guard request.query("from") == "test" else { return .text("whence?", status: .badRequest) }
                let letter = Letter(
                    id: request.header("X-MLflow-Delivery-Id") ?? "", time: request.header("X-MLflow-Timestamp") ?? "",
                    signature: request.header("X-MLflow-Signature"), body: request.body)
                mailbox.letters.withLock { $0.append(letter) }
                let refuses = mailbox.refusals.withLock { left in
                    left -= 1
                    return left >= 0
                }
                return .text(refuses ? "busy" : answer, status: refuses ? .serviceUnavailable : .ok)
            }
            server = HTTPServer(
                configuration: HTTPServerConfiguration(host: "127.0.0.1", port: 0), router: router, log: log,
                metrics: MetricsRegistry())
            url = "http://127.0.0.1:\(try server.start())/hook?from=test"
        }

        var received: [Letter] { mailbox.letters.withLock { $0 } }

        /// Waits until so many letters came.
        func wait(for count: Int) async throws -> [Letter] {
            let deadline = ContinuousClock.now + .seconds(12)
            while received.count < count, ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(20))
            }
            return received
        }

        func stop() async { await server.shutdown(drainSeconds: 1) }
    }

    private static let secret = "a secret of the two"

    private static func hook(_ url: String, _ events: String...) -> JSONValue {
        [
            "name": "ci", "url": .string(url), "events": .array(events.map { .string($0) }),
            "secret": .string(secret),
        ]
    }

    private static func mlflow(_ shop: Workshop, _ path: String, _ body: String) async throws {
        let answer = try await shop.works.dispatch(
            .post, "/api/2.0/mlflow\(path)", headers: ["Content-Type": "application/json"], body: Array(body.utf8))
        #expect(answer.status == 200, "\(String(decoding: answer.body, as: UTF8.self))")
    }

    @Test func everyChangeIsToldOnceInEffect() async throws {
        let receiver = try Receiver(refusing: 2)
        let folder = try TemporaryFolder()
        // The process ends between the change and its delivery.
        let first = try await Workshop(in: folder)
        try await Self.mlflow(first, "/registered-models/create", #"{"name":"before"}"#)
        try await first.post(
            "/webhooks",
            Self.hook(
                receiver.url, "registered_model.created", "model_version.created", "model_version_alias.created",
                "model_version_tag.set", "model_version.staged"))
        try await Self.mlflow(first, "/registered-models/create", #"{"name":"m","description":"d"}"#)
        try await Self.mlflow(
            first, "/model-versions/create", #"{"name":"m","source":"s3://b/m","tags":[{"key":"a","value":"b"}]}"#)
        await first.works.close()
        #expect(receiver.received.isEmpty)
        let second = try await Workshop(in: folder)
        let letters = try await second.serving { _ in
            try await Self.mlflow(second, "/registered-models/alias", #"{"name":"m","alias":"best","version":"1"}"#)
            try await Self.mlflow(
                second, "/model-versions/transition-stage", #"{"name":"m","version":"1","stage":"Staging"}"#)
            let letters = try await receiver.wait(for: 6)
            #expect(try await second.get("/webhooks/deliveries").json.array?.count == 4)
            return letters
        }
        await receiver.stop()
        // Two were refused, and came again under the same ids.
        #expect(letters.count == 6)
        var seen: [String: Letter] = [:]
        for letter in letters {
            #expect(seen[letter.id] == nil || seen[letter.id]?.body == letter.body)
            seen[letter.id] = letter
            let hash = KeyedHash.sha256(
                Array("\(letter.id).\(letter.time).".utf8) + letter.body, key: Secret(Self.secret))
            #expect(letter.signature == "v1,\(Base64.text(hash))")
        }
        let events = Dictionary(grouping: seen.values, by: \.event).mapValues(\.count)
        #expect(
            events == [
                "registered_model.created": 1, "model_version.created": 1, "model_version_alias.created": 1,
                "model_version.staged": 1,
            ])
        let version = seen.values.first { $0.event == "model_version.created" }?.json["data"]
        #expect(
            version == [
                "name": "m", "version": "1", "source": "s3://b/m", "run_id": nil, "tags": ["a": "b"], "description": "",
            ])
    }

    @Test func anAnswerIsReadAsFarAsItMayGo() async throws {
        let shop = try await Workshop()
        for (count, isGood) in [(60 << 10, true), (1 << 20, false)] {
            let receiver = try Receiver(refusing: 0, answer: String(repeating: "x", count: count))
            let made = try await shop.post("/webhooks", Self.hook(receiver.url, "model_version.created"))
            let answer = try await shop.works.dispatch(
                .post, "/api/2.0/mlflow/webhooks/\(made["id"]?.string ?? "")/test",
                headers: ["Content-Type": "application/json"], body: Array("{}".utf8))
            let result = try JSON.decode(JSONValue.self, from: answer.body)["result"]
            #expect(result?["success"] == .bool(isGood), "\(count): \(String(decoding: answer.body, as: UTF8.self))")
            await receiver.stop()
        }
        await shop.works.close()
    }

    /// A receiver that takes connections and never answers.
    private final class Deaf: Sendable {
        private let descriptor: Int32
        let url: String

        init() throws {
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let listener = descriptor
            let status = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(listener, $0, length) | listen(listener, 64) | getsockname(listener, $0, &length)
                }
            }
            try #require(status == 0)
            url = "http://127.0.0.1:\(UInt16(bigEndian: address.sin_port))/hook"
        }

        func stop() { close(descriptor) }
    }

    @Test func nobodyWaitsForASlowReceiver() async throws {
        let (receiver, deaf) = (try Receiver(refusing: 0), try Deaf())
        let shop = try await Workshop()
        for url in [deaf.url, receiver.url] {
            try await shop.post("/webhooks", Self.hook(url, "registered_model.created"))
        }
        let count = 24
        let letters = try await shop.serving { _ in
            let start = ContinuousClock.now
            for number in 0..<count {
                try await Self.mlflow(shop, "/registered-models/create", #"{"name":"m\#(number)"}"#)
            }
            let letters = try await receiver.wait(for: count)
            // An attempt at the other takes ten.
            #expect(ContinuousClock.now - start < .seconds(9))
            deaf.stop()
            return letters
        }
        #expect(Set(letters.map(\.id)).count == count)
        await receiver.stop()
    }

    @Test func nothingIsSentWhereItMayNotBe() async throws {
        let shop = try await Workshop()
        try await shop.apply(
            Blueprint.files.merging([
                "works.yaml": """
                {name: workshop, owner: test, data: data, clock: replay, registry: {webhook_hosts: ["hooks.acme.com:8443", "*.good.org"]}}

                """
            ]) { $1 })
        for url in [
            "http://127.0.0.1/x", "http://169.254.169.254/latest", "https://hooks.acme.com/x", "https://evilgood.org/",
            "https://good.org.evil.com/", "file:///etc/passwd", "ftp://a.good.org/", "https://a.good.org@evil.com/",
            "https://me:pw@a.good.org/", "https://evil.com%00.good.org/", "https://evil%2ecom.good.org/",
            "https://a_b.good.org/", "/hook", "",
        ] {
            let answer = try await shop.send(.post, "/webhooks", Self.hook(url, "model_version.created"))
            #expect(answer.status == 400, "\(url): \(answer.text)")
        }
        for url in ["https://hooks.acme.com:8443/x", "https://a.good.org/", "http://A.GOOD.org/x?y=1"] {
            let answer = try await shop.send(.post, "/webhooks", Self.hook(url, "model_version.created"))
            #expect(answer.status == 200, "\(url): \(answer.text)")
            #expect(!answer.text.contains(Self.secret))
        }
        for event in ["model_version.exploded", "nothing", ""] {
            #expect(try await shop.send(.post, "/webhooks", Self.hook("https://a.good.org/", event)).status == 400)
        }
        await shop.works.close()
    }
}
