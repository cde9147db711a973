import Basics
import Foundation
import Synchronization
import Telemetry

/// The servers of one store, and which of them holds a slot. A single server holds all.
final class RedisServers: Sendable {
    private struct Map {
        var nodes: [RedisAddress: RedisNode] = [:]
        /// The master of each slot, as a position in `masters`; -1 where nobody serves it.
        var slots: [Int16] = []
        var masters: [RedisNode] = []
        var refreshed: UInt64 = 0
        var isClosed = false
    }

    let settings: RedisSettings
    let metrics: KeyValueMetrics
    /// Of a store that is no cluster.
    let single: RedisNode?
    private let tls: RedisTLS?
    private let map = Mutex(Map())
    private let refreshing = Mutex(())
    private static let refreshInterval: UInt64 = 200_000_000

    init(_ settings: RedisSettings, metrics: KeyValueMetrics) throws {
        self.settings = settings
        self.metrics = metrics
        tls = settings.usesTLS ? try RedisTLS(settings) : nil
        if settings.isCluster {
            single = nil
        } else {
            guard let address = settings.seeds.first else {
                throw KeyValueFailure.misconfigured(store: settings.name, reason: "it names no host")
            }
            single = RedisNode(address, settings, tls: tls, metrics: metrics)
        }
    }

    /// Nanoseconds of the monotonic clock so many milliseconds from now.
    static func deadline(_ milliseconds: Int) -> UInt64 {
        SystemTime.monotonicNanoseconds + UInt64(milliseconds) * 1_000_000
    }

    /// The slot of a key of the store; 0 where there are none.
    func slot(_ prefix: UnsafeRawBufferPointer, _ key: UnsafeRawBufferPointer) -> Int {
        single == nil ? RedisSlots.slot(prefix, key) : 0
    }

    /// The servers that hold keys.
    func masters(_ deadline: UInt64) throws -> [RedisNode] {
        if let single { return [single] }
        let known = map.withLock { $0.masters }
        if !known.isEmpty { return known }
        try refresh(deadline, force: true)
        return map.withLock { $0.masters }
    }

    /// Who holds a slot, or nil where nobody is known to.
    func master(of slot: Int) -> RedisNode? {
        if let single { return single }
        return map.withLock { map in
            guard map.slots.indices.contains(slot), map.slots[slot] >= 0 else { return nil }
            let position = Int(map.slots[slot])
            return map.masters.indices.contains(position) ? map.masters[position] : nil
        }
    }

    /// The node at an address a redirection names.
    func node(at address: RedisAddress) -> RedisNode { map.withLock { node(at: address, in: &$0) } }

    /// Takes over that a slot has another master.
    func move(_ slot: Int, to address: RedisAddress) {
        map.withLock { map in
            guard map.slots.indices.contains(slot) else { return }
            let node = node(at: address, in: &map)
            let position = map.masters.firstIndex { $0 === node } ?? map.masters.count
            if position == map.masters.count { map.masters.append(node) }
            map.slots[slot] = Int16(clamping: position)
        }
    }

    /// Asks the cluster who holds what.
    /// - Parameter force: ask even where it was asked a moment ago.
    /// - Throws: `KeyValueFailure` of the last node asked, when none answers.
    func refresh(_ deadline: UInt64, force: Bool = false) throws {
        guard single == nil else { return }
        let before = SystemTime.monotonicNanoseconds
        try refreshing.withLock { _ in
            let (known, age) = map.withLock { ($0.masters.map(\.address), $0.refreshed) }
            // Another thread asked while this one waited, or a moment ago.
            if age > before || (!force && before &- age < Self.refreshInterval) { return }
            var failure: KeyValueFailure = .unreachable(store: settings.name, reason: "no node of the cluster answers")
            for address in known + settings.seeds.filter({ !known.contains($0) }) {
                do {
                    try node(at: address).use(deadline) { connection in
                        try connection.add(["CLUSTER", "SLOTS"])
                        try connection.send(deadline)
                        metrics.roundTrips.increment()
                        try take(over: connection.next(deadline), from: address)
                    }
                    return
                } catch let problem as KeyValueFailure {
                    failure = problem
                }
                guard SystemTime.monotonicNanoseconds < deadline else { break }
            }
            // Nobody else should ask at once what nobody answers.
            map.withLock { $0.refreshed = SystemTime.monotonicNanoseconds }
            throw failure
        }
    }

    var isClosed: Bool { map.withLock { $0.isClosed } }

    /// Ends all connections.
    func end() {
        single?.end()
        map.withLock { map in
            map.isClosed = true
            for node in map.nodes.values { node.end() }
        }
    }

    private func node(at address: RedisAddress, in map: inout Map) -> RedisNode {
        if let known = map.nodes[address] { return known }
        let made = RedisNode(address, settings, tls: tls, metrics: metrics)
        if map.isClosed { made.end() }
        map.nodes[address] = made
        return made
    }

    /// Reads the answer to `CLUSTER SLOTS`: ranges, each with its master and replicas.
    private func take(over reply: RedisReply, from asked: RedisAddress) throws {
        if let error = reply.error {
            throw KeyValueFailure.misconfigured(store: settings.name, reason: "\(asked) is no cluster node: \(error)")
        }
        var owners: [(slots: ClosedRange<Int>, RedisAddress)] = []
        for index in 0..<reply.count {
            guard let range = reply[index], let first = range[0]?.integer, let last = range[1]?.integer,
                let master = range[2], let port = master[1]?.integer, first >= 0, last >= first,
                last < RedisSlots.count
            else { continue }
            let named = master[0]?.text ?? ""
            // A node that does not know its own name is where we found it.
            let host = named.isEmpty ? asked.host : named
            guard host != "?", (1...65535).contains(port) else { continue }
            owners.append((first...last, RedisAddress(host: host, port: port)))
        }
        map.withLock { map in
            map.masters = []
            map.slots = [Int16](repeating: -1, count: RedisSlots.count)
            for (slots, address) in owners {
                let node = node(at: address, in: &map)
                let position = map.masters.firstIndex { $0 === node } ?? map.masters.count
                if position == map.masters.count { map.masters.append(node) }
                for slot in slots { map.slots[slot] = Int16(clamping: position) }
            }
            let kept = Set(owners.map(\.1)).union(settings.seeds)
            for (address, node) in map.nodes where !kept.contains(address) {
                node.end()
                map.nodes[address] = nil
            }
            map.refreshed = SystemTime.monotonicNanoseconds
        }
    }
}
