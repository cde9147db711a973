import Basics
import Foundation
import Telemetry

/// Commands for several slots: sent to all nodes at once, answered, and sent again where the cluster asks for it.
///
/// A job is one or more commands for one slot. Every job can be done again without harm.
struct RedisPipeline {
    let servers: RedisServers
    /// How often a job may be answered with a passing error; nil as long as there is time.
    let attempts: Int?
    let deadline: UInt64
    /// What a timeout tells.
    let milliseconds: Int

    private struct Visit {
        let node: RedisNode
        let connection: RedisConnection
        let jobs: [Int]
        var isOpen = true
    }

    /// What is left to do.
    private struct Remainder {
        var jobs: [Int] = []
        var asks: [Int: RedisAddress] = [:]
        /// Why the last job could not be done.
        var failure: KeyValueFailure?
        var needsRefresh = false
        var isPause = false
        /// Whether a command was sent whose answer did not come.
        var isInDoubt = false
    }

    /// Does the jobs `0..<count`.
    /// - Parameters:
    ///   - slot: of a job.
    ///   - replies: how many a job has.
    ///   - add: adds a job's commands.
    ///   - take: gets each reply of a job that is no error; may get the replies of a job again.
    /// - Throws: `KeyValueFailure`, or what `take` throws. `inDoubt` in it tells whether jobs may have been done.
    func run(
        _ count: Int, slot: (Int) -> Int, replies: (Int) -> Int, add: (Int, RedisConnection) throws -> Void,
        take: (_ job: Int, _ index: Int, RedisReply) throws -> Void, inDoubt: inout Bool
    ) throws {
        var rest = Remainder(jobs: Array(0..<count))
        var round = 0
        var unreachable = 0
        while !rest.jobs.isEmpty {
            if round > 0 {
                if rest.needsRefresh { try? servers.refresh(deadline) }
                if rest.isPause { usleep(UInt32(min(100_000, 2500 << min(round, 6)))) }
            }
            let visits: [Visit]
            (visits, rest) = try open(rest, slot: slot)
            try exchange(visits, &rest, replies: replies, add: add, take: take)
            round += 1
            inDoubt = rest.isInDoubt
            guard !rest.jobs.isEmpty, let failure = rest.failure else { continue }
            if case .unreachable = failure { unreachable += 1 }
            let isLate = SystemTime.monotonicNanoseconds >= deadline
            if isLate || attempts.map({ round >= $0 || unreachable > 1 }) ?? false { throw failure }
        }
    }

    /// Takes a connection to each node that has something to do, in the order of their addresses: two threads that want
    /// several can not wait for each other.
    private func open(_ work: Remainder, slot: (Int) -> Int) throws -> ([Visit], Remainder) {
        var groups: [ObjectIdentifier: (node: RedisNode, jobs: [Int])] = [:]
        var rest = Remainder(asks: work.asks)
        rest.isInDoubt = work.isInDoubt
        for job in work.jobs {
            guard let node = work.asks[job].map({ servers.node(at: $0) }) ?? servers.master(of: slot(job)) else {
                rest.jobs.append(job)
                rest.failure = .busy(store: servers.settings.name, reason: "no node serves slot \(slot(job))")
                rest.needsRefresh = true
                rest.isPause = true
                continue
            }
            groups[ObjectIdentifier(node), default: (node, [])].jobs.append(job)
        }
        var visits: [Visit] = []
        for (node, jobs) in groups.values.sorted(by: { $0.node.address < $1.node.address }) {
            do {
                visits.append(Visit(node: node, connection: try node.take(deadline), jobs: jobs))
            } catch let failure as KeyValueFailure {
                switch failure {
                case .unreachable, .timedOut, .busy, .closed:
                    // A single server has nobody to take its place, unless the caller has time.
                    guard servers.single == nil || attempts == nil, !servers.isClosed else { fallthrough }
                    rest.jobs += jobs
                    rest.failure = failure
                    rest.needsRefresh = true
                    rest.isPause = true
                    for job in jobs { rest.asks[job] = nil }
                default:
                    for visit in visits { visit.node.give(visit.connection) }
                    throw failure
                }
            }
        }
        return (visits, rest)
    }

    private func exchange(
        _ visits: [Visit], _ rest: inout Remainder, replies: (Int) -> Int,
        add: (Int, RedisConnection) throws -> Void, take: (Int, Int, RedisReply) throws -> Void
    ) throws {
        var visits = visits
        var fatal: (any Error)?
        for index in visits.indices {
            let visit = visits[index]
            do {
                for job in visit.jobs {
                    if rest.asks[job] != nil {
                        try visit.connection.begin(1)
                        try visit.connection.word("ASKING")
                    }
                    try add(job, visit.connection)
                }
                try visit.connection.send(deadline)
                servers.metrics.roundTrips.increment()
            } catch let broken as RedisBroken {
                visits[index].isOpen = false
                lose(visit, broken, visit.jobs[...], &rest)
            }
        }
        for visit in visits where visit.isOpen {
            var done = 0
            do {
                for job in visit.jobs {
                    try receive(job, visit, &rest, replies: replies(job), take: take)
                    done += 1
                }
            } catch let broken as RedisBroken {
                lose(visit, broken, visit.jobs[done...], &rest)
                continue
            } catch {
                fatal = fatal ?? error
            }
            visit.node.give(visit.connection)
        }
        if let fatal { throw fatal }
    }

    /// Reads the replies of a job and learns from the first error what to do with it.
    private func receive(
        _ job: Int, _ visit: Visit, _ rest: inout Remainder, replies: Int,
        take: (Int, Int, RedisReply) throws -> Void
    ) throws {
        if rest.asks.removeValue(forKey: job) != nil { _ = try visit.connection.next(deadline) }
        var problem: RedisErrorReply?
        for index in 0..<replies {
            let reply = try visit.connection.next(deadline)
            if let error = reply.error {
                problem =
                    problem ?? RedisErrorReply(error, store: servers.settings.name, from: visit.node.address.host)
            } else if problem == nil {
                try take(job, index, reply)
            }
        }
        switch problem {
        case nil: return
        case .failure(let failure): throw failure
        case .moved(let slot, let address):
            servers.metrics.redirects.increment()
            servers.move(slot, to: address)
            rest.failure = .busy(store: servers.settings.name, reason: "slot \(slot) moves from node to node")
            rest.needsRefresh = true
        case .ask(let address):
            servers.metrics.redirects.increment()
            rest.asks[job] = address
            rest.failure = .busy(store: servers.settings.name, reason: "a slot moves from node to node")
        case .passing(let reason):
            rest.failure = .busy(store: servers.settings.name, reason: reason)
            rest.needsRefresh = true
            rest.isPause = true
        }
        rest.jobs.append(job)
    }

    private func lose(_ visit: Visit, _ broken: RedisBroken, _ jobs: ArraySlice<Int>, _ rest: inout Remainder) {
        var failure = visit.node.drop(visit.connection, broken)
        if case .timedOut(let store, _) = failure { failure = .timedOut(store: store, milliseconds: milliseconds) }
        rest.failure = failure
        rest.jobs += jobs
        for job in jobs { rest.asks[job] = nil }
        rest.needsRefresh = true
        rest.isInDoubt = true
        // A kept connection that was lost tells nothing of the server.
        rest.isPause = !(visit.connection.isReused && broken.isLost)
    }
}
