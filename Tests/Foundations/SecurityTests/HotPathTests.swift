import Basics
import Engines
import Foundation
import HTTP
import Telemetry
import Testing

@testable import Security

/// The guard before an inline route of a real server.
@Suite struct HotPathTests {
    private static func serve(_ guardian: Authenticator) throws -> (server: HTTPServer, url: String) {
        let router = Router()
        router.inline(.post, "/models/{name}/infer", needs: .right(to: .infer, on: "endpoint", named: "name")) {
            exchange in
            ("done" as StaticString).withUTF8Buffer {
                exchange.reply(.ok, contentType: "text/plain", UnsafeRawBufferPointer($0))
            }
            return true
        }
        router.protect(with: guardian)
        let server = HTTPServer(
            configuration: HTTPServerConfiguration(), router: router, log: .silent, metrics: MetricsRegistry())
        return (server, "http://127.0.0.1:\(try server.start())")
    }

    private static func ask(
        _ client: HTTPClient, _ header: String, endpoint: String = "orders", origin: String? = nil
    ) async throws -> Int {
        var headers: HTTPHeaders = ["Authorization": header]
        headers["Origin"] = origin
        return try await client.send(.post, "/models/\(endpoint)/infer", headers: headers, body: [1, 2, 3]).status.code
    }

    /// Another process revokes: its store is not the one of the guard. Requests go on all the while, so the entry is
    /// renewed in the background and never runs out by itself.
    @Test(arguments: SQLEngine.allCases)
    func requestsThatNeverPauseSeeARevocation(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let elsewhere = AccessStore(database: desk.database, time: desk.time, random: SystemRandom())
        let issued = try await desk.token("mina", .viewer)
        let ms: UInt64 = 1_000_000
        let guardian = Authenticator(
            source: desk.store, time: desk.time,
            times: IdentityCache.Times(refresh: 20 * ms, valid: 2000 * ms, grace: 4000 * ms),
            monotonic: { SystemTime.monotonicNanoseconds }, pause: { _ in })
        let (server, url) = try Self.serve(guardian)
        let client = try HTTPClient(baseURL: url, connections: 4, timeout: 10)
        let bearer = "Bearer \(issued.secret.revealed)"
        for _ in 0..<50 { #expect(try await Self.ask(client, bearer) == 200) }
        try await elsewhere.revokeToken(issued.token.id, by: "user:root")
        let revoked = SystemTime.monotonicNanoseconds
        while try await Self.ask(client, bearer) == 200, SystemTime.monotonicNanoseconds < revoked + 10_000 * ms {}
        // Long before the entry would have run out: the background saw it.
        #expect(SystemTime.monotonicNanoseconds < revoked + 1500 * ms)
        for _ in 0..<20 { #expect(try await Self.ask(client, bearer) == 401) }
        await server.shutdown(drainSeconds: 1)
    }

    @Test(arguments: SQLEngine.allCases)
    func rightsAreThoseOfTheResource(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let (server, url) = try Self.serve(Authenticator(store: desk.store, time: desk.time))
        let client = try HTTPClient(baseURL: url, connections: 3, timeout: 10)
        let one = try await desk.token("shop", .viewer, scope: TokenScope(resources: ["endpoint/orders"]))
        let none = try await desk.token("mina", .viewer, scope: TokenScope(actions: [.read]))
        for _ in 0..<6 {
            #expect(try await Self.ask(client, "Bearer \(one.secret.revealed)") == 200)
            #expect(try await Self.ask(client, "Bearer \(one.secret.revealed)", endpoint: "others") == 403)
            #expect(try await Self.ask(client, "Bearer \(none.secret.revealed)") == 403)
        }
        let basic = "Basic " + Data("token:\(one.secret.revealed)".utf8).base64EncodedString()
        let own = url.replacingOccurrences(of: "http://", with: "https://")
        for _ in 0..<6 {
            #expect(try await Self.ask(client, basic) == 200)
            #expect(try await Self.ask(client, basic, origin: own) == 200)
            #expect(try await Self.ask(client, basic, origin: "https://evil.example") == 403)
        }
        // A change made here holds for the very next request.
        try await desk.store.revokeRole(from: try PrincipalID("shop"), by: "user:root")
        #expect(try await Self.ask(client, basic) == 403)
        await server.shutdown(drainSeconds: 1)
    }

    @Test(arguments: SQLEngine.allCases)
    func manyNewcomersAtOnceAreAllLetIn(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let (server, url) = try Self.serve(Authenticator(store: desk.store, time: desk.time))
        let client = try HTTPClient(baseURL: url, connections: 8, timeout: 20)
        var headers: [String] = []
        for number in 0..<16 {
            headers.append("Bearer " + (try await desk.token("user\(number)", .viewer)).secret.revealed)
        }
        let codes = try await withThrowingTaskGroup(of: Int.self) { group in
            for round in 0..<160 { group.addTask { [headers] in try await Self.ask(client, headers[round % 16]) } }
            return try await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(codes == Array(repeating: 200, count: 160))
        await server.shutdown(drainSeconds: 1)
    }
}
