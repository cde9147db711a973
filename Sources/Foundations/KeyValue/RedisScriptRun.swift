import Basics
import Foundation

/// Runs a script over many keys: a few calls for each slot, all sent before the first answer is awaited.
///
/// The script must do no harm when it runs again: what was lost on the way is sent again.
struct RedisScriptRun {
    private struct Call {
        let slot: Int
        /// Positions in the order of the keys.
        var keys: Range<Int>
    }

    let servers: RedisServers
    let deadline: UInt64

    /// Keys and bytes of one call: while it runs, the server answers nobody else.
    private static let keysInCall = 128
    private static let bytesInCall = 64 << 10
    /// Bytes added before they are sent, so that the server works while the rest is added.
    private static let bytesInChunk = 128 << 10
    /// How often calls of several keys are tried on a cluster before they are cut into single keys.
    private static let attemptsTogether = 4

    /// Runs the script over the keys `0..<count`.
    /// - Parameters:
    ///   - slot: of a key.
    ///   - bytes: that a key adds to its call.
    ///   - add: adds a call of the keys at these places.
    /// - Returns: the sum of what the calls return.
    /// - Throws: `KeyValueFailure`; then some calls may have been made.
    func run(
        _ count: Int, slot: (Int) -> Int, bytes: (Int) -> Int,
        add: (_ keys: ArraySlice<Int>, _ isKnown: Bool, RedisConnection) throws -> Void
    ) throws -> Int {
        var slots: [Int] = []
        var order = Array(0..<count)
        if servers.single == nil {
            slots = order.map(slot)
            order.sort { (slots[$0], $0) < (slots[$1], $1) }
        }
        func calls(of limit: Int) -> [Call] {
            var calls: [Call] = []
            var size = 0
            for (position, key) in order.enumerated() {
                let slot = slots.isEmpty ? 0 : slots[key]
                let added = bytes(key)
                if let last = calls.last, last.slot == slot, last.keys.count < limit, size + added <= Self.bytesInCall {
                    calls[calls.count - 1].keys = last.keys.lowerBound..<position + 1
                    size += added
                } else {
                    calls.append(Call(slot: slot, keys: position..<position + 1))
                    size = added
                }
            }
            return calls
        }
        do {
            return try make(
                calls(of: Self.keysInCall), attempts: servers.single == nil ? Self.attemptsTogether : nil
            ) { try add(order[$0], $1, $2) }
        } catch let failure as KeyValueFailure where servers.single == nil && !servers.isClosed {
            switch failure {
            case .busy, .unreachable, .timedOut: break
            default: throw failure
            }
        }
        // While a slot moves, no node takes a call whose keys are at two places.
        return try make(calls(of: 1), attempts: nil) { try add(order[$0], $1, $2) }
    }

    private func make(
        _ calls: [Call], attempts: Int?, _ add: (Range<Int>, Bool, RedisConnection) throws -> Void
    ) throws -> Int {
        var results = [Int](repeating: 0, count: calls.count)
        var isTried = [Bool](repeating: false, count: calls.count)
        var inDoubt = false
        try RedisPipeline(
            servers: servers, attempts: attempts, deadline: deadline, milliseconds: servers.settings.writeMilliseconds
        ).run(
            calls.count, slot: { calls[$0].slot }, replies: { _ in 1 },
            add: { index, connection in
                try add(calls[index].keys, !isTried[index], connection)
                isTried[index] = true
                if connection.pending > Self.bytesInChunk { try connection.send(deadline) }
            },
            take: { index, _, reply in results[index] = reply.integer ?? 0 }, inDoubt: &inDoubt)
        return results.reduce(0, +)
    }
}
