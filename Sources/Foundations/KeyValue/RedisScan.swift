import Basics
import Foundation
import Telemetry

/// Walks all keys of the servers.
struct RedisScan {
    let servers: RedisServers
    /// Keys asked for at once.
    static let batch = 500
    /// Where the walk of a node begins and ends.
    static let start: [UInt8] = [UInt8(ascii: "0")]

    /// Keys in ascending order of their bytes.
    static func sorted(_ keys: Set<[UInt8]>) -> [[UInt8]] {
        keys.sorted { left, right in
            let order = left.withUnsafeBytes { left in
                right.withUnsafeBytes { right -> Int32 in
                    guard let first = left.baseAddress, let second = right.baseAddress else { return 0 }
                    return memcmp(first, second, min(left.count, right.count))
                }
            }
            return order == 0 ? left.count < right.count : order < 0
        }
    }

    /// The keys that start with `prefix`; a server may tell one twice.
    func keys(_ prefix: [UInt8]) throws -> Set<[UInt8]> {
        var found: Set<[UInt8]> = []
        let pattern = Self.pattern(prefix)
        for node in try servers.masters(RedisServers.deadline(servers.settings.readMilliseconds)) {
            var cursor = Self.start
            repeat {
                let (next, keys) = try step(node, cursor, pattern, count: 1000)
                found.formUnion(keys)
                cursor = next
            } while cursor != Self.start
        }
        return found
    }

    /// One step of a node's walk.
    /// - Parameters:
    ///   - cursor: where it goes on.
    ///   - count: about how many keys of the node to look at.
    /// - Returns: where the next step goes on, `start` at the end, and the keys that match.
    func step(
        _ node: RedisNode, _ cursor: [UInt8], _ pattern: [UInt8], count: Int
    ) throws -> (next: [UInt8], keys: [[UInt8]]) {
        let deadline = RedisServers.deadline(servers.settings.readMilliseconds)
        return try node.use(deadline) { connection in
            try connection.begin(6)
            try connection.word("SCAN")
            try connection.word(cursor)
            try connection.word("MATCH")
            try connection.word(pattern)
            try connection.word("COUNT")
            try connection.word(Array(String(max(1, count)).utf8))
            try connection.send(deadline)
            servers.metrics.roundTrips.increment()
            let reply = try connection.next(deadline)
            if let error = reply.error {
                throw RedisErrorReply(error, store: servers.settings.name, from: node.address.host)
                    .failure(servers.settings.name)
            }
            guard let next = reply[0]?.bytes, let keys = reply[1] else {
                throw KeyValueFailure.engine(
                    path: servers.settings.name, action: "walking the keys", reason: "unexpected reply")
            }
            return ([UInt8](next), (0..<keys.count).compactMap { keys[$0]?.bytes.map { [UInt8]($0) } })
        }
    }

    /// A pattern that all keys with this beginning match, and no others.
    static func pattern(_ prefix: [UInt8]) -> [UInt8] {
        var pattern: [UInt8] = []
        for byte in prefix {
            if "*?[]\\".utf8.contains(byte) { pattern.append(UInt8(ascii: "\\")) }
            pattern.append(byte)
        }
        return pattern + [UInt8(ascii: "*")]
    }
}
