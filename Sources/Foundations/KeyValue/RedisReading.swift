import Basics
import Telemetry

/// Reads of a store in Redis: each call takes a connection of its own for as long as it lasts.
struct RedisReading: KeyValueReading {
    let servers: RedisServers

    func withValue<Result>(
        _ key: UnsafeRawBufferPointer, in table: KeyValueTable, _ body: (UnsafeRawBufferPointer?) throws -> Result
    ) throws -> Result {
        guard !key.isEmpty else { return try body(nil) }
        guard let node = servers.single else {
            var copy: [UInt8]?
            try withUnsafePointer(to: key) { key in
                try pipelined(UnsafeBufferPointer(start: key, count: 1), in: table) { _, value in
                    copy = value.map { [UInt8]($0) }
                }
            }
            guard let copy else { return try body(nil) }
            return try copy.withUnsafeBytes { try body($0) }
        }
        return try measured(1) { deadline in
            try node.use(deadline) { connection in
                try connection.begin(2)
                try connection.word("GET")
                try table.prefix.withUnsafeBytes { try connection.word($0, key) }
                try connection.send(deadline)
                servers.metrics.roundTrips.increment()
                return try body(value(connection.next(deadline)))
            }
        }
    }

    func withValues(
        _ keys: UnsafeBufferPointer<UnsafeRawBufferPointer>, in table: KeyValueTable,
        _ body: (Int, UnsafeRawBufferPointer?) throws -> Void
    ) throws {
        guard !keys.isEmpty else { return }
        guard let node = servers.single else { return try pipelined(keys, in: table, body) }
        try measured(keys.count) { deadline in
            try node.use(deadline) { connection in
                try connection.begin(keys.count + 1)
                try connection.word("MGET")
                try table.prefix.withUnsafeBytes { prefix in for key in keys { try connection.word(prefix, key) } }
                try connection.send(deadline)
                servers.metrics.roundTrips.increment()
                let reply = try connection.next(deadline)
                if let error = reply.error { throw failure(error) }
                // An empty key is none, as in every engine.
                for index in keys.indices { try body(index, keys[index].isEmpty ? nil : reply[index]?.bytes) }
            }
        }
    }

    func forEach(
        prefix: UnsafeRawBufferPointer, in table: KeyValueTable,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Bool
    ) throws {
        let found = try RedisScan(servers: servers).keys(table.prefix + [UInt8](prefix))
        var start = 0
        while start < found.count {
            let batch = Array(found[start..<min(start + RedisScan.batch, found.count)])
            let keys = batch.map { Array($0.dropFirst(table.prefix.count)) }
            for (key, value) in zip(keys, try values(keys, in: table)) {
                // Nil where it went since the keys were collected.
                guard let value else { continue }
                let goesOn = try key.withUnsafeBytes { key in try value.withUnsafeBytes { try body(key, $0) } }
                guard goesOn else { return }
            }
            start += batch.count
        }
    }

    /// One `GET` for each key, sent to all nodes concerned at once: a cluster redirects single keys.
    private func pipelined(
        _ keys: UnsafeBufferPointer<UnsafeRawBufferPointer>, in table: KeyValueTable,
        _ body: (Int, UnsafeRawBufferPointer?) throws -> Void
    ) throws {
        try measured(keys.count) { deadline in
            try table.prefix.withUnsafeBytes { prefix in
                var inDoubt = false
                try RedisPipeline(
                    servers: servers, attempts: 8, deadline: deadline,
                    milliseconds: servers.settings.readMilliseconds
                ).run(
                    keys.count, slot: { servers.slot(prefix, keys[$0]) }, replies: { _ in 1 },
                    add: { job, connection in
                        try connection.begin(2)
                        try connection.word("GET")
                        try connection.word(prefix, keys[job])
                    },
                    take: { job, _, reply in try body(job, keys[job].isEmpty ? nil : reply.bytes) },
                    inDoubt: &inDoubt)
            }
        }
    }

    private func measured<Result>(_ count: Int, _ body: (_ deadline: UInt64) throws -> Result) throws -> Result {
        let start = SystemTime.monotonicNanoseconds
        defer {
            servers.metrics.reads.increment(by: UInt64(count))
            servers.metrics.readSeconds.observe(nanoseconds: SystemTime.monotonicNanoseconds - start)
        }
        return try body(start + UInt64(servers.settings.readMilliseconds) * 1_000_000)
    }

    private func value(_ reply: RedisReply) throws -> UnsafeRawBufferPointer? {
        if let error = reply.error { throw failure(error) }
        return reply.bytes
    }

    private func failure(_ error: String) -> KeyValueFailure {
        RedisErrorReply(error, store: servers.settings.name, from: "").failure(servers.settings.name)
    }
}
