import Basics
import Synchronization

/// Sends requests to one server from asynchronous code, over a few kept-alive connections that each have a thread of
/// their own. Requests beyond their number wait in order.
public final class HTTPClient: Sendable {
    private final class Slot: @unchecked Sendable {
        // Only ever used on its own thread.
        let connection: HTTPConnection
        let thread: BlockingThread

        init(_ connection: HTTPConnection, _ thread: BlockingThread) {
            self.connection = connection
            self.thread = thread
        }
    }

    private struct State {
        var free: [Slot]
        var waiting: [CheckedContinuation<Slot, Never>] = []
    }

    private let state: Mutex<State>
    private let timeout: Double

    /// - Parameters:
    ///   - baseURL: such as `http://127.0.0.1:5000`.
    ///   - connections: how many requests may be under way at once.
    ///   - timeout: seconds for a whole exchange where a request says nothing else.
    ///   - answerLimit: bytes an answer may have; a longer one is a `badAnswer`.
    ///   - identity: the client's own certificate.
    /// - Throws: `HTTPFailure.badURL`.
    public init(
        baseURL: String, connections: Int = 4, timeout: Double = 30, answerLimit: Int = HTTPConnection.answerLimit,
        trust: HTTPTrust = .system, identity: HTTPIdentity? = nil
    ) throws(HTTPFailure) {
        let endpoint = try HTTPEndpoint(baseURL)
        var slots: [Slot] = []
        for index in 0..<max(1, connections) {
            let connection = try HTTPConnection(endpoint: endpoint, timeout: timeout, trust: trust, identity: identity)
            connection.answerLimit = answerLimit
            slots.append(Slot(connection, BlockingThread(name: "http-client-\(index)")))
        }
        state = Mutex(State(free: slots))
        self.timeout = timeout
    }

    /// Sends a request and returns the whole answer, whatever its status.
    /// - Throws: `HTTPFailure.cannotConnect`, `timedOut`, `connectionLost`, `badAnswer`.
    public func send(
        _ method: HTTPMethod, _ target: String, headers: HTTPHeaders = [:], body: [UInt8] = [], timeout: Double? = nil
    ) async throws -> HTTPResponse {
        try await exchange(timeout) { try $0.send(method, target, headers: headers, body: body) }
    }

    /// The same with a file as the body, which is not read into memory.
    /// - Throws: besides, `HTTPFailure.badFile` where it can not be read.
    public func send(
        _ method: HTTPMethod, _ target: String, headers: HTTPHeaders = [:], file: String, timeout: Double? = nil
    ) async throws -> HTTPResponse {
        try await exchange(timeout) { try $0.send(method, target, headers: headers, file: file) }
    }

    /// The same where the body of an answer of the 200s, however long, goes to an open file, and not into memory.
    public func send(
        _ method: HTTPMethod, _ target: String, headers: HTTPHeaders = [:], body: [UInt8] = [], saving file: Int32,
        timeout: Double? = nil
    ) async throws -> HTTPResponse {
        try await exchange(timeout) { try $0.send(method, target, headers: headers, body: body, saving: file) }
    }

    private func exchange(
        _ timeout: Double?, _ body: @escaping @Sendable (HTTPConnection) throws -> HTTPResponse
    ) async throws -> HTTPResponse {
        let slot = await take()
        defer { give(slot) }
        let seconds = timeout ?? self.timeout
        return try await slot.thread.run {
            slot.connection.timeout = seconds
            return try body(slot.connection)
        }
    }

    /// Sends a GET.
    public func get(_ target: String, headers: HTTPHeaders = [:]) async throws -> HTTPResponse {
        try await send(.get, target, headers: headers)
    }

    /// Sends a value as JSON.
    public func post(_ target: String, json value: some Encodable) async throws -> HTTPResponse {
        try await send(
            .post, target, headers: ["Content-Type": "application/json"], body: try JSON.canonical(value))
    }

    private func take() async -> Slot {
        await withCheckedContinuation { continuation in
            let slot = state.withLock { state -> Slot? in
                if let slot = state.free.popLast() { return slot }
                state.waiting.append(continuation)
                return nil
            }
            if let slot { continuation.resume(returning: slot) }
        }
    }

    private func give(_ slot: Slot) {
        let next = state.withLock { state -> CheckedContinuation<Slot, Never>? in
            guard !state.waiting.isEmpty else {
                state.free.append(slot)
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume(returning: slot)
    }
}
