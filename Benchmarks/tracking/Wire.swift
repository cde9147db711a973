import Engines
import Foundation

/// One connection to a server, kept open from request to request, with as little of its own cost as a client can have.
final class Wire {
    /// What was answered.
    struct Reply {
        var status: Int
        var body: [UInt8]
    }

    private let descriptor: Int32
    private let port: Int
    private let acknowledgesAtOnce: Bool
    private var received: [UInt8] = []
    private var buffer = [UInt8](repeating: 0, count: 256 << 10)

    /// - Parameter acknowledgesAtOnce: whether the kernel is told to acknowledge each segment at once. An ordinary client
    ///   does not: where a server sends an answer in two writes and lets the second wait for the acknowledgement of the
    ///   first, it waits for about 40 ms more.
    init(port: Int, acknowledgesAtOnce: Bool = true) throws {
        self.port = port
        self.acknowledgesAtOnce = acknowledgesAtOnce
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        guard status == 0 else {
            close(descriptor)
            throw EngineUnavailable("no connection to port \(port): \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }

    /// Sends a JSON body and returns the answer, which must be 200.
    @discardableResult
    func post(_ path: String, _ body: String) throws -> Reply { try exchange("POST", path, body) }

    @discardableResult
    func get(_ path: String) throws -> Reply { try exchange("GET", path, "") }

    private func exchange(_ method: String, _ path: String, _ body: String) throws -> Reply {
        let head =
            "\(method) \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n"
        try send(Array((head + body).utf8))
        let reply = try receive()
        guard reply.status == 200 else {
            throw EngineUnavailable(
                "\(method) \(path) answered \(reply.status): \(String(decoding: reply.body.prefix(500), as: UTF8.self))"
            )
        }
        return reply
    }

    private func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { raw in
                Foundation.send(
                    descriptor, raw.baseAddress?.advanced(by: sent), raw.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw EngineUnavailable("the server on port \(port) takes nothing") }
            sent += count
        }
    }

    private func receive() throws -> Reply {
        received.removeAll(keepingCapacity: true)
        var end: Int?
        while end == nil {
            let old = max(0, received.count - 3)
            try fill()
            end = received[old...].indices.first { index in
                index + 3 < received.count && received[index] == 13 && received[index + 1] == 10
                    && received[index + 2] == 13 && received[index + 3] == 10
            }
        }
        let start = (end ?? 0) + 4
        let head = String(decoding: received[..<start], as: UTF8.self).lowercased()
        let status = head.split(separator: " ", maxSplits: 2).dropFirst().first.flatMap { Int($0) } ?? 0
        if head.contains("transfer-encoding: chunked") { return Reply(status: status, body: try chunks(from: start)) }
        let length =
            head.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
            .flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) } ?? 0
        while received.count < start + length { try fill() }
        return Reply(status: status, body: Array(received[start..<(start + length)]))
    }

    private func chunks(from start: Int) throws -> [UInt8] {
        var body: [UInt8] = []
        var place = start
        func line() throws -> String {
            while true {
                if let stop = received[place...].firstIndex(of: 10) {
                    defer { place = stop + 1 }
                    return String(decoding: received[place..<stop].filter { $0 != 13 }, as: UTF8.self)
                }
                try fill()
            }
        }
        while true {
            guard let size = Int(try line(), radix: 16) else { throw EngineUnavailable("a malformed chunk") }
            while received.count < place + size + 2 { try fill() }
            body += received[place..<(place + size)]
            place += size + 2
            if size == 0 { return body }
            if place > 4 << 20 {
                received.removeFirst(place)
                place = 0
            }
        }
    }

    private func fill() throws {
        if acknowledgesAtOnce {
            var on: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_QUICKACK, &on, socklen_t(MemoryLayout<Int32>.size))
        }
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { throw EngineUnavailable("the server on port \(port) closed the connection") }
        received.append(contentsOf: buffer[..<count])
    }
}
