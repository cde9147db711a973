import Engines
import Foundation

/// A server on loopback that says what a test wants, or nothing at all.
final class Pretender: Sendable {
    let port: Int
    private let descriptor: Int32

    /// - Parameter answer: to what a client has sent; nil takes connections and never says a word.
    init(_ answer: (@Sendable ([UInt8]) -> [UInt8])? = nil) throws {
        port = try freePort()
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var on: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, length) }
        }
        guard status == 0, listen(descriptor, 64) == 0 else { throw EngineUnavailable("port \(port) can not be had") }
        guard let answer else { return }
        let listener = descriptor
        Thread.detachNewThread {
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                Thread.detachNewThread {
                    var buffer = [UInt8](repeating: 0, count: 4096)
                    while true {
                        let count = recv(client, &buffer, buffer.count, 0)
                        guard count > 0 else { break }
                        let reply = answer(Array(buffer.prefix(count)))
                        guard send(client, reply, reply.count, Int32(MSG_NOSIGNAL)) == reply.count else {
                            break
                        }
                    }
                    close(client)
                }
            }
        }
    }

    deinit {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }

    /// Speaks as much of PostgreSQL's protocol as tells a version.
    static func postgres(_ version: String) throws -> Pretender {
        try Pretender { _ in
            let setting = Array("server_version\0\(version)\0".utf8)
            return [UInt8(ascii: "R"), 0, 0, 0, 8, 0, 0, 0, 0]
                + [UInt8(ascii: "S"), 0, 0, 0, UInt8(clamping: setting.count + 4)] + setting
                + [UInt8(ascii: "Z"), 0, 0, 0, 5, UInt8(ascii: "I")]
        }
    }

    /// Speaks as much of Redis's protocol as tells a version.
    static func redis(_ version: String) throws -> Pretender {
        try Pretender { request in
            let text = String(decoding: request, as: UTF8.self).uppercased()
            let info = "# Server\r\nredis_version:\(version)\r\nredis_mode:standalone\r\n"
            let commands = text.split(separator: "\r\n").filter { $0 == "INFO" || $0 == "CLIENT" || $0 == "PING" }
            let replies = commands.map { $0 == "INFO" ? "$\(info.utf8.count)\r\n\(info)\r\n" : "+OK\r\n" }
            return Array((replies.isEmpty ? "+OK\r\n" : replies.joined()).utf8)
        }
    }
}
