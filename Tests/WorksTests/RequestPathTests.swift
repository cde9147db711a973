import Basics
import Foundation
import HTTP
import Inference
import Security
import Serving
import Synchronization
import Telemetry
import TestSupport
import Testing
import Works

/// The way of a request to a model: who asks, how often, to which process, and what is told of it.
@Suite(.timeLimit(.minutes(2)))
struct RequestPathTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try folder.write("2", to: "models/double.onnx")
        try folder.write("3", to: "models/treble.onnx")
    }

    private func options(_ change: (inout ModelServerOptions) throws -> Void) rethrows -> ModelServerOptions {
        var repository = RepositoryOptions(folder: folder("models"))
        repository.load = { Multiplier(factor: Double(try String(contentsOfFile: $0, encoding: .utf8)) ?? 0) }
        var options = ModelServerOptions(repository)
        options.port = 0
        options.grpcPort = 0
        options.logSink = .none()
        try change(&options)
        return options
    }

    private func key(_ name: String, role: Role = .viewer, resources: [String]? = nil) throws -> (
        entry: KeyFile.Entry, header: HTTPHeaders
    ) {
        let (entry, secret) = try KeyFile.create(
            KeyFile.Request(principal: try PrincipalID(name), role: role, resources: resources),
            in: folder("keys.json"), time: SystemTime(), random: SystemRandom())
        return (entry, ["X-API-Key": secret.revealed])
    }

    @Test func callersAreKnownCountedAndToldOf() async throws {
        let shop = try key("service:shop")
        let other = try key("mina", resources: ["endpoint/treble"])
        let options = try options { options in
            options.security.access = .on
            options.gateway.keysPath = folder("keys.json")
            // What is used comes back within the year.
            options.gateway.limits = [try RateLimit("principal=0.001/6"), try RateLimit("model:treble=0.001/3")]
            options.gateway.accessLog = GatewayOptions.AccessLogOptions(path: folder("access.log"))
        }
        try await FolderServer.run(options) { address in
            let client = try HTTPClient(baseURL: address.url, connections: 2)
            let stranger = try await FolderServer.send(client, "double", 1)
            #expect(stranger.status == .unauthorized && stranger.headers["WWW-Authenticate"] != nil)
            #expect(try await client.get("/v2/health/ready").status == .ok)
            #expect(
                try await FolderServer.send(client, "double", 1, headers: ["X-API-Key": "mw_nobody"]).status
                    == .unauthorized)
            // By every way: in place, and as a task for a body that is too long for that.
            for turn in 0..<6 {
                let answer = try await FolderServer.send(
                    client, "double", 21, headers: shop.header, padding: turn % 2 == 0 ? 0 : 300_000)
                #expect(answer.status == .ok)
                #expect(try await FolderServer.number(answer) == 42)
            }
            for padding in [0, 300_000] {
                let refused = try await FolderServer.send(client, "double", 1, headers: shop.header, padding: padding)
                #expect(refused.status == .tooManyRequests)
                let seconds = try #require(refused.headers["Retry-After"].flatMap(Int.init))
                #expect((900...1000).contains(seconds) && refused.headers["X-RateLimit-Limit"] == "6")
                #expect(refused.headers["X-RateLimit-Remaining"] == "0")
                let text = String(decoding: try await refused.collect(), as: UTF8.self)
                #expect(text.contains("rate limit of this caller") && text.contains("Try again after"))
            }
            // Another caller has a bucket of its own, and only what it may do; the model's is smaller.
            #expect(try await FolderServer.send(client, "double", 1, headers: other.header).status == .forbidden)
            for _ in 0..<3 {
                #expect(try await FolderServer.send(client, "treble", 1, headers: other.header).status == .ok)
            }
            #expect(try await FolderServer.send(client, "treble", 1, headers: other.header).status == .tooManyRequests)
            #expect(try await client.send(.get, "/v2/models/treble", headers: shop.header).status == .ok)
        }
        let lines = try String(contentsOfFile: folder("access.log"), encoding: .utf8).split(separator: "\n").map {
            try JSON.decode(JSONValue.self, from: String($0))
        }
        #expect(lines.count == 17)
        func count(_ status: Int64, _ principal: String?) -> Int {
            lines.filter { $0["status"]?.integer == status && $0["principal"]?.string == principal }.count
        }
        #expect(count(200, "service:shop") == 7 && count(200, "user:mina") == 3 && count(401, nil) == 2)
        #expect(lines.filter { $0["status"]?.integer == 429 }.count == 3)
    }

    @Test func aKeyThatIsTakenOutOfTheFileOpensNothing() async throws {
        let shop = try key("service:shop")
        let stays = try key("service:other")
        let options = options { options in
            options.security.access = .on
            options.gateway.keysPath = folder("keys.json")
        }
        try await FolderServer.run(options) { address in
            let client = try HTTPClient(baseURL: address.url, connections: 1)
            func status(_ header: HTTPHeaders) async throws -> HTTPStatus {
                try await FolderServer.send(client, "double", 1, headers: header).status
            }
            #expect(try await status(shop.header) == .ok)
            try KeyFile.revoke(shop.entry.id, in: folder("keys.json"))
            let end = SystemTime.monotonicNanoseconds + 60_000_000_000
            while try await status(shop.header) == .ok {
                try #require(SystemTime.monotonicNanoseconds < end)
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(try await status(shop.header) == .unauthorized)
            #expect(try await status(stays.header) == .ok)
        }
    }

    @Test func anOpenServerCountsByAddress() async throws {
        let options = try options { $0.gateway.limits = [try RateLimit("principal=0.001/2")] }
        try await FolderServer.run(options) { address in
            let client = try HTTPClient(baseURL: address.url, connections: 1)
            let codes = [
                try await FolderServer.send(client, "double", 1).status.code,
                try await FolderServer.send(client, "treble", 1).status.code,
                try await FolderServer.send(client, "double", 1).status.code,
            ]
            #expect(codes == [200, 200, 429])
            #expect(try await client.get("/v2").status == .ok)
        }
    }

    @Test func whatAGatewayCanNotUseIsToldAtTheStart() async throws {
        for change in [
            { (options: inout ModelServerOptions) in options.gateway.crossOrigins = ["shop"] },
            { $0.gateway.keysPath = "/nowhere/keys.json" }, { $0.gateway.accessLog = .init(path: "/nowhere/log") },
            { $0.gateway.webTokens = WebTokenOptions(keysPath: "/nowhere", issuer: "i", audience: "a") },
        ] as [(inout ModelServerOptions) -> Void] {
            let options = options(change)
            let failure = await #expect(throws: (any Error).self) { try await FolderServer.run(options) { _ in } }
            #expect(failure is any Failure)
        }
    }
}
