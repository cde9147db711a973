import Basics
import Foundation
import Synchronization
import Testing

@testable import HTTP

/// Bodies that their handler takes piece by piece.
@Suite struct PiecesTests {
    private func body(_ size: Int) -> [UInt8] { (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) } }

    private func head(_ path: String, _ fields: String) -> String {
        "PUT \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\r\n"
    }

    @Test func longBodiesComeInPiecesAndTheConnectionGoesOn() async throws {
        // Far above the limit for bodies that are read whole.
        let fixture = try ServerFixture { $0.bodyLimit = 1000 }
        let socket = try fixture.socket()
        for size in [0, 5, 900, 70_000, 5_000_000] {
            let bytes = body(size)
            let digest = Digest(of: bytes).short
            socket.send(Array(head("/sum/x/y.bin", "Content-Length: \(size)").utf8) + bytes)
            let answer = try await socket.until(digest)
            #expect(answer.contains("200 OK"))
            #expect(answer.contains("\r\n\r\n\(size) \(size > 1_000_000) \(digest)"))
        }
        var chunked = Array(head("/sum/x", "Transfer-Encoding: chunked").utf8)
        let bytes = body(2_000_000)
        for start in stride(from: 0, to: bytes.count, by: 100_000) {
            chunked += Array("186a0\r\n".utf8) + bytes[start..<(start + 100_000)] + Array("\r\n".utf8)
        }
        socket.send(chunked + Array("0\r\n\r\n".utf8))
        let digest = Digest(of: bytes).short
        #expect(try await socket.until(digest).hasSuffix("2000000 true \(digest)"))
        socket.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try await socket.until("hello").contains("200 OK"))
    }

    @Test func aFileIsSentAndAnAnswerSavedWithoutBeingHeldInMemory() async throws {
        let fixture = try ServerFixture { $0.bodyLimit = 1000 }
        let client = try HTTPClient(baseURL: "http://127.0.0.1:\(fixture.port)", connections: 1, answerLimit: 1000)
        let path = NSTemporaryDirectory() + "pieces-\(UUID().uuidString)"
        defer { unlink(path) }
        let bytes = body(5_000_000)
        try Data(bytes).write(to: URL(filePath: path))
        let sum = try await client.send(.put, "/sum/x", file: path)
        #expect(try await sum.collect() == Array("5000000 true \(Digest(of: bytes).short)".utf8))
        await #expect(throws: HTTPFailure.self) { try await client.send(.put, "/sum/x", file: "\(path).none") }

        func saved(_ target: String) async throws -> (HTTPResponse, [UInt8]) {
            let file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
            defer { close(file) }
            let answer = try await client.send(.get, target, saving: file)
            return (answer, try [UInt8](Data(contentsOf: URL(filePath: path))))
        }
        let (big, content) = try await saved("/big")
        #expect(big.status == .ok && content == [UInt8](repeating: 120, count: 4 << 20))
        #expect(try await big.collect().isEmpty)
        #expect(try await saved("/count").1 == Array("0\n1\n2\n3\n4\n".utf8))
        let (refused, none) = try await saved("/nowhere")
        #expect(refused.status == .notFound && none.isEmpty)
        #expect(try await !refused.collect().isEmpty)
        await #expect(throws: HTTPFailure.self) { _ = try await saved("/broken-stream") }
        // What is not saved keeps to its limit.
        await #expect(throws: HTTPFailure.self) { try await client.send(.get, "/big") }
        #expect(try await client.get("/hello").collect() == Array("hello".utf8))
    }

    @Test func otherBodiesKeepTheirLimit() async throws {
        let fixture = try ServerFixture {
            $0.bodyLimit = 1000
            $0.piecewiseBodyLimit = 100_000
        }
        #expect(try await fixture.status(of: "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n") == "413")
        #expect(try await fixture.status(of: head("/sum/x", "Content-Length: 100001")) == "413")
    }

    @Test func theClientIsToldToGoOnOnlyWhereItsBodyIsWanted() async throws {
        let fixture = try ServerFixture()
        let socket = try fixture.socket()
        socket.send(head("/sum/x", "Content-Length: 3\r\nExpect: 100-continue"))
        _ = try await socket.until("100 Continue\r\n\r\n")
        socket.send("abc")
        #expect(try await socket.until(Digest(of: "abc").short).contains("200 OK"))
        let answer = try await fixture.answer(to: head("/refuse", "Content-Length: 3000000\r\nExpect: 100-continue"))
        #expect(answer.hasPrefix("HTTP/1.1 403") && answer.contains("Connection: close"))
    }

    @Test func anAnswerBeforeTheEndOfTheBodyIsSeenAndEndsTheConnection() async throws {
        let fixture = try ServerFixture()
        let socket = try fixture.socket()
        socket.send(Array(head("/refuse", "Content-Length: 3000000").utf8) + body(200_000))
        let answer = try await socket.rest()
        #expect(answer.hasPrefix("HTTP/1.1 403") && answer.contains("Connection: close"))
    }

    @Test func bodiesThatEndEarlyFailTheirHandler() async throws {
        let fixture = try ServerFixture { $0.bodyTimeout = 0.2 }
        let cut = try fixture.socket()
        cut.send(Array(head("/sum/x", "Content-Length: 3000000").utf8) + body(1_500_000))
        cut.finishSending()
        #expect(await eventually { fixture.brokenBodies.withLock { $0.count } == 1 })
        let slow = try fixture.socket()
        slow.send(Array(head("/sum/x", "Content-Length: 3000000").utf8) + body(1000))
        #expect(try await slow.rest().hasPrefix("HTTP/1.1 400"))
        #expect(
            try await fixture.status(of: head("/sum/x", "Transfer-Encoding: chunked") + "5\r\nabcde\r\nx\r\n") == "400")
        let told = fixture.brokenBodies.withLock { $0 }
        #expect(told.count == 3 && told.first?.contains("peer") == true)
        #expect(try await fixture.answer(to: "GET /hello HTTP/1.0\r\n\r\n").hasSuffix("hello"))
    }
}
