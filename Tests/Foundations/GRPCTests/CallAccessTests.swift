import Basics
import HTTP
import Testing

/// Lets in whom the header names; what the loop thread may know by itself is set by the test.
private struct Doorman: AccessGuard {
    let knows: Bool

    func verdict(
        on credentials: InlineCredentials, for need: RouteNeed?, resource: UnsafeRawBufferPointer?
    ) -> AccessVerdict {
        guard knows else { return .unknown }
        let name = credentials.authorization.map { String(decoding: $0, as: UTF8.self) }
        do {
            try Doorman.check(name, need, resource.map { String(decoding: $0, as: UTF8.self) })
            return .allowed()
        } catch {
            return .refused(error)
        }
    }

    func admit(_ credentials: RequestCredentials) async throws -> Caller {
        await Task.yield()
        guard let name = credentials.authorization else {
            throw HTTPFailure.unauthenticated("who are you", remedy: "Say so")
        }
        return Caller(name: name) { try Doorman.check(name, $0, $1) }
    }

    private static func check(_ name: String?, _ need: RouteNeed?, _ resource: String?) throws {
        guard let name else { throw HTTPFailure.unauthenticated("who are you", remedy: "Say so") }
        guard name == "root" || resource == nil && need?.action == "read" || name == resource else { throw Refused() }
    }

    struct Refused: Failure {
        let code = FailureCode.permissionDenied
        let message = "that is not for you"
    }
}

/// Turns everybody away for a while.
private struct Busy: AccessGuard {
    struct Later: HeadedFailure {
        let code = FailureCode.resourceExhausted
        let message = "too much at once"
        let headers: HTTPHeaders = ["Retry-After": "7"]
    }

    func verdict(
        on credentials: InlineCredentials, for need: RouteNeed?, resource: UnsafeRawBufferPointer?
    ) -> AccessVerdict { .refused(Later()) }

    func admit(_ credentials: RequestCredentials) async throws -> Caller { throw Later() }
}

@Suite struct CallAccessTests {
    @Test(arguments: ["Guarded", "Named"])
    func aRefusalTellsWhenToComeBack(_ method: String) async throws {
        let fixture = try CallFixture(access: Busy())
        let socket = try FrameSocket(port: fixture.port)
        socket.send(FrameSocket.call("/test.Echo/\(method)", stream: 1, Array("x".utf8)))
        let frames = try await socket.until { $0.stream == 1 && $0.isEnd }
        let fields = frames.reduce(into: [String: String]()) { $0.merge($1.fields) { $1 } }
        #expect(fields["grpc-status"] == "8")
        #expect(fields["retry-after"] == "7" && fields["grpc-retry-pushback-ms"] == "7000")
        await fixture.server.shutdown(drainSeconds: 1)
    }

    private static func ask(
        _ fixture: CallFixture, _ method: String, _ message: String, as name: String?
    ) async throws -> String {
        let socket = try FrameSocket(port: fixture.port)
        let fields = name.map { [("authorization", $0)] } ?? []
        socket.send(FrameSocket.call("/test.Echo/\(method)", stream: 1, Array(message.utf8), fields))
        let frames = try await socket.until { $0.stream == 1 && $0.isEnd }
        let status = frames.compactMap { $0.fields["grpc-status"] }.last ?? "-"
        let body = frames.filter { $0.type == FrameSocket.Kind.data }.flatMap(\.payload).dropFirst(5)
        return "\(status) \(String(decoding: body, as: UTF8.self))"
    }

    @Test(arguments: [true, false])
    func theGuardStandsBeforeEveryMethod(_ knows: Bool) async throws {
        let fixture = try CallFixture(access: Doorman(knows: knows))
        #expect(try await Self.ask(fixture, "Inline", "open", as: nil) == "0 open")
        #expect(try await Self.ask(fixture, "Guarded", "x", as: nil) == "16 ")
        #expect(try await Self.ask(fixture, "Guarded", "x", as: "one") == "0 one")
        #expect(try await Self.ask(fixture, "Named", "one", as: "one") == "0 one")
        #expect(try await Self.ask(fixture, "Named", "two", as: "one") == "7 ")
        #expect(try await Self.ask(fixture, "Named", "two", as: "root") == "0 two")
        #expect(try await Self.ask(fixture, "Named", "two", as: nil) == "16 ")
        await fixture.server.shutdown(drainSeconds: 1)
    }
}
