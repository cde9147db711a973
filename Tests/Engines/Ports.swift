import Basics
import Foundation

/// A TCP port of the loopback interface that nothing listens on now.
public func freePort() throws -> Int {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw EngineUnavailable("no socket") }
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { address in
        address.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            bind(descriptor, pointer, length) == 0 ? getsockname(descriptor, pointer, &length) : -1
        }
    }
    guard status == 0 else { throw EngineUnavailable("no free port") }
    return Int(UInt16(bigEndian: address.sin_port))
}

/// Waits until a condition holds; blocks its thread.
/// - Throws: `EngineUnavailable` with `what` when it does not within `seconds`.
public func waitUntil(_ what: String, within seconds: Double = 30, _ condition: () throws -> Bool) throws {
    let deadline = SystemTime.monotonicNanoseconds + UInt64(seconds * 1e9)
    while try !condition() {
        guard SystemTime.monotonicNanoseconds < deadline else {
            throw EngineUnavailable("\(what): not within \(seconds) s")
        }
        usleep(2000)
    }
}

/// The words that run a program as another user where this process is root: PostgreSQL refuses to run as root.
public func asUser(_ user: String) -> [String] {
    getuid() == 0 ? ["setpriv", "--reuid=\(user)", "--regid=\(user)", "--init-groups", "--"] : []
}
