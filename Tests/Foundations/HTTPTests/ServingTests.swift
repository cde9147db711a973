import Basics
import Foundation
import HTTP
import Telemetry
import Testing

struct ServingTests {
    private static func text(_ response: HTTPResponse) -> String {
        guard case .bytes(let bytes) = response.body else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("Inline routes answer in place, fall through, and leave escapes to the slower route")
    func inline() async throws {
        let fixture = try ServerFixture()
        let connection = try fixture.client()
        let fast = try await connection.send(.post, "/fast/model/12?x=1", body: Array("hello".utf8))
        #expect(Self.text(fast) == "model 12 5")
        #expect(fast.headers["x-fast"] == "yes")
        #expect(Self.text(try await connection.send(.post, "/fast/fall/1")) == "slow fall")
        #expect(Self.text(try await connection.send(.post, "/fast/a%20b/1")) == "slow a b")
        #expect(try await connection.send(.post, "/fast/model/x").status == .notFound)
        #expect(try await connection.send(.get, "/fast/model/1").status == .methodNotAllowed)
        let counted =
            "modelworks_http_requests_total{method=\"POST\",route=\"/fast/{name}/{version:int}\",status=\"200\"} 3"
        #expect(fixture.metrics.prometheusText().contains(counted))
    }

    @Test("Request ids are passed on where they are sane")
    func requestIDs() async throws {
        let fixture = try ServerFixture()
        let connection = try fixture.client()
        #expect(
            try await connection.send(.get, "/hello", headers: ["X-Request-Id": "a-1"]).headers["x-request-id"] == "a-1"
        )
        let made = try await connection.send(.get, "/hello", headers: ["X-Request-Id": "a b"]).headers["x-request-id"]
        #expect(made?.count == 32)
    }

    @Test("A line break in a header value can not start another header")
    func headerInjection() async throws {
        let router = Router()
        router.get("/") { _ in HTTPResponse(headers: ["X-A": "b\r\nX-Evil: c", "Bad Name": "d", "Content-Length": "9"])
        }
        let server = HTTPServer(
            configuration: HTTPServerConfiguration(), router: router, log: .silent, metrics: MetricsRegistry())
        let connection = try HTTPClient(baseURL: "http://127.0.0.1:\(try server.start())")
        let answer = try await connection.send(.get, "/")
        #expect(answer.headers["X-A"] == "bX-Evil: c")
        #expect(answer.headers["X-Evil"] == nil)
        #expect(answer.headers["Content-Length"] == "0")
    }

    @Test("64 clients at once all get their own answers")
    func concurrency() async throws {
        let fixture = try ServerFixture()
        let client = try HTTPClient(baseURL: "http://127.0.0.1:\(fixture.port)", connections: 64)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in 0..<2000 {
                group.addTask {
                    let body = Array("\(number)".utf8)
                    let answer = try await client.send(number % 2 == 0 ? .post : .post, "/echo", body: body)
                    return try await answer.collect() == body
                }
            }
            for try await same in group { #expect(same) }
        }
    }

    @Test("Large bodies go both ways")
    func large() async throws {
        let fixture = try ServerFixture()
        let connection = try fixture.client()
        let body = (0..<(8 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        guard case .bytes(let echoed) = try await connection.send(.post, "/echo", body: body).body else { return }
        #expect(Digest(of: echoed) == Digest(of: body))
        #expect(Self.text(try await connection.send(.get, "/hello")) == "hello")
    }

    @Test("The client reconnects once where an idle connection was closed, and tells other ends apart")
    func client() async throws {
        let fixture = try ServerFixture { $0.idleTimeout = 0.1 }
        let connection = try fixture.client(timeout: 5)
        #expect(try await connection.send(.get, "/hello").status == .ok)
        #expect(await eventually { fixture.server.connections == 0 })
        #expect(try await connection.send(.get, "/hello").status == .ok)
        await #expect(throws: HTTPFailure.timedOut("http://127.0.0.1:\(fixture.port)", seconds: 0.1)) {
            try await connection.send(.get, "/wait", timeout: 0.1)
        }
        fixture.gate.open()
        await fixture.server.shutdown(drainSeconds: 5)
        let error = await #expect(throws: HTTPFailure.self) { try await connection.send(.get, "/hello") }
        #expect(error?.code == .unavailable)
        #expect(throws: HTTPFailure.self) { try HTTPConnection(url: "ftp://x") }
    }

    @Test("TLS both ways: a certificate that is trusted, one that is not, and plain text on a TLS port")
    func tls() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (chain, key) = (folder.appendingPathComponent("c.pem").path, folder.appendingPathComponent("k.pem").path)
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        openssl.arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", chain,
        ]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        let fixture = try ServerFixture { $0.certificate = .init(chainPath: chain, keyPath: key) }
        let url = "https://127.0.0.1:\(fixture.port)"
        let trusted = try HTTPClient(baseURL: url, connections: 1, timeout: 5, trust: .authority(path: chain))
        for _ in 0..<3 { #expect(Self.text(try await trusted.send(.get, "/hello")) == "hello") }
        #expect(Self.text(try await trusted.send(.get, "/count")) == "0\n1\n2\n3\n4\n")
        guard case .bytes(let big) = try await trusted.send(.get, "/big").body else { return }
        #expect(big.count == 4 << 20)
        #expect(fixture.server.connections == 1)
        let stranger = try HTTPClient(baseURL: url, connections: 1, timeout: 5)
        let error = await #expect(throws: HTTPFailure.self) { try await stranger.send(.get, "/hello") }
        #expect(error?.message.contains("self-signed") == true || error?.message.contains("self signed") == true)
        #expect(!(try await fixture.answer(to: "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")).contains("hello"))
        await fixture.server.shutdown(drainSeconds: 2)
        #expect(throws: HTTPFailure.self) {
            try ServerFixture { $0.certificate = .init(chainPath: key, keyPath: chain) }
        }
    }
}
