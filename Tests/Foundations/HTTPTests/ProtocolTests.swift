import Foundation
import HTTP
import Telemetry
import Testing

/// RFC 9112 on real sockets: what is answered, refused and kept open.
struct ProtocolTests {
    @Test(
        "Malformed and ambiguous requests are refused and the connection is closed",
        arguments: [
            ("GARBAGE\r\n\r\n", "400"),
            ("GET /hello\r\n\r\n", "400"),
            ("GET /hello HTTP/1.1\r\nHost: a\r\nBad Header: x\r\n\r\n", "400"),
            ("GET /hello HTTP/1.1\r\nHost: a\r\nX : x\r\n\r\n", "400"),
            ("GET /hello HTTP/1.1\r\n\r\n", "400"),
            ("GET /hello HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"),
            ("GET /hello HTTP/2.7\r\nHost: a\r\n\r\n", "505"),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "400"),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "400"),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc", "400"),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400"),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc", "400"),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\n", "400"),
            (
                "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                "400"
            ),
            (
                "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
                "400"
            ),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "501"),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "501"),
            ("POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n", "400"),
            ("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: a-miracle\r\nContent-Length: 1\r\n\r\nx", "417"),
        ])
    func refused(request: String, status: String) async throws {
        let fixture = try ServerFixture()
        let answer = try await fixture.answer(to: request)
        #expect(answer.dropFirst(9).prefix(3) == status, "\(answer)")
        #expect(answer.contains("Connection: close"))
    }

    @Test("A smuggled second request is never answered")
    func smuggling() async throws {
        let fixture = try ServerFixture()
        let answer = try await fixture.answer(
            to: "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "0\r\n\r\nGET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(answer.components(separatedBy: "HTTP/1.1 ").count == 2)
        #expect(!answer.contains("hello"))
    }

    @Test("A trailer can not add a header")
    func trailer() async throws {
        let fixture = try ServerFixture()
        let answer = try await fixture.answer(
            to: "POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                + "3\r\nabc\r\n0\r\nX-Request-Id: from-trailer\r\n\r\n")
        #expect(answer.contains("200 OK"))
        #expect(answer.hasSuffix("\r\n\r\nabc"))
        #expect(!answer.contains("from-trailer"))
    }

    @Test("Header and body limits, also for chunks and for a length that is only announced")
    func limits() async throws {
        let fixture = try ServerFixture {
            $0.headerLimit = 2048
            $0.bodyLimit = 1000
        }
        let long = String(repeating: "x", count: 4000)
        #expect(try await fixture.status(of: "GET /hello HTTP/1.1\r\nHost: a\r\nX-Long: \(long)\r\n\r\n") == "431")
        #expect(try await fixture.status(of: "GET /\(long) HTTP/1.1\r\nHost: a\r\n\r\n") == "431")
        #expect(
            try await fixture.status(of: "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1073741824\r\n\r\n")
                == "413")
        #expect(
            try await fixture.status(of: "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n\(long)")
                == "413")
        let chunks = String(repeating: "64\r\n\(String(repeating: "y", count: 100))\r\n", count: 20)
        #expect(
            try await fixture.status(
                of: "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(chunks)0\r\n\r\n")
                == "413")
        let text = fixture.metrics.prometheusText()
        #expect(text.contains("modelworks_http_refused_total{status=\"413\"} 3"))
        #expect(text.contains("modelworks_http_refused_total{status=\"431\"} 2"))
    }

    @Test("Requests share a connection, also when sent all at once")
    func keepAliveAndPipelining() async throws {
        let fixture = try ServerFixture()
        let socket = try fixture.socket()
        for _ in 0..<3 {
            socket.send("GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try await socket.until("hello").hasPrefix("HTTP/1.1 200 OK\r\n"))
        }
        var many = ""
        for number in 0..<100 {
            many += "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n<\(100 + number)"
            many += "GET /static HTTP/1.1\r\nHost: a\r\n\r\n"
        }
        socket.send(many)
        for number in 0..<100 {
            #expect(try await socket.until("<\(100 + number)").hasPrefix("HTTP/1.1 200 OK\r\n"))
            _ = try await socket.until("{\"ok\":true}")
        }
        socket.send("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        #expect(try await socket.rest().hasSuffix("hello"))
    }

    @Test("A request in pieces of one byte is read")
    func pieces() async throws {
        let fixture = try ServerFixture()
        let socket = try fixture.socket()
        for byte
            in "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
            .utf8
        {
            socket.send([byte])
        }
        #expect(try await socket.until("abcde").contains("Content-Length: 5\r\n"))
    }

    @Test("HEAD has the headers of GET and no body")
    func head() async throws {
        let fixture = try ServerFixture()
        for path in ["/hello", "/count"] {
            let answer = try await fixture.answer(to: "HEAD \(path) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.hasSuffix("\r\n\r\n"))
            if path == "/hello" { #expect(answer.contains("Content-Length: 5\r\n")) }
        }
    }

    @Test("Expect: 100-continue is answered before the body comes, and not where the body is refused")
    func expectContinue() async throws {
        let fixture = try ServerFixture { $0.bodyLimit = 100 }
        let socket = try fixture.socket()
        socket.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        #expect(try await socket.until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n")
        socket.send("hello")
        #expect(try await socket.until("hello").hasPrefix("HTTP/1.1 200 OK"))
        #expect(
            try await fixture.status(
                of: "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 500\r\n\r\n") == "413")
    }

    @Test("HTTP/1.0 closes unless asked to keep alive")
    func oldVersion() async throws {
        let fixture = try ServerFixture()
        #expect(try await fixture.answer(to: "GET /hello HTTP/1.0\r\n\r\n").hasSuffix("hello"))
        let stream = try await fixture.answer(to: "GET /count HTTP/1.0\r\n\r\n")
        #expect(stream.hasSuffix("\r\n\r\n0\n1\n2\n3\n4\n"))
        #expect(!stream.contains("chunked"))
        let socket = try fixture.socket()
        socket.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        #expect(try await socket.until("hello").contains("Connection: keep-alive"))
    }
}
