import Basics
import Foundation
import HTTP
import Synchronization
import Testing

/// Routes whose handlers go on on the loop thread after what they waited for.
struct BriefRouteTests {
    @Test("A brief handler goes on on the one thread of its loop, whoever ends its wait")
    func staysOnLoop() async throws {
        let fixture = try ServerFixture { $0.threads = 1 }
        let sockets = try (0..<8).map { _ in try fixture.socket() }
        for socket in sockets { socket.send("GET /brief/3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") }
        #expect(await eventually { fixture.gate.waiters == 8 })
        fixture.gate.open()
        for socket in sockets { #expect(try await socket.rest().hasSuffix("brief")) }
        let threads = fixture.briefThreads.withLock { $0 }
        #expect(threads.count == 24)
        #expect(Set(threads).count == 1)
        await fixture.server.shutdown(drainSeconds: 5)
    }

    @Test("A brief handler without a wait answers, and so do errors and other routes between them")
    func withoutWait() async throws {
        let fixture = try ServerFixture()
        fixture.gate.open()
        let socket = try fixture.socket()
        for _ in 0..<200 {
            socket.send("GET /brief/0 HTTP/1.1\r\nHost: a\r\n\r\nGET /brief/x HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try await socket.until("brief")
            _ = try await socket.until("404")
            _ = try await socket.until("}")
        }
        #expect(fixture.briefEnds.load(ordering: .relaxed) == 200)
        await fixture.server.shutdown(drainSeconds: 5)
    }

    @Test("A brief handler that the end of the server has cut off still comes to its own end")
    func cut() async throws {
        let fixture = try ServerFixture()
        let sockets = try (0..<8).map { _ in try fixture.socket() }
        for socket in sockets { socket.send("GET /brief/2 HTTP/1.1\r\nHost: a\r\n\r\n") }
        #expect(await eventually { fixture.gate.waiters == 8 })
        await fixture.server.shutdown(drainSeconds: 0.1)
        fixture.gate.open()
        #expect(await eventually { fixture.briefEnds.load(ordering: .relaxed) == 8 })
    }

    @Test("Handlers that end while the server stops all come to their end")
    func race() async throws {
        for _ in 0..<20 {
            let fixture = try ServerFixture()
            let sockets = try (0..<4).map { _ in try fixture.socket() }
            for socket in sockets { socket.send("GET /brief/5 HTTP/1.1\r\nHost: a\r\n\r\n") }
            #expect(await eventually { fixture.gate.waiters == 4 })
            async let stopped: Void = fixture.server.shutdown(drainSeconds: 0)
            fixture.gate.open()
            await stopped
            #expect(await eventually { fixture.briefEnds.load(ordering: .relaxed) == 4 })
        }
    }
}
