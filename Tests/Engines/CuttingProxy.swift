import Basics
import Foundation
import Synchronization

/// Stands between a client and a server on loopback, and cuts the connection at a moment of the test's choice.
public final class CuttingProxy: Sendable {
    /// Where a connection is cut.
    public enum Cut: Sendable {
        /// What the client sends with the mark in it does not reach the server.
        case beforeSending
        /// It reaches the server, whose answer does not reach the client.
        case beforeAnswer
    }

    /// Where the proxy listens.
    public let port: Int
    private let listener: Int32
    private let target: Int
    private let armed = Mutex<(mark: [UInt8], cut: Cut)?>(nil)
    private let count = Atomic<Int>(0)

    /// - Parameter target: the port of the server on loopback.
    public init(to target: Int) throws {
        self.target = target
        port = try freePort()
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        let port = port
        let listener = listener
        let bound = CuttingProxy.address(port) { bind(listener, $0, $1) }
        guard bound == 0, listen(listener, 16) == 0 else { throw EngineUnavailable("the proxy can not listen") }
        Thread.detachNewThread { [weak self] in
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0, let self else { return }
                self.serve(client)
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// Cuts the next connection whose client sends `mark`; once.
    public func cut(_ cut: Cut, at mark: String) { armed.withLock { $0 = (Array(mark.utf8), cut) } }

    /// How many connections were cut.
    public var cuts: Int { count.load(ordering: .acquiring) }

    private func serve(_ client: Int32) {
        let server = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard CuttingProxy.address(target, { connect(server, $0, $1) }) == 0 else {
            close(client)
            close(server)
            return
        }
        Thread.detachNewThread { [self] in pump(client, server) }
    }

    private func pump(_ client: Int32, _ server: Int32) {
        defer {
            close(client)
            close(server)
        }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            var ends = [
                pollfd(fd: client, events: Int16(POLLIN), revents: 0),
                pollfd(fd: server, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&ends, 2, -1) > 0 else { return }
            for (index, (from, to)) in [(client, server), (server, client)].enumerated()
            where ends[index].revents != 0 {
                let size = recv(from, &buffer, buffer.count, 0)
                guard size > 0 else { return }
                let cut = index == 0 ? taken(buffer[..<size]) : nil
                if cut == .beforeSending { return }
                guard CuttingProxy.sendAll(buffer[..<size], to) else { return }
                if cut == .beforeAnswer {
                    _ = recv(server, &buffer, buffer.count, 0)
                    return
                }
            }
        }
    }

    private func taken(_ bytes: ArraySlice<UInt8>) -> Cut? {
        armed.withLock { armed in
            guard let (mark, cut) = armed, bytes.firstRange(of: mark) != nil else { return nil }
            armed = nil
            count.wrappingAdd(1, ordering: .acquiringAndReleasing)
            return cut
        }
    }

    private static func sendAll(_ bytes: ArraySlice<UInt8>, _ descriptor: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let size = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard size > 0 else { return false }
            rest = rest.dropFirst(size)
        }
        return true
    }

    private static func address(_ port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(clamping: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
