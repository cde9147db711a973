import Basics
import Foundation

/// Where the server is at present, and how many exchanges were begun with it: what a replay and a kill storm share.
final class ServerLink: @unchecked Sendable {
    // Everything below is read and written under the condition's lock only.
    private let condition = NSCondition()
    private var url: String
    private var generation = 0
    private var begun = 0
    /// No exchange of a higher number begins, so that a slow storm is not left behind.
    private var allowed = 0
    private var finished = false
    private var problem: String?

    init(url: String) { self.url = url }

    /// The server after those of an earlier generation.
    /// - Throws: `Unmet` where none comes, or the storm has failed.
    func server(after old: Int, within seconds: Double = 120) throws -> (url: String, generation: Int) {
        try condition.withLock {
            let deadline = Date(timeIntervalSinceNow: seconds)
            while generation <= old, problem == nil {
                guard condition.wait(until: deadline) else { throw Unmet("no server came after generation \(old)") }
            }
            if let problem { throw Unmet(problem) }
            return (url, generation)
        }
    }

    /// Another server has taken over.
    func replace(url: String) {
        condition.withLock {
            self.url = url
            generation += 1
            condition.broadcast()
        }
    }

    /// Counts an exchange that begins now; its number, from 1.
    /// - Throws: `Unmet` where the storm has failed or does not let it begin.
    func begin(within seconds: Double = 120) throws -> Int {
        try condition.withLock {
            let deadline = Date(timeIntervalSinceNow: seconds)
            while begun >= allowed, problem == nil {
                guard condition.wait(until: deadline) else { throw Unmet("the storm stands still") }
            }
            if let problem { throw Unmet(problem) }
            begun += 1
            condition.broadcast()
            return begun
        }
    }

    /// Lets all exchanges begin.
    func allowAll() {
        condition.withLock {
            allowed = .max
            condition.broadcast()
        }
    }

    /// The replay is over.
    func finish() {
        condition.withLock {
            finished = true
            condition.broadcast()
        }
    }

    /// The storm can not go on.
    func fail(_ reason: String) {
        condition.withLock {
            problem = reason
            condition.broadcast()
        }
    }

    /// Waits until so many exchanges were begun.
    /// - Parameter more: how many may begin after that before the next wait.
    /// - Returns: false where the replay is over: a kill would strike nothing.
    func waitForExchange(_ number: Int, allowing more: Int) -> Bool {
        condition.withLock {
            allowed = max(allowed, number + more)
            condition.broadcast()
            while begun < number, !finished { condition.wait() }
            return !finished
        }
    }
}
