import Basics
import Telemetry

/// A change under way: what it puts is kept here until its end, what it reads is watched.
final class RedisChange: KeyValueWriting {
    private let servers: RedisServers
    private let deadline: UInt64
    /// What was put, or nil where it was deleted, by the whole key.
    private var changed: [[UInt8]: [UInt8]?] = [:]
    /// Whole keys in the order they were first changed.
    private var order: [[UInt8]] = []
    /// What the keys of cleared tables begin with.
    private var cleared: Set<[UInt8]> = []
    private var watch: RedisGuard?
    /// Whether it read keys of several slots, which can not be watched together.
    private var isSpread = false
    /// Why it has to be begun again, for a body that goes on after an error.
    private var again: (any Error)?

    /// The longest key that Redis could hold is far beyond; both engines refuse the same keys.
    static let keyBytesMax = KeyValueBatch.keyBytesMax

    init(servers: RedisServers, deadline: UInt64) {
        self.servers = servers
        self.deadline = deadline
    }

    func withValue<Result>(
        _ key: UnsafeRawBufferPointer, in table: KeyValueTable, _ body: (UnsafeRawBufferPointer?) throws -> Result
    ) throws -> Result {
        guard let value = try values([table.prefix + [UInt8](key)], in: table).first ?? nil else {
            return try body(nil)
        }
        return try value.withUnsafeBytes { try body($0) }
    }

    func withValues(
        _ keys: UnsafeBufferPointer<UnsafeRawBufferPointer>, in table: KeyValueTable,
        _ body: (Int, UnsafeRawBufferPointer?) throws -> Void
    ) throws {
        let found = try values(keys.map { table.prefix + [UInt8]($0) }, in: table)
        for (index, value) in found.enumerated() {
            if let value { try value.withUnsafeBytes { try body(index, $0) } } else { try body(index, nil) }
        }
    }

    func forEach(
        prefix: UnsafeRawBufferPointer, in table: KeyValueTable,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Bool
    ) throws {
        let wanted = table.prefix + [UInt8](prefix)
        var keys: Set<[UInt8]> = cleared.contains(table.prefix) ? [] : try RedisScan(servers: servers).keys(wanted)
        for (key, value) in changed where key.starts(with: wanted) {
            if value == nil { keys.remove(key) } else { keys.insert(key) }
        }
        let sorted = RedisScan.sorted(keys)
        var start = 0
        while start < sorted.count {
            let batch = Array(sorted[start..<min(start + RedisScan.batch, sorted.count)])
            for (key, value) in zip(batch, try values(batch, in: table)) {
                guard let value else { continue }
                let goesOn = try key.withUnsafeBytes { key in
                    let own = UnsafeRawBufferPointer(rebasing: key.dropFirst(table.prefix.count))
                    return try value.withUnsafeBytes { try body(own, $0) }
                }
                guard goesOn else { return }
            }
            start += batch.count
        }
    }

    func put(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, in table: KeyValueTable) throws {
        guard !key.isEmpty, key.count <= Self.keyBytesMax else {
            throw KeyValueFailure.keyLength(bytes: key.count, limit: Self.keyBytesMax)
        }
        set(table.prefix + [UInt8](key), [UInt8](value))
    }

    func delete(_ key: UnsafeRawBufferPointer, in table: KeyValueTable) throws -> Bool {
        guard !key.isEmpty else { return false }
        let whole = table.prefix + [UInt8](key)
        guard try values([whole], in: table).first ?? nil != nil else { return false }
        set(whole, nil)
        return true
    }

    func clear(_ table: KeyValueTable) throws {
        cleared.insert(table.prefix)
        changed = changed.filter { !$0.key.starts(with: table.prefix) }
    }

    /// Makes the change.
    /// - Throws: `RedisAgain` where it was not made and should be begun again, `KeyValueFailure`.
    func commit() throws {
        if let again { throw again }
        let groups = try self.groups()
        if let watch, let only = groups.first, groups.count == 1, only.slot == watch.slot, !isSpread {
            return try watch.commit(only)
        }
        abandon()
        guard !groups.isEmpty else { return }
        let isTransaction = groups.map(\.needsTransaction)
        var inDoubt = false
        do {
            try RedisPipeline(
                servers: servers, attempts: nil, deadline: deadline, milliseconds: servers.settings.writeMilliseconds
            ).run(
                groups.count, slot: { groups[$0].slot },
                replies: { groups[$0].replies(inTransaction: isTransaction[$0]) },
                add: { try groups[$0].add(to: $1, inTransaction: isTransaction[$0], deadline: deadline) },
                take: { _, _, reply in
                    guard let error = RedisGroup.failure(in: reply) else { return }
                    throw RedisErrorReply(error, store: servers.settings.name, from: "").failure(servers.settings.name)
                }, inDoubt: &inDoubt)
        } catch let failure as KeyValueFailure {
            switch failure {
            case .unreachable, .timedOut, .busy:
                throw inDoubt ? KeyValueFailure.inDoubt(store: servers.settings.name) : failure
            default: throw failure
            }
        }
    }

    /// Gives back what it holds.
    func abandon() {
        watch?.release()
        watch = nil
    }

    private func set(_ key: [UInt8], _ value: [UInt8]?) {
        if changed.updateValue(value, forKey: key) == nil { order.append(key) }
    }

    /// Values by whole keys of one table: its own changes over what the servers hold.
    private func values(_ keys: [[UInt8]], in table: KeyValueTable) throws -> [[UInt8]?] {
        var found = [[UInt8]?](repeating: nil, count: keys.count)
        var missing: [Int] = []
        for (index, key) in keys.enumerated() where key.count > table.prefix.count {
            if let own = changed[key] {
                found[index] = own
            } else if !cleared.contains(table.prefix) {
                missing.append(index)
            }
        }
        guard !missing.isEmpty else { return found }
        do {
            let values = try read(missing.map { keys[$0] })
            for (index, value) in zip(missing, values) { found[index] = value }
        } catch {
            again = error
            throw error
        }
        servers.metrics.reads.increment(by: UInt64(missing.count))
        return found
    }

    private func read(_ keys: [[UInt8]]) throws -> [[UInt8]?] {
        let slots = Set(keys.map { servers.single == nil ? RedisSlots.slot($0) : 0 })
        if let slot = slots.first, slots.count == 1, !isSpread, watch?.slot ?? slot == slot {
            let watch = self.watch ?? RedisGuard(slot: slot, servers: servers, deadline: deadline)
            self.watch = watch
            return try watch.read(keys)
        }
        isSpread = true
        abandon()
        var values = [[UInt8]?](repeating: nil, count: keys.count)
        var inDoubt = false
        try RedisPipeline(
            servers: servers, attempts: nil, deadline: deadline, milliseconds: servers.settings.writeMilliseconds
        ).run(
            keys.count, slot: { RedisSlots.slot(keys[$0]) }, replies: { _ in 1 },
            add: { job, connection in
                try connection.begin(2)
                try connection.word("GET")
                try connection.word(keys[job])
            }, take: { job, _, reply in values[job] = reply.bytes.map { [UInt8]($0) } }, inDoubt: &inDoubt)
        return values
    }

    /// The changes by slot, in the order of each slot's first.
    private func groups() throws -> [RedisGroup] {
        var groups: [RedisGroup] = []
        var positions: [Int: Int] = [:]
        func add(_ key: [UInt8], _ value: [UInt8]?) {
            let slot = servers.single == nil ? RedisSlots.slot(key) : 0
            let position = positions[slot] ?? groups.count
            if position == groups.count {
                positions[slot] = position
                groups.append(RedisGroup(slot: slot))
            }
            groups[position].add(key, value)
        }
        for prefix in cleared {
            for key in try RedisScan(servers: servers).keys(prefix) where changed[key] == nil { add(key, nil) }
        }
        var left = changed
        for key in order {
            guard let value = left.removeValue(forKey: key) else { continue }
            add(key, value)
        }
        for index in groups.indices { groups[index].finish() }
        return groups
    }
}
