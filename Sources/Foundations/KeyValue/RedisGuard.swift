import Basics
import Telemetry

/// Says that a change was not made and should be begun again.
enum RedisAgain: Error {
    /// Others changed what it had read.
    case conflict
    case passing(KeyValueFailure)
}

/// The connection on which a change reads keys of one slot, watched so that the change is made only if nobody else has
/// changed them.
final class RedisGuard {
    let slot: Int
    private let servers: RedisServers
    private let deadline: UInt64
    private var held: (node: RedisNode, connection: RedisConnection)?
    /// Whether the slot is on its way to the node that is asked.
    private var isAsking = false
    private var isWatching = false

    init(slot: Int, servers: RedisServers, deadline: UInt64) {
        self.slot = slot
        self.servers = servers
        self.deadline = deadline
    }

    deinit { release() }

    /// Values as of now, which nobody may change until ``commit(_:)``.
    func read(_ keys: [[UInt8]]) throws -> [[UInt8]?] {
        while true {
            let held = try hold()
            var values: [[UInt8]?] = []
            let problem = try talk(held) { connection -> RedisErrorReply? in
                for command: StaticString in ["WATCH", "MGET"] {
                    try ask(connection)
                    try connection.begin(keys.count + 1)
                    try connection.word(command)
                    for key in keys { try connection.word(key) }
                }
                try connection.send(deadline)
                let watched = try answer(connection)
                if let error = watched.error {
                    let problem = classify(error, held.node)
                    _ = try answer(connection)
                    return problem
                }
                let reply = try answer(connection)
                if let error = reply.error { return classify(error, held.node) }
                values = (0..<keys.count).map { reply[$0]?.bytes.map { [UInt8]($0) } }
                return nil
            }
            guard let problem else {
                isWatching = true
                return values
            }
            guard case .ask(let address) = problem, !isWatching, !isAsking else { throw again(problem) }
            servers.metrics.redirects.increment()
            release()
            let node = servers.node(at: address)
            self.held = (node, try take(node))
            isAsking = true
        }
    }

    /// Makes a change of keys of the slot, if nobody changed what was read.
    func commit(_ group: RedisGroup) throws {
        let held = try hold()
        var isSent = false
        do {
            let problem = try talk(held, isFinal: { isSent }) { connection -> RedisErrorReply? in
                try ask(connection)
                try group.add(to: connection, inTransaction: true, deadline: deadline)
                isSent = true
                try connection.send(deadline)
                if isAsking { _ = try connection.next(deadline) }
                var problem: RedisErrorReply?
                for index in 0..<group.replies(inTransaction: true) {
                    let reply = try connection.next(deadline)
                    let isLast = index == group.replies(inTransaction: true) - 1
                    if isLast, problem == nil, reply.isNil { throw RedisAgain.conflict }
                    if let error = reply.error ?? (isLast ? RedisGroup.failure(in: reply) : nil) {
                        problem = problem ?? classify(error, held.node)
                    }
                }
                return problem
            }
            isWatching = false
            if let problem { throw again(problem) }
        } catch RedisAgain.conflict {
            isWatching = false
            release()
            throw RedisAgain.conflict
        }
        release()
    }

    /// Gives the connection back.
    func release() {
        guard let (node, connection) = held else { return }
        held = nil
        guard isWatching else { return node.give(connection) }
        isWatching = false
        do {
            try connection.begin(1)
            try connection.word("UNWATCH")
            try connection.send(deadline)
            _ = try connection.next(deadline)
            node.give(connection)
        } catch let broken as RedisBroken {
            node.drop(connection, broken)
        } catch {
            node.give(connection)
        }
    }

    private func hold() throws -> (node: RedisNode, connection: RedisConnection) {
        if let held { return held }
        guard let node = servers.master(of: slot) else {
            try? servers.refresh(deadline)
            throw RedisAgain.passing(.busy(store: servers.settings.name, reason: "no node serves slot \(slot)"))
        }
        let made = (node, try take(node))
        held = made
        return made
    }

    private func take(_ node: RedisNode) throws -> RedisConnection {
        do {
            return try node.take(deadline)
        } catch let failure as KeyValueFailure {
            switch failure {
            case .unreachable, .timedOut, .busy:
                try? servers.refresh(deadline)
                throw RedisAgain.passing(failure)
            default: throw failure
            }
        }
    }

    private func ask(_ connection: RedisConnection) throws {
        guard isAsking else { return }
        try connection.begin(1)
        try connection.word("ASKING")
    }

    private func answer(_ connection: RedisConnection) throws -> RedisReply {
        if isAsking { _ = try connection.next(deadline) }
        return try connection.next(deadline)
    }

    private func classify(_ error: String, _ node: RedisNode) -> RedisErrorReply {
        RedisErrorReply(error, store: servers.settings.name, from: node.address.host)
    }

    /// Talks on the connection; one that breaks leaves the change in doubt where it was already sent.
    private func talk<Result>(
        _ held: (node: RedisNode, connection: RedisConnection), isFinal: () -> Bool = { false },
        _ body: (RedisConnection) throws -> Result
    ) throws -> Result {
        do {
            servers.metrics.roundTrips.increment()
            return try body(held.connection)
        } catch let broken as RedisBroken {
            self.held = nil
            isWatching = false
            let failure = held.node.drop(held.connection, broken)
            throw isFinal() ? KeyValueFailure.inDoubt(store: servers.settings.name) : RedisAgain.passing(failure)
        }
    }

    private func again(_ problem: RedisErrorReply) -> any Error {
        let store = servers.settings.name
        switch problem {
        case .failure(let failure): return failure
        case .passing(let reason):
            try? servers.refresh(deadline)
            return RedisAgain.passing(.busy(store: store, reason: reason))
        case .moved(let slot, let address):
            servers.metrics.redirects.increment()
            servers.move(slot, to: address)
            try? servers.refresh(deadline)
        case .ask:
            servers.metrics.redirects.increment()
        }
        guard servers.single == nil else { return problem.failure(store) }
        return RedisAgain.passing(.busy(store: store, reason: "slot \(slot) moves from node to node"))
    }
}
