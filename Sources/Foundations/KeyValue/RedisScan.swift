import Basics
import Telemetry

/// Walks all keys of the servers.
struct RedisScan {
    let servers: RedisServers
    /// Keys asked for at once.
    static let batch = 500

    /// The keys that start with `prefix`, ascending, each once.
    func keys(_ prefix: [UInt8]) throws -> [[UInt8]] {
        var found: Set<[UInt8]> = []
        let pattern = Self.pattern(prefix)
        for node in try servers.masters(RedisServers.deadline(servers.settings.readMilliseconds)) {
            var cursor: [UInt8] = [UInt8(ascii: "0")]
            repeat {
                let deadline = RedisServers.deadline(servers.settings.readMilliseconds)
                cursor = try node.use(deadline) { connection in
                    try connection.begin(6)
                    try connection.word("SCAN")
                    try connection.word(cursor)
                    try connection.word("MATCH")
                    try connection.word(pattern)
                    try connection.word("COUNT")
                    try connection.word("1000")
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
                    for index in 0..<keys.count {
                        if let key = keys[index]?.bytes { found.insert([UInt8](key)) }
                    }
                    return [UInt8](next)
                }
            } while cursor != [UInt8(ascii: "0")]
        }
        return found.sorted { $0.lexicographicallyPrecedes($1) }
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
