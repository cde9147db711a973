import Foundation
import HTTP
import Synchronization
import Testing

/// Slow, silent and vanished clients.
struct DeadlineTests {
    @Test("A client that sends its header byte by byte is closed on the deadline while others are served")
    func slowHeader() async throws {
        let fixture = try ServerFixture {
            $0.headerTimeout = 1.5
            $0.threads = 1
        }
        let slow = try fixture.socket()
        let connection = try fixture.client()
        let clock = ContinuousClock()
        let start = clock.now
        var served = 0
        slow.send("GET /hello HTTP/1.1\r\nHost: a\r\nX: ")
        var answer: String?
        while answer == nil, clock.now - start < .seconds(20) {
            slow.send("x")
            #expect(try await connection.send(.get, "/hello").status == .ok)
            served += 1
            answer = try? await slow.until("\r\n\r\n", seconds: 0.02)
        }
        #expect(answer?.hasPrefix("HTTP/1.1 408") == true)
        #expect(served > 2)
    }

    @Test("A body that does not come is answered by 408")
    func slowBody() async throws {
        let fixture = try ServerFixture { $0.bodyTimeout = 0.2 }
        let status = try await fixture.status(of: "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc")
        #expect(status == "408")
    }

    @Test("Idle and silent connections are closed without a word")
    func idle() async throws {
        let fixture = try ServerFixture {
            $0.idleTimeout = 0.2
            $0.headerTimeout = 0.2
        }
        #expect(try await fixture.socket().rest() == "")
        let socket = try fixture.socket()
        socket.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try await socket.rest().hasSuffix("hello"))
    }

    @Test("A peer that does not read a large answer is cut")
    func slowReader() async throws {
        let fixture = try ServerFixture {
            $0.writeTimeout = 0.3
            $0.minimumRate = 1 << 30
        }
        let socket = try RawSocket(port: fixture.port, receiveBuffer: 4096)
        socket.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(await eventually { fixture.streamStopped.load(ordering: .relaxed) })
        #expect(await eventually { fixture.server.connections == 0 })
        // What the kernel and the transport hold is bounded: the writer waited for the reader.
        #expect(fixture.streamed.load(ordering: .relaxed) < 16 << 20)
    }

    @Test("A connection above the limit is told to come back")
    func connectionLimit() async throws {
        let fixture = try ServerFixture { $0.connectionLimit = 2 }
        let kept = try (0..<2).map { _ in try fixture.socket() }
        for socket in kept {
            socket.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            _ = try await socket.until("hello")
        }
        #expect(try await fixture.socket().rest().hasPrefix("HTTP/1.1 503"))
    }
}
