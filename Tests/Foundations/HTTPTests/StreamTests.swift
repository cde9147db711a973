import Foundation
import HTTP
import Synchronization
import Testing

struct StreamTests {
    @Test("A stream is sent in chunks and the connection lives on")
    func chunks() async throws {
        let fixture = try ServerFixture()
        let connection = try fixture.client()
        for _ in 0..<3 {
            let answer = try await connection.send(.get, "/count")
            #expect(answer.headers["Transfer-Encoding"] == "chunked")
            guard case .bytes(let bytes) = answer.body else { return }
            #expect(String(decoding: bytes, as: UTF8.self) == "0\n1\n2\n3\n4\n")
        }
        #expect(fixture.server.connections == 1)
    }

    @Test("A stream that fails is cut, so that nobody takes it for whole")
    func broken() async throws {
        let fixture = try ServerFixture()
        let answer = try await fixture.answer(to: "GET /broken-stream HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(!answer.hasSuffix("0\r\n\r\n"))
        let connection = try fixture.client()
        await #expect(throws: HTTPFailure.self) { try await connection.send(.get, "/broken-stream") }
    }

    @Test("A writer learns that its reader has left, whether it writes or waits", arguments: ["/endless", "/silent"])
    func peerGone(path: String) async throws {
        let fixture = try ServerFixture()
        var socket: RawSocket? = try fixture.socket()
        socket?.send("GET \(path) HTTP/1.1\r\nHost: a\r\n\r\n")
        _ = try await socket?.until("\r\n\r\n")
        _ = try await socket?.receive()
        #expect(fixture.streamStopped.load(ordering: .relaxed) == false)
        socket = nil
        #expect(await eventually { fixture.streamStopped.load(ordering: .relaxed) })
        #expect(await eventually { fixture.server.connections == 0 })
    }
}
