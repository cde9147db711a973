import Basics
import Foundation

/// Changes that look at the stamps of what is stored, on the server.
struct RedisNewer {
    let servers: RedisServers
    let table: KeyValueTable

    /// Puts the rows of a batch whose stamp is not below that of what is stored.
    func put(
        _ batch: KeyValueBatch, _ rows: Range<Int>, replacingEqual: Bool, deadline: UInt64
    ) throws -> KeyValuePutCount {
        let put = try batch.bytes.withUnsafeBytes { bytes in
            try table.prefix.withUnsafeBytes { prefix in
                let rows = batch.rows[rows]
                return try RedisScriptRun(servers: servers, deadline: deadline).run(
                    rows.count, slot: { servers.slot(prefix, batch.key(of: rows[rows.startIndex + $0], in: bytes)) },
                    bytes: { rows[rows.startIndex + $0].keyCount + rows[rows.startIndex + $0].valueCount },
                    add: { keys, isKnown, connection in
                        let isDated = keys.contains { rows[rows.startIndex + $0].expiresAt != 0 }
                        try RedisScript.putNewer.begin(
                            on: connection, keys: keys.count, arguments: 1 + (isDated ? 2 : 1) * keys.count,
                            isKnown: isKnown)
                        for index in keys {
                            try connection.word(prefix, batch.key(of: rows[rows.startIndex + index], in: bytes))
                        }
                        try connection.word(replacingEqual ? "1" : "0")
                        for index in keys {
                            let row = rows[rows.startIndex + index]
                            try connection.word(
                                batch.value(of: row, in: bytes), UnsafeRawBufferPointer(start: nil, count: 0))
                        }
                        guard isDated else { return }
                        for index in keys {
                            try connection.word(Array(String(rows[rows.startIndex + index].expiresAt).utf8))
                        }
                    })
            }
        }
        return KeyValuePutCount(put: put, skipped: rows.count - put)
    }

    /// One step of a sweep: walks about `limit` keys of the servers, of whatever table, and deletes ours with a smaller
    /// stamp.
    ///
    /// The place it has come to is the address of a node and where the node's own walk stands.
    func sweep(
        prefix: [UInt8], olderThan stamp: KeyValueStamp, limit: Int, from position: [UInt8]?
    ) throws -> KeyValueSweep {
        let walk = RedisScan(servers: servers)
        let pattern = RedisScan.pattern(table.prefix + prefix)
        var nodes = try servers.masters(RedisServers.deadline(servers.settings.readMilliseconds))
            .sorted { $0.address < $1.address }[...]
        var cursor = RedisScan.start
        if let position {
            let (address, place) = try read(position)
            // A node that has left the cluster gave its keys to others, which later sweeps look at.
            nodes = nodes.drop { $0.address < address }
            if nodes.first?.address == address { cursor = place }
        }
        var (walked, examined, deleted) = (0, 0, 0)
        while let node = nodes.first, walked < limit {
            let step = min(1000, limit - walked)
            let (next, keys) = try walk.step(node, cursor, pattern, count: step)
            walked += step
            examined += keys.count
            if !keys.isEmpty { deleted += try delete(keys, olderThan: stamp) }
            cursor = next
            if cursor == RedisScan.start { nodes = nodes.dropFirst() }
        }
        let next = nodes.first.map { Array("\($0.address) ".utf8) + cursor }
        return KeyValueSweep(examined: examined, deleted: deleted, next: next)
    }

    private func delete(_ keys: [[UInt8]], olderThan stamp: KeyValueStamp) throws -> Int {
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        let deadline = RedisServers.deadline(servers.settings.writeMilliseconds)
        return try RedisScriptRun(servers: servers, deadline: deadline).run(
            keys.count, slot: { index in keys[index].withUnsafeBytes { servers.slot($0, empty) } },
            bytes: { keys[$0].count },
            add: { indices, isKnown, connection in
                try RedisScript.deleteOlder.begin(
                    on: connection, keys: indices.count, arguments: 1, isKnown: isKnown)
                for index in indices { try connection.word(keys[index]) }
                try connection.word(stamp.bytes)
            })
    }

    private func read(_ position: [UInt8]) throws -> (RedisAddress, [UInt8]) {
        let words = String(decoding: position, as: UTF8.self).split(separator: " ")
        guard words.count == 2, let address = RedisAddress(words[0], defaultPort: 0), UInt64(words[1]) != nil else {
            throw KeyValueFailure.position(store: servers.settings.name)
        }
        return (address, Array(words[1].utf8))
    }
}
