import Basics
import Foundation
import HTTP
import Synchronization
import Telemetry

/// A server on a free port with the routes that the tests ask for.
final class ServerFixture: Sendable {
    let server: HTTPServer
    let router: Router
    let metrics = MetricsRegistry()
    let port: Int
    let gate = Gate()
    let briefThreads = Mutex<[UInt]>([])
    let briefEnds = Atomic<Int>(0)
    let streamed = Atomic<Int>(0)
    let streamStopped = Atomic<Bool>(false)
    let brokenBodies = Mutex<[String]>([])

    init(_ adjust: (inout HTTPServerConfiguration) -> Void = { _ in }) throws {
        let router = Router()
        var configuration = HTTPServerConfiguration()
        adjust(&configuration)
        self.router = router
        server = HTTPServer(configuration: configuration, router: router, log: .silent, metrics: metrics)
        let (gate, box) = (gate, Box())
        router.get("/hello") { _ in .text("hello") }
        router.post("/echo") { request in .bytes(request.body, contentType: "application/octet-stream") }
        router.route(.put, "/sum/{path:path}", takesPieces: true) { request in
            let pieces = request.pieces
            var digest = Digest.Builder()
            var (size, count) = (0, 0)
            do {
                while let piece = try await pieces.next() {
                    digest.update(piece)
                    size += piece.count
                    count += 1
                }
            } catch {
                box.fixture?.brokenBodies.withLock { $0.append("\(error)") }
                throw error
            }
            return .text("\(size) \(count > 1) \(digest.finish().short)")
        }
        router.route(.put, "/refuse", takesPieces: true) { _ in .text("no", status: .forbidden) }
        router.get("/wait") { _ in
            await gate.wait()
            return .text("done")
        }
        router.route(.get, "/brief/{turns:int}", isBrief: true) { request in
            for _ in 0..<(try request.parameter("turns", as: Int.self)) {
                await gate.wait()
                await Task.yield()
                box.fixture?.briefThreads.withLock { $0.append(UInt(pthread_self())) }
            }
            box.fixture?.briefEnds.wrappingAdd(1, ordering: .relaxed)
            return .text("brief")
        }
        router.get("/big") { _ in .bytes([UInt8](repeating: 120, count: 4 << 20), contentType: "text/plain") }
        router.get("/count") { _ in
            .stream(contentType: "text/plain") { writer in
                for number in 0..<5 { try await writer.write("\(number)\n") }
            }
        }
        router.get("/broken-stream") { _ in
            .stream(contentType: "text/plain") { writer in
                try await writer.write("part")
                throw HTTPFailure.badTarget("planted")
            }
        }
        router.get("/endless") { _ in
            .stream(contentType: "text/plain") { writer in
                defer { box.fixture?.streamStopped.store(true, ordering: .relaxed) }
                while true {
                    try await writer.write([UInt8](repeating: 46, count: 16384))
                    box.fixture?.streamed.wrappingAdd(16384, ordering: .relaxed)
                }
            }
        }
        router.get("/silent") { _ in
            .stream(contentType: "text/plain") { writer in
                defer { box.fixture?.streamStopped.store(true, ordering: .relaxed) }
                try await writer.write("started\n")
                try await Task.sleep(for: .seconds(600))
            }
        }
        router.inline(.post, "/fast/{name}/{version:int}") { exchange in
            if exchange.parameterText(0) == "fall" { return false }
            let text = "\(exchange.parameterText(0)) \(exchange.parameterText(1)) \(exchange.body.count)"
            exchange.reply(.ok, contentType: "text/plain", headers: ["X-Fast": "yes"], capacity: text.utf8.count) {
                room in
                room.copyBytes(from: text.utf8)
                return text.utf8.count
            }
            return true
        }
        router.post("/fast/{name}/{version:int}") { request in .text("slow \(try request.parameter("name"))") }
        router.inline(.get, "/static") { exchange in
            let text: StaticString = "{\"ok\":true}"
            text.withUTF8Buffer { exchange.reply(.ok, contentType: "application/json", UnsafeRawBufferPointer($0)) }
            return true
        }
        port = try server.start()
        box.fixture = self
    }

    func socket() throws -> RawSocket { try RawSocket(port: port) }

    /// A client with one connection, whose thread is its own.
    func client(timeout: Double = 30) throws -> HTTPClient {
        try HTTPClient(baseURL: "http://127.0.0.1:\(port)", connections: 1, timeout: timeout)
    }

    /// What the server answers to raw bytes, to the end of the connection.
    func answer(to request: String) async throws -> String {
        let socket = try socket()
        socket.send(request)
        return try await socket.rest()
    }

    func status(of request: String) async throws -> String {
        String(try await answer(to: request).dropFirst(9).prefix(3))
    }

    private final class Box: @unchecked Sendable {
        weak var fixture: ServerFixture?
    }
}

/// Holds handlers back until it is opened.
final class Gate: Sendable {
    private struct State {
        var open = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var waiters: Int { state.withLock { $0.waiting.count } }

    func wait() async {
        await withCheckedContinuation { continuation in
            let open = state.withLock { state in
                if !state.open { state.waiting.append(continuation) }
                return state.open
            }
            if open { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            state.open = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
