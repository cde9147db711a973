import Basics
import Engines
import Foundation
import Synchronization

/// A request as it came over the wire.
struct WireRequest: Sendable {
    let method: String
    let target: String
    /// By name in lower case.
    let headers: [String: String]
    let body: [UInt8]
}

/// Stands between a client and a server, and breaks what it is told to. It checks the signature of every request.
final class FaultProxy: Sendable {
    enum Fault: Sendable {
        /// Hands the request on and the answer back.
        case none
        /// Hands the request on without these headers.
        case without([String])
        case answer(Int, headers: [String: String], body: String)
        /// Hands back the head of the answer and only so many bytes of the body.
        case cut(Int)
        /// Closes the connection with a reset, before the request goes on.
        case reset
        /// Hands the request on and loses the answer.
        case lose
        /// Hands back the head of the answer, and then a byte each tenth of a second.
        case trickle
        /// Answers nothing as long as the client waits.
        case stall
    }

    // `POLLRDHUP` of poll(2), which Glibc's module does not show.
    private static let hangUp: Int16 = 0x2000

    let port: Int
    private let listener: Int32
    private let seen = Mutex<[WireRequest]>([])
    private let forged = Mutex<[String]>([])

    /// - Parameters:
    ///   - upstream: the port of the real server; 0 where nothing is handed on.
    ///   - secret: the key that requests must be signed with.
    ///   - plan: what to do with a request, by its number from 0.
    init(
        upstream: Int, secret: String = "sesame/+open", plan: @escaping @Sendable (Int, WireRequest) -> Fault
    ) throws {
        port = try freePort()
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var yes: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = FaultProxy.address(port)
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0, listen(listener, 64) == 0 else { throw EngineUnavailable("the proxy can not listen") }
        self.listener = listener
        Thread.detachNewThread { [weak self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0, let self else { break }
                Thread.detachNewThread {
                    self.serve(client, upstream, secret, plan)
                    close(client)
                }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    var requests: [WireRequest] { seen.withLock { $0 } }

    /// Requests whose signature was wrong.
    var forgeries: [String] { forged.withLock { $0 } }

    var endpoint: String { "http://127.0.0.1:\(port)" }

    private func serve(
        _ client: Int32, _ upstream: Int, _ secret: String, _ plan: @Sendable (Int, WireRequest) -> Fault
    ) {
        guard let (head, rest) = FaultProxy.head(client) else { return }
        let headers = FaultProxy.headers(head)
        let first = head.split(separator: "\r\n").first?.split(separator: " ").map(String.init) ?? []
        guard first.count == 3 else { return }
        if headers["expect"] != nil { FaultProxy.send(client, Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)) }
        var body = rest
        let length = headers["content-length"].flatMap { Int($0) } ?? 0
        while body.count < length, let more = FaultProxy.receive(client) { body += more }
        let request = WireRequest(method: first[0], target: first[1], headers: headers, body: body)
        if SignatureOracle.expected(request, secret: secret) != SignatureOracle.given(request) {
            forged.withLock { $0.append("\(request.method) \(request.target)") }
        }
        if let sum = headers["x-amz-content-sha256"], sum != Digest(of: body).hex {
            forged.withLock { $0.append("\(request.method) \(request.target): body") }
        }
        let number = seen.withLock { seen in
            seen.append(request)
            return seen.count - 1
        }
        switch plan(number, request) {
        case .none: FaultProxy.send(client, FaultProxy.forward(request, upstream))
        case .without(let names):
            FaultProxy.send(client, FaultProxy.forward(request, upstream, without: Set(names)))
        case .answer(let status, let headers, let body):
            let lines = headers.map { "\($0): \($1)\r\n" }.joined()
            FaultProxy.send(
                client,
                Array(
                    "HTTP/1.1 \(status) X\r\n\(lines)Connection: close\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
                        .utf8))
        case .cut(let count):
            let answer = FaultProxy.forward(request, upstream)
            FaultProxy.send(client, Array(answer.prefix(FaultProxy.bodyStart(answer) + count)))
        case .reset: FaultProxy.reset(client)
        case .lose:
            _ = FaultProxy.forward(request, upstream)
            FaultProxy.reset(client)
        case .trickle:
            let answer = FaultProxy.forward(request, upstream)
            var start = FaultProxy.bodyStart(answer)
            FaultProxy.send(client, Array(answer.prefix(start)))
            while start < answer.count, FaultProxy.send(client, [answer[start]]) {
                start += 1
                var waiting = pollfd(fd: client, events: FaultProxy.hangUp, revents: 0)
                if poll(&waiting, 1, 100) > 0 { break }
            }
        case .stall:
            var waiting = pollfd(fd: client, events: FaultProxy.hangUp, revents: 0)
            poll(&waiting, 1, 20_000)
        }
    }

    private static func forward(_ request: WireRequest, _ port: Int, without: Set<String> = []) -> [UInt8] {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(server) }
        var address = address(port)
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { return [] }
        let dropped = without.union(["expect", "connection"])
        let lines = request.headers.filter { !dropped.contains($0.key) }.map { "\($0): \($1)\r\n" }.joined()
        send(server, Array("\(request.method) \(request.target) HTTP/1.1\r\n\(lines)Connection: close\r\n\r\n".utf8))
        send(server, request.body)
        var answer: [UInt8] = []
        while let more = receive(server) { answer += more }
        return answer
    }

    private static func head(_ descriptor: Int32) -> (String, [UInt8])? {
        var bytes: [UInt8] = []
        while let more = receive(descriptor) {
            bytes += more
            let start = bodyStart(bytes)
            if start > 0 {
                return (String(decoding: bytes.prefix(start), as: UTF8.self), Array(bytes.dropFirst(start)))
            }
        }
        return nil
    }

    private static func headers(_ head: String) -> [String: String] {
        var result: [String: String] = [:]
        for line in head.split(separator: "\r\n").dropFirst() {
            let halves = line.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
            if halves.count == 2 { result[halves[0].lowercased()] = halves[1] }
        }
        return result
    }

    /// Where the body of a message begins; 0 where its head is not whole.
    private static func bodyStart(_ bytes: [UInt8]) -> Int {
        guard bytes.count >= 4 else { return 0 }
        for index in 0...(bytes.count - 4) where bytes[index] == 13 && bytes[index + 1] == 10 {
            if bytes[index + 2] == 13, bytes[index + 3] == 10 { return index + 4 }
        }
        return 0
    }

    private static func receive(_ descriptor: Int32) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? Array(buffer[..<count]) : nil
    }

    @discardableResult
    private static func send(_ descriptor: Int32, _ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    private static func reset(_ descriptor: Int32) {
        var abort = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &abort, socklen_t(MemoryLayout<linger>.size))
    }

    private static func address(_ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
