import Basics
import Foundation
import TestSupport

/// Kills the server again and again at random moments of a replay, and starts it again each time.
final class KillStorm: @unchecked Sendable {
    /// One kill: after the exchange of this number has begun, and so many nanoseconds more.
    struct Kill: Sendable {
        var exchange: Int
        var nanoseconds: UInt64
        /// Where there is one, the server that is starting in its place is killed too, after this time.
        var again: UInt64?
    }

    private let factory: SeededFactory
    private let link: ServerLink
    private let kills: [Kill]
    private let ended = DispatchSemaphore(value: 0)
    // Touched by the storm's thread only, until that has ended.
    private var server: Server
    private var done = 0

    /// - Parameter server: the one that runs now.
    init(_ kills: [Kill], on factory: SeededFactory, server: Server, link: ServerLink) {
        self.factory = factory
        self.link = link
        self.kills = kills.sorted { $0.exchange < $1.exchange }
        self.server = server
    }

    /// Random kills over a replay.
    /// - Parameters:
    ///   - usual: the nanoseconds that an exchange takes; most kills fall within twice that.
    ///   - pipelines: exchanges with a training in them, of which one in two gets a kill.
    static func kills(
        _ count: Int, over exchanges: Int, usual: UInt64, pipelines: [(exchange: Int, nanoseconds: UInt64)],
        seed: UInt64
    ) -> [Kill] {
        let random = SeededRandom(seed: SplitMix.mix(seed))
        var kills = pipelines.prefix(count / 4).map { pipeline in
            Kill(exchange: pipeline.exchange, nanoseconds: random.next() % max(1, pipeline.nanoseconds))
        }
        while kills.count < count {
            let exchange = 1 + Int(random.next() % UInt64(max(1, exchanges)))
            let again = random.next() % 4 == 0 ? random.next() % 60_000_000 : nil
            let kill = Kill(exchange: exchange, nanoseconds: random.next() % max(1, 2 * usual), again: again)
            if !kills.contains(where: { $0.exchange == exchange }) { kills.append(kill) }
        }
        return kills
    }

    func start() {
        let thread = Thread { [self] in
            do {
                for kill in kills where link.waitForExchange(kill.exchange, allowing: 25) { try strike(kill) }
                link.allowAll()
            } catch {
                link.fail("the storm ended: \(error)")
            }
            ended.signal()
        }
        thread.start()
    }

    /// Waits for the storm's end.
    /// - Returns: the last server, and how often one was killed while it was up.
    func end() -> (server: Server, kills: Int) {
        ended.wait()
        return (server, done)
    }

    private func strike(_ kill: Kill) throws {
        Self.pass(kill.nanoseconds)
        try server.kill()
        done += 1
        if let again = kill.again {
            let since = SystemTime.monotonicNanoseconds
            // It may have become ready before its time was up: then it is killed as it stands.
            let young = try? Server(root: factory.root, logs: factory.folder.path) {
                SystemTime.monotonicNanoseconds - since >= again
            }
            try young?.kill()
        }
        server = try Server(root: factory.root, logs: factory.folder.path)
        link.replace(url: server.url)
    }

    /// Lets time go by, finer than the scheduler can.
    private static func pass(_ nanoseconds: UInt64) {
        let until = SystemTime.monotonicNanoseconds + nanoseconds
        while SystemTime.monotonicNanoseconds < until { sched_yield() }
    }
}
