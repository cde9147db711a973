import Basics
import Foundation
import HTTP
import Synchronization
import Telemetry
import Testing

struct ShutdownTests {
    @Test("A drain finishes what is under way, closes what is idle and takes nothing new")
    func drain() async throws {
        let fixture = try ServerFixture()
        let (idle, busy) = (try fixture.socket(), try fixture.socket())
        idle.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try await idle.until("hello")
        busy.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(await eventually { fixture.gate.waiters == 1 })
        async let stopped: Void = fixture.server.shutdown(drainSeconds: 20)
        #expect(try await idle.rest() == "")
        #expect(throws: RawSocket.Broken.self) { _ = try fixture.socket() }
        fixture.gate.open()
        let answer = try await busy.rest()
        #expect(answer.hasSuffix("done"))
        #expect(answer.contains("Connection: close"))
        await stopped
        #expect(fixture.server.connections == 0)
    }

    @Test("What is not done by the deadline is cut, and its late answer does no harm")
    func deadline() async throws {
        let fixture = try ServerFixture()
        let (busy, stream) = (try fixture.socket(), try fixture.socket())
        busy.send("GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
        stream.send("GET /silent HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try await stream.until("started")
        #expect(await eventually { fixture.gate.waiters == 1 })
        let start = ContinuousClock.now
        await fixture.server.shutdown(drainSeconds: 0.2)
        #expect(ContinuousClock.now - start < .seconds(2))
        #expect(try await busy.rest() == "")
        #expect(await eventually { fixture.streamStopped.load(ordering: .relaxed) })
        fixture.gate.open()
        await fixture.server.shutdown(drainSeconds: 1)
    }

    @Test("A port in use is told of with what to do")
    func portInUse() async throws {
        let fixture = try ServerFixture()
        var configuration = HTTPServerConfiguration(port: fixture.port)
        let error = #expect(throws: HTTPFailure.self) { _ = try Self.server(configuration).start() }
        #expect(error == .portInUse(host: "127.0.0.1", port: fixture.port))
        #expect(
            error?.description == "port \(fixture.port) on 127.0.0.1 is in use by another process. "
                + "Stop the process that holds it, or choose another port")
        configuration.port = 0
        configuration.host = "203.0.113.7"
        #expect(throws: HTTPFailure.self) { _ = try Self.server(configuration).start() }
        configuration.host = "no such host"
        #expect(throws: HTTPFailure.self) { _ = try Self.server(configuration).start() }
        configuration.host = "127.0.0.1"
        configuration.port = 70_000
        #expect(throws: HTTPFailure.self) { _ = try Self.server(configuration).start() }
    }

    @Test("A port is free again at once after a shutdown")
    func restart() async throws {
        let fixture = try ServerFixture()
        let socket = try fixture.socket()
        socket.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try await socket.until("hello")
        await fixture.server.shutdown(drainSeconds: 1)
        let again = Self.server(HTTPServerConfiguration(port: fixture.port))
        #expect(try again.start() == fixture.port)
        await again.shutdown(drainSeconds: 1)
    }

    @Test("Routes that contradict each other keep a server from starting")
    func badRoutes() {
        let router = Router()
        router.get("/a/{x}") { _ in .text("") }
        router.get("/a/{y}") { _ in .text("") }
        router.get("no-slash") { _ in .text("") }
        router.get("/{p:path}/more") { _ in .text("") }
        router.get("/{p:colour}") { _ in .text("") }
        let server = HTTPServer(
            configuration: HTTPServerConfiguration(), router: router, log: .silent, metrics: MetricsRegistry())
        #expect(router.problems.count == 4)
        #expect(throws: HTTPFailure.self) { try server.start() }
    }

    private static func server(_ configuration: HTTPServerConfiguration) -> HTTPServer {
        HTTPServer(configuration: configuration, router: Router(), log: .silent, metrics: MetricsRegistry())
    }
}
