import Basics
import Foundation

/// The servers of a factory that a load is spread over, while a test kills, freezes and starts them. Safe from any thread.
final class LiveServers: @unchecked Sendable {
    /// A server as a client sees it.
    struct Place: Sendable {
        var url: String
        /// How many servers ran at this place before.
        var generation: Int
    }

    private let factory: LiveFactory
    // Everything below is read and written under the lock only.
    private let lock = NSLock()
    private var servers: [Server?]
    private var places: [Place]
    private var isDown: [Bool]
    private var killed = 0
    private var log: [String]

    /// Starts the servers one after another.
    init(_ count: Int, of factory: LiveFactory) throws {
        self.factory = factory
        servers = try (0..<count).map { try factory.server("root-\($0)") }
        places = servers.map { Place(url: $0?.url ?? "", generation: 0) }
        isDown = Array(repeating: false, count: count)
        log = servers.compactMap { $0?.log }
    }

    var count: Int { lock.withLock { servers.count } }
    var kills: Int { lock.withLock { killed } }

    func place(_ index: Int) -> Place { lock.withLock { places[index] } }

    func api(_ index: Int) throws -> API { try API(url: place(index).url) }

    /// Whether the server that ran there has been killed, or is about to be.
    func wasKilled(_ index: Int, _ place: Place) -> Bool {
        lock.withLock { isDown[index] || places[index].generation != place.generation }
    }

    /// Kills a server and starts another in its place, after a while.
    func strike(_ index: Int, pause: Double) throws {
        let server = lock.withLock {
            isDown[index] = true
            killed += 1
            return servers[index]
        }
        try server?.kill()
        pass(pause)
        let next = try factory.server("root-\(index)")
        lock.withLock {
            servers[index] = next
            places[index] = Place(url: next.url, generation: places[index].generation + 1)
            isDown[index] = false
            log.append(next.log)
        }
    }

    /// Lets a server stand still, or go on.
    func freeze(_ index: Int, _ frozen: Bool) { lock.withLock { servers[index]?.child.freeze(frozen) } }

    /// Asks all to drain and end; their exit codes.
    func stop() throws -> [Int32] { try lock.withLock { servers }.compactMap { try $0?.stop() } }

    /// What all servers wrote to their logs, in lines.
    var logged: [String] {
        lock.withLock { log }.flatMap { Modelworks.text($0).split(separator: "\n").map(String.init) }
    }

    /// What they said at a level, each message once, with how often.
    func logged(_ level: String) -> [String: Int] {
        var counts: [String: Int] = [:]
        for line in logged {
            guard let entry = try? JSON.decode(JSONValue.self, from: line), entry["level"]?.string == level else {
                continue
            }
            let reason = entry["error"]?.string ?? entry["alert"].map { _ in "" } ?? ""
            counts["\(entry["message"]?.string ?? "") \(reason)", default: 0] += 1
        }
        return counts
    }
}

/// Lets time go by.
func pass(_ seconds: Double) { Thread.sleep(forTimeInterval: max(0, seconds)) }
