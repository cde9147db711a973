import Basics
import Foundation

/// Where the server is at present, and how many exchanges were begun with it: what a replay and a kill storm share.
final class ServerLink: @unchecked Sendable {
    // Everything below is read and written under the condition's lock only.
    private let condition = NSCondition()
    private var url: String
    private var generation = 0
    private var begun = 0
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
    func begin() -> Int {
        condition.withLock {
            begun += 1
            condition.broadcast()
            return begun
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
    /// - Returns: false where the replay was over before.
    func waitForExchange(_ number: Int) -> Bool {
        condition.withLock {
            while begun < number, !finished { condition.wait() }
            return begun >= number
        }
    }
}
