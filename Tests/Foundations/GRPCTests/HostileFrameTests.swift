import Foundation
import GRPC
import HTTP
import Synchronization
import Testing

/// What raw frames of clients that mean no good come to. After each of them the server still serves others.
@Suite(.serialized) struct HostileFrameTests {
    private typealias Kind = FrameSocket.Kind
    private static let inline = "/test.Echo/Inline"

    /// The error code of GOAWAY, where the server said goodbye.
    private static func farewell(_ frames: [FrameSocket.Frame]) -> UInt8? {
        frames.last { $0.type == Kind.goaway }.flatMap { $0.payload.count >= 8 ? $0.payload[7] : nil }
    }

    private static func expectAlive(_ fixture: CallFixture) async throws {
        let socket = try FrameSocket(port: fixture.port)
        socket.send(FrameSocket.call(inline, stream: 1, Array("alive".utf8)))
        let frames = try await socket.until { $0.type == Kind.headers && $0.isEnd }
        #expect(frames.contains { $0.type == Kind.data && $0.payload == FrameSocket.message(Array("alive".utf8)) })
    }

    /// Sends bytes on a new connection and reads to its end.
    private static func outcome(
        _ fixture: CallFixture, greets: Bool = true, _ bytes: [UInt8]
    ) async throws -> [FrameSocket.Frame] {
        let socket = try FrameSocket(port: fixture.port, greets: greets)
        socket.send(bytes)
        return try await socket.rest()
    }

    private static func status(
        _ fixture: CallFixture, _ bytes: [UInt8]
    ) async throws -> [FrameSocket.Frame] {
        let socket = try FrameSocket(port: fixture.port)
        socket.send(bytes)
        return try await socket.until { $0.stream == 1 && ($0.isEnd || $0.type == Kind.reset) }
    }

    @Test func whatIsNoPrefaceIsCut() async throws {
        let fixture = try CallFixture { $0.headerTimeout = 0.3 }
        for text in ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "\0\0\0"] {
            let frames = try await Self.outcome(fixture, greets: false, Array(text.utf8))
            #expect(frames.allSatisfy { $0.type == Kind.settings || $0.type == Kind.goaway || $0.type == Kind.window })
        }
        _ = try await Self.outcome(fixture, greets: false, Array(FrameSocket.preface.prefix(10)))
        try await Self.expectAlive(fixture)
        await fixture.server.shutdown(drainSeconds: 1)
    }

    @Test func framesAgainstTheRulesEndTheConnection() async throws {
        let fixture = try CallFixture()
        let cases: [(String, [UInt8], UInt8)] = [
            ("oversized", [0x01, 0x00, 0x00, 0, 0] + FrameSocket.big(1), 6),
            ("data without a stream", FrameSocket.frame(Kind.data, stream: 1, [0]), 1),
            ("even stream", FrameSocket.frame(Kind.headers, flags: 5, stream: 2, FrameSocket.request(Self.inline)), 1),
            ("settings on a stream", FrameSocket.frame(Kind.settings, stream: 1), 1),
            ("settings of odd size", FrameSocket.frame(Kind.settings, [1, 2, 3]), 6),
            ("ping of odd size", FrameSocket.frame(Kind.ping, [1]), 6),
            ("window of nothing", FrameSocket.frame(Kind.window, FrameSocket.big(0)), 1),
            (
                "window overflow",
                FrameSocket.frame(Kind.window, FrameSocket.big(0x7FFF_FFFF))
                    + FrameSocket.frame(Kind.window, FrameSocket.big(0x7FFF_FFFF)), 3
            ),
            ("broken compression", FrameSocket.frame(Kind.headers, flags: 5, stream: 1, [0xFF, 0xFF, 0xFF, 0xFF]), 9),
            ("continuation alone", FrameSocket.frame(Kind.continuation, flags: 4, stream: 1), 1),
            (
                "frame within a header",
                FrameSocket.frame(Kind.headers, stream: 1, FrameSocket.request(Self.inline))
                    + FrameSocket.frame(Kind.ping, [UInt8](repeating: 0, count: 8)), 1
            ),
            ("push", FrameSocket.frame(5, flags: 4, stream: 1, FrameSocket.big(2)), 1),
        ]
        for (name, bytes, code) in cases {
            let frames = try await Self.outcome(fixture, bytes)
            #expect(Self.farewell(frames) == code, "\(name): \(frames)")
        }
        try await Self.expectAlive(fixture)
        await fixture.server.shutdown(drainSeconds: 1)
    }

    @Test func headersThatNeverEndAreCutOff() async throws {
        let fixture = try CallFixture { $0.headerTimeout = 0.3 }
        // CONTINUATION without end, in empty frames and in full ones.
        for piece in [[], FrameSocket.fields([("x", String(repeating: "y", count: 8000))])] {
            let socket = try FrameSocket(port: fixture.port)
            socket.send(FrameSocket.frame(Kind.headers, stream: 1, FrameSocket.request(Self.inline)))
            let flood = Array(
                repeatElement(FrameSocket.frame(Kind.continuation, stream: 1, piece), count: 2000).joined())
            _ = try await socket.sendAll(flood)
            _ = try? await socket.rest()
        }
        // A header of which the rest never comes.
        let socket = try FrameSocket(port: fixture.port)
        socket.send(FrameSocket.frame(Kind.headers, stream: 1, FrameSocket.request(Self.inline)))
        _ = try await socket.rest(seconds: 5)
        try await Self.expectAlive(fixture)
        await fixture.server.shutdown(drainSeconds: 1)
    }

    @Test func headersTooLargeAreRefused() async throws {
        let fixture = try CallFixture()
        let large = FrameSocket.request(Self.inline, [("x", String(repeating: "y", count: 12_000))])
        let more = FrameSocket.fields([("z", String(repeating: "y", count: 12_000))])
        let frames = try await Self.status(
            fixture,
            FrameSocket.frame(Kind.headers, flags: 1, stream: 1, large)
                + FrameSocket.frame(Kind.continuation, stream: 1, more)
                + FrameSocket.frame(Kind.continuation, flags: 4, stream: 1, more))
        #expect(FrameSocket.hasStatus(frames, "431"))
        // A bomb: one field of 4,000 bytes is kept by the decoder, then named again and again by one byte each.
        var bomb =
            FrameSocket.request(Self.inline) + [0x40]
            + FrameSocket.fields([("a", String(repeating: "b", count: 3900))]).dropFirst()
        bomb += [UInt8](repeating: 0x80 | 62, count: 10_000)
        let end = try await Self.outcome(fixture, FrameSocket.frame(Kind.headers, flags: 5, stream: 1, bomb))
        #expect(Self.farewell(end) == 11)
        try await Self.expectAlive(fixture)
        await fixture.server.shutdown(drainSeconds: 1)
    }

    @Test func rapidResetGetsNowhere() async throws {
        let fixture = try CallFixture()
        let socket = try FrameSocket(port: fixture.port)
        var flood: [UInt8] = []
        for index in 0..<10_000 {
            let stream = UInt32(index * 2 + 1)
            flood += FrameSocket.frame(Kind.headers, flags: 4, stream: stream, FrameSocket.request("/test.Echo/Wait"))
            flood += FrameSocket.frame(Kind.data, flags: 1, stream: stream, FrameSocket.message([]))
            flood += FrameSocket.frame(Kind.reset, stream: stream, FrameSocket.big(8))
        }
        _ = try await socket.sendAll(flood)
        let frames = (try? await socket.rest()) ?? []
        #expect(Self.farewell(frames) == 11 || frames.isEmpty)
        let started = fixture.started.load(ordering: .relaxed)
        #expect(started < 2000, "\(started) handlers were started")
        #expect(
            await eventually { fixture.cancelled.load(ordering: .relaxed) == fixture.started.load(ordering: .relaxed) })
        try await Self.expectAlive(fixture)
        await fixture.server.shutdown(drainSeconds: 1)
    }

    @Test func framesThatAskForNothingAreCounted() async throws {
        let fixture = try CallFixture()
        let floods = [
            FrameSocket.frame(Kind.ping, [UInt8](repeating: 7, count: 8)), FrameSocket.frame(Kind.settings),
            FrameSocket.frame(Kind.priority, stream: 1, [0, 0, 0, 0, 1]),
        ]
        for flood in floods {
            let socket = try FrameSocket(port: fixture.port)
            _ = try await socket.sendAll(Array(repeatElement(flood, count: 10_000).joined()))
            _ = try? await socket.rest()
        }
        // Data without a byte on an open stream.
        let socket = try FrameSocket(port: fixture.port)
        socket.send(FrameSocket.frame(Kind.headers, flags: 4, stream: 1, FrameSocket.request(Self.inline)))
        _ = try await socket.sendAll(
            Array(repeatElement(FrameSocket.frame(Kind.data, stream: 1), count: 10_000).joined()))
        #expect(Self.farewell((try? await socket.rest()) ?? []) ?? 11 == 11)
        try await Self.expectAlive(fixture)
        await fixture.server.shutdown(drainSeconds: 1)
    }

    @Test func messagesThatLieAreRefused() async throws {
        let fixture = try CallFixture()
        func call(_ data: [UInt8], _ more: [(String, String)] = []) -> [UInt8] {
            FrameSocket.frame(Kind.headers, flags: 4, stream: 1, FrameSocket.request(Self.inline, more))
                + FrameSocket.frame(Kind.data, flags: 1, stream: 1, data)
        }
        let gzip = ("grpc-encoding", "gzip")
        let cases: [(String, [UInt8], String)] = [
            ("nothing", call([]), "the call has none"),
            ("half a prefix", call([0, 0, 0]), "in the middle"),
            ("too short", call(FrameSocket.message([1, 2, 3], length: 10)), "in the middle"),
            ("too long", call(FrameSocket.message([1, 2, 3], length: 2)), "bytes follow"),
            ("two", call(FrameSocket.message([1]) + FrameSocket.message([2])), "bytes follow"),
            ("4 GB", call(FrameSocket.message([1], length: 0xFFFF_FFFF)), "larger than"),
            ("flag", call(FrameSocket.message([1], compressed: 7)), "neither 0 nor 1"),
            ("compressed unsaid", call(FrameSocket.message([1], compressed: 1)), "does not say how"),
            ("no gzip", call(FrameSocket.message([1, 2, 3], compressed: 1), [gzip]), "unpacked"),
            (
                "unknown encoding", call(FrameSocket.message([1], compressed: 1), [("grpc-encoding", "br")]),
                "compressed by"
            ),
            (
                "header only", FrameSocket.frame(Kind.headers, flags: 5, stream: 1, FrameSocket.request(Self.inline)),
                "none"
            ),
        ]
        for (name, bytes, wanted) in cases {
            let frames = try await Self.status(fixture, bytes)
            let text = FrameSocket.texts(frames)
            #expect(text.contains(wanted), "\(name): \(text)")
        }
        try await Self.expectAlive(fixture)
        await fixture.server.shutdown(drainSeconds: 1)
    }

    @Test func whatIsNoCallIsRefusedByHTTP() async throws {
        let fixture = try CallFixture()
        for (type, method) in [
            ("application/json", "POST"), ("", "POST"), ("application/grpcx", "POST"), ("application/grpc", "GET"),
        ] {
            let request = FrameSocket.request(Self.inline, type: type, method: method)
            let frames = try await Self.status(fixture, FrameSocket.frame(Kind.headers, flags: 5, stream: 1, request))
            #expect(FrameSocket.hasStatus(frames, "415"), "\(type)")
        }
        for type in ["application/grpc+proto", "application/grpc;x=y"] {
            let frames = try await Self.status(
                fixture,
                FrameSocket.frame(Kind.headers, flags: 4, stream: 1, FrameSocket.request(Self.inline, type: type))
                    + FrameSocket.frame(Kind.data, flags: 1, stream: 1, FrameSocket.message([1])))
            #expect(frames.contains { $0.type == Kind.data && $0.payload == FrameSocket.message([1]) })
        }
        await fixture.server.shutdown(drainSeconds: 1)
    }

    @Test func halfSentMessagesRunOutOfTime() async throws {
        let fixture = try CallFixture { $0.bodyTimeout = 0.4 }
        let frames = try await Self.status(
            fixture,
            FrameSocket.frame(Kind.headers, flags: 4, stream: 1, FrameSocket.request(Self.inline))
                + FrameSocket.frame(Kind.data, stream: 1, FrameSocket.message([1, 2], length: 100)))
        #expect(FrameSocket.texts(frames).contains("in time"))
        // A stream may be silent between its messages, but not within one.
        let socket = try FrameSocket(port: fixture.port)
        socket.send(FrameSocket.frame(Kind.headers, flags: 4, stream: 1, FrameSocket.request("/test.Echo/Stream")))
        socket.send(FrameSocket.frame(Kind.data, stream: 1, FrameSocket.message([1])))
        _ = try await socket.until { $0.type == Kind.data && $0.payload == FrameSocket.message([1]) }
        try await Task.sleep(for: .milliseconds(800))
        socket.send(FrameSocket.frame(Kind.data, stream: 1, FrameSocket.message([2])))
        _ = try await socket.until { $0.type == Kind.data && $0.payload == FrameSocket.message([2]) }
        socket.send(FrameSocket.frame(Kind.data, stream: 1, [0, 0]))
        _ = try await socket.until(seconds: 5) { $0.type == Kind.headers && $0.isEnd }
        await fixture.server.shutdown(drainSeconds: 1)
    }

    @Test func idleConnectionsAreSentAway() async throws {
        let fixture = try CallFixture { $0.idleTimeout = 0.4 }
        let socket = try FrameSocket(port: fixture.port)
        socket.send(FrameSocket.call(Self.inline, stream: 1, [1]))
        let frames = try await socket.rest(seconds: 5)
        #expect(Self.farewell(frames) == 0)
        #expect(await eventually { fixture.server.connections == 0 })
        await fixture.server.shutdown(drainSeconds: 1)
    }

    @Test func peersThatVanishedAreFoundOut() async throws {
        let fixture = try CallFixture {
            $0.idleTimeout = 0.2
            $0.headerTimeout = 0.3
        }
        let socket = try FrameSocket(port: fixture.port)
        socket.send(FrameSocket.frame(Kind.headers, flags: 4, stream: 1, FrameSocket.request("/test.Echo/Silent")))
        // It is asked for a sign of life, and gives one the first time.
        let asked = try await socket.until { $0.type == Kind.ping && $0.flags == 0 }
        socket.send(FrameSocket.frame(Kind.ping, flags: 1, asked.last?.payload ?? []))
        _ = try await socket.until { $0.type == Kind.ping && $0.flags == 0 }
        #expect(fixture.cancelled.load(ordering: .relaxed) == 0)
        #expect(await eventually { fixture.cancelled.load(ordering: .relaxed) == 1 })
        #expect(await eventually { fixture.server.connections == 0 })
        await fixture.server.shutdown(drainSeconds: 1)
    }

    @Test func clientsThatDoNotReadAreCut() async throws {
        let fixture = try CallFixture { $0.writeTimeout = 0.5 }
        let socket = try FrameSocket(port: fixture.port)
        socket.send(FrameSocket.frame(Kind.headers, flags: 5, stream: 1, FrameSocket.request("/test.Echo/Endless")))
        #expect(await eventually { fixture.cancelled.load(ordering: .relaxed) == 1 })
        let sent = fixture.sent.load(ordering: .relaxed)
        #expect(sent < 4 << 20, "\(sent) bytes were taken for a client that reads none")
        await fixture.server.shutdown(drainSeconds: 1)
    }

    @Test func memoryOfAConnectionIsBounded() async throws {
        let fixture = try CallFixture { $0.streamMemory = 1 << 20 }
        let socket = try FrameSocket(port: fixture.port)
        let piece = FrameSocket.message([UInt8](repeating: 1, count: 16_000), length: 10 << 20)
        var frames: [UInt8] = []
        for stream in stride(from: UInt32(1), to: 201, by: 2) {
            frames += FrameSocket.frame(Kind.headers, flags: 4, stream: stream, FrameSocket.request(Self.inline))
            frames += FrameSocket.frame(Kind.data, stream: stream, piece)
        }
        _ = try await socket.sendAll(frames)
        let answer = try await socket.until { $0.type == Kind.headers && $0.isEnd }
        #expect(FrameSocket.texts(answer).contains("more memory"))
        try await Self.expectAlive(fixture)
        await fixture.server.shutdown(drainSeconds: 0.1)
    }

    @Test func streamsAboveTheLimitAreRefused() async throws {
        let fixture = try CallFixture { $0.streamLimit = 5 }
        let socket = try FrameSocket(port: fixture.port)
        for stream in stride(from: UInt32(1), to: 21, by: 2) {
            socket.send(FrameSocket.call("/test.Echo/Wait", stream: stream, [1]))
        }
        let refused = try await socket.until { $0.type == Kind.reset }
        #expect(refused.last?.payload == FrameSocket.big(7))
        #expect(await eventually { fixture.started.load(ordering: .relaxed) == 5 })
        await fixture.server.shutdown(drainSeconds: 0.1)
        #expect(await eventually { fixture.cancelled.load(ordering: .relaxed) == 5 })
    }
}
