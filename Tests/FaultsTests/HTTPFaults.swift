import Basics
import Foundation
import HTTP
import TestSupport
import Testing

/// Requests that are wrong, huge or slow get a clear answer and disturb nobody.
@Suite(.serialized) struct HTTPFaults {
    /// A server with an endpoint that answers, and the factory behind it.
    private static func ready() throws -> (factory: SeededFactory, server: Server) {
        let factory = try SeededFactory(seed: KillTrial.seed, requests: 300)
        try factory.prepare()
        return (factory, try Server(root: factory.root, logs: factory.folder.path))
    }

    private static func answersAll(_ server: Server, _ factory: SeededFactory, _ count: Int) throws -> Bool {
        let connection = try HTTPConnection(url: server.url)
        return try factory.orders.prefix(count).allSatisfy { order in
            try connection.send(.post, SeededFactory.inferPath, body: SeededFactory.infer(order)).status == .ok
        }
    }

    private static let good =
        #"{"id":"a","inputs":[{"name":"shop","datatype":"BYTES","shape":[1],"data":["shop-1"]},{"name":"amount","datatype":"FP64","shape":[1],"data":[AMOUNT]}]}"#

    @Test("malformed and misshapen requests are told what is wrong with them", .timeLimit(.minutes(2)))
    func badRequests() async throws {
        try await onThread("bad-requests") {
            let (factory, server) = try Self.ready()
            let connection = try HTTPConnection(url: server.url)
            let valid = Self.good.replacingOccurrences(of: "AMOUNT", with: "1.5")
            let infer = SeededFactory.inferPath
            let many = Array(repeating: "1", count: 10_001).joined(separator: ",")
            let cases: [(path: String, body: String, status: Int, says: String)] = [
                (infer, "{\"id\":\"a\",\"inputs\":[", 400, ""),
                (infer, "", 400, ""),
                (infer, "[]", 400, ""),
                (infer, "null", 400, ""),
                (infer, "{\"inputs\":{}}", 400, ""),
                (infer, String(repeating: "[", count: 100_000), 400, ""),
                (infer, Self.good.replacingOccurrences(of: "AMOUNT", with: "NaN"), 400, ""),
                (infer, Self.good.replacingOccurrences(of: "AMOUNT", with: "Infinity"), 400, ""),
                (infer, Self.good.replacingOccurrences(of: "AMOUNT", with: "1e999"), 400, ""),
                (infer, Self.good.replacingOccurrences(of: "AMOUNT", with: "\"NaN\""), 400, "inputs[1].data[0]"),
                (infer, Self.good.replacingOccurrences(of: "AMOUNT", with: "1,2"), 400, ""),
                (
                    infer, valid.replacingOccurrences(of: "[1],\"data\":[1.5]", with: "[2],\"data\":[1,2]"), 400,
                    "2 values"
                ),
                (infer, valid.replacingOccurrences(of: "[1],\"data\":[1.5]", with: "[-1],\"data\":[1]"), 400, ""),
                (
                    infer,
                    valid.replacingOccurrences(of: "[1],\"data\":[\"shop-1\"]", with: "[10001],\"data\":[\(many)]"),
                    400, ""
                ),
                (infer, valid.replacingOccurrences(of: "\"amount\"", with: "\"amuont\""), 400, "'amount' is missing"),
                (
                    infer, valid.replacingOccurrences(of: "\"a\"", with: "\"\(String(repeating: "a", count: 241))\""),
                    400, "240"
                ),
                ("/v2/models/nobody/infer", valid, 404, "Known: orders"),
                ("/v2/models/orders/other", valid, 404, ""),
                ("/api/works/v1/clock", "{\"now\":\"yesterday\"}", 400, "RFC 3339"),
                ("/api/works/v1/endpoints/orders/labels", "{\"labels\":[{\"id\":\"a\",\"value\":NaN}]}", 400, ""),
                ("/api/works/v1/endpoints/orders/labels", "{\"labels\":7}", 400, "labels"),
                ("/api/works/v1/endpoints/orders/deploy", "{\"version\":\"orders/99\"}", 404, "version=99"),
                ("/api/works/v1/apply", "{\"root\":\"/\",\"files\":{\"works.yaml\":\"{name: [\"}}", 400, "works.yaml"),
            ]
            for item in cases {
                let response = try connection.send(.post, item.path, body: Array(item.body.utf8))
                let brief =
                    "\(item.path) \(item.body.prefix(120)): \(response.status.code) \(response.text.prefix(300))"
                #expect(response.status.code == item.status, "\(brief)")
                #expect(item.says.isEmpty || response.text.contains(item.says), "\(brief)")
                let told = try? JSON.decode(JSONValue.self, from: response.bytes)["error"]?.string
                #expect(told?.isEmpty == false, "\(brief)")
            }
            #expect(try connection.send(.post, infer, body: Array(valid.utf8)).status == .ok)
            #expect(try Self.answersAll(server, factory, 20))
            // None of the wrong ones has left a record.
            let totals = try API(url: server.url).get("/endpoints/orders/totals")
            #expect(totals["predictions"]?["distinct"]?.integer == 21)
            #expect(totals["labels"]?["distinct"]?.integer == 0)
        }
    }

    @Test("what is no HTTP, or too much of it, is refused at once", .timeLimit(.minutes(2)))
    func badBytes() async throws {
        try await onThread("bad-bytes") {
            let (factory, server) = try Self.ready()
            let line = "POST \(SeededFactory.inferPath) HTTP/1.1\r\nHost: a\r\n"
            let cases: [(bytes: String, status: String)] = [
                ("\(line)Content-Length: 1073741824\r\n\r\n", "413"),
                ("\(line)Content-Length: 1073741824\r\n\r\n{\"id\":", "413"),
                ("\(line)Content-Length: 99999999999999999999999\r\n\r\n", "4"),
                ("\(line)Content-Length: -1\r\n\r\n", "400"),
                ("\(line)Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "400"),
                ("\(line)Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", "400"),
                ("\(line)Transfer-Encoding: chunked\r\n\r\nZZZ\r\n", "400"),
                ("\(line)X-Long: \(String(repeating: "x", count: 40_000))\r\n\r\n", "431"),
                ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\r\n\r\n", "400"),
            ]
            for item in cases {
                let raw = try RawConnection(port: server.port)
                raw.send(item.bytes.utf8)
                let started = SystemTime.monotonicNanoseconds
                let answer = try raw.receive { $0.contains("\r\n\r\n") }
                #expect(SystemTime.monotonicNanoseconds - started < 2_000_000_000, "\(item.bytes.prefix(150))")
                #expect(answer.hasPrefix("HTTP/1.1 \(item.status)"), "\(item.bytes.prefix(150)): \(answer.prefix(200))")
            }
            // Connections that end in the middle of a request.
            for count in [1, 20, line.utf8.count, line.utf8.count + 22] {
                let raw = try RawConnection(port: server.port)
                raw.send("\(line)Content-Length: 99\r\n\r\n{".utf8.prefix(count))
            }
            #expect(try Self.answersAll(server, factory, 20))
            #expect(server.child.exitCode == nil)
        }
    }

    @Test("clients of one byte a second hold up nobody, and are cut off", .timeLimit(.minutes(2)))
    func slowClients() async throws {
        try await onThread("slow-clients") {
            let (factory, server) = try Self.ready()
            let slow = try (0..<40).map { _ in try RawConnection(port: server.port) }
            let bytes = Array(
                "POST \(SeededFactory.inferPath) HTTP/1.1\r\nHost: slow\r\nX-Filler: \(String(repeating: "z", count: 90))"
                    .utf8)
            let cut = DispatchSemaphore(value: 0)
            Thread {
                var open = slow
                for byte in bytes where !open.isEmpty {
                    // An answer or the connection's end makes it readable; until then a second passes between bytes.
                    if open.first?.readable(within: 1000) == true {
                        open = open.filter { !$0.readable(within: 0) }
                    }
                    for connection in open { connection.send([byte]) }
                }
                if open.isEmpty { cut.signal() }
            }.start()
            let started = SystemTime.monotonicNanoseconds
            #expect(try Self.answersAll(server, factory, 200))
            #expect(SystemTime.monotonicNanoseconds - started < 8_000_000_000)
            #expect(cut.wait(timeout: .now() + 40) == .success, "the slow clients are still connected")
            #expect(try Self.answersAll(server, factory, 20))
        }
    }
}
