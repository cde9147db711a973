import Basics
import Foundation

/// A plain TCP client that sends exactly what it is told, for requests that no client library would send.
final class RawSocket: @unchecked Sendable {
    struct Broken: Error {}

    private let descriptor: Int32
    // Tests share the few threads of the cooperative pool with the handlers under test, and must not block them.
    private let thread = BlockingThread(name: "raw-socket")
    private var unread: [UInt8] = []

    init(port: Int, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var size = receiveBuffer { setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Broken() }
    }

    deinit { close(descriptor) }

    @discardableResult
    func send(_ text: String) -> Bool { send(Array(text.utf8)) }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// More bytes; nil at the end of the connection, `Broken` after the deadline.
    func receive(seconds: Double = 10) async throws -> [UInt8]? {
        try await thread.run { try self.receiveBlocking(seconds) }
    }

    private func receiveBlocking(_ seconds: Double) throws -> [UInt8]? {
        if !unread.isEmpty {
            defer { unread = [] }
            return unread
        }
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, Int32(seconds * 1000)) > 0 else { throw Broken() }
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = recv(descriptor, &bytes, bytes.count, 0)
        return count > 0 ? Array(bytes.prefix(count)) : nil
    }

    /// Everything up to the end of the connection.
    func rest(seconds: Double = 10) async throws -> String {
        var all: [UInt8] = []
        while let more = try await receive(seconds: seconds) { all += more }
        return String(decoding: all, as: UTF8.self)
    }

    /// Everything up to and with `mark`; what follows stays for the next call.
    func until(_ mark: String, seconds: Double = 10) async throws -> String {
        var all: [UInt8] = []
        let wanted = Array(mark.utf8)
        while let more = try await receive(seconds: seconds) {
            all += more
            if let range = all.firstRange(of: wanted) {
                unread = Array(all[range.upperBound...])
                return String(decoding: all[..<range.upperBound], as: UTF8.self)
            }
        }
        throw Broken()
    }
}

/// Waits for a condition that another thread brings about.
func eventually(seconds: Double = 10, _ condition: () -> Bool) async -> Bool {
    let clock = ContinuousClock()
    let end = clock.now + .seconds(seconds)
    while clock.now < end {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(2))
    }
    return condition()
}
