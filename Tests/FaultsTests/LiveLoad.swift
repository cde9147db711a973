import Basics
import Foundation
import HTTP

/// Predictions and labels, one client for each server, until it is told to end. What a killed server did not acknowledge
/// goes to the next server with the same id, as a balancer would have it.
final class LiveLoad: @unchecked Sendable {
    /// What came of it.
    struct Outcome: Sendable {
        var predictions: Set<String> = []
        var labels: Set<String> = []
        var retries = 0
        /// Answers that said that the service is not available now.
        var refused = 0
        /// The longest wait for an answer, in seconds, that was not cut off by a kill.
        var longest = 0.0
        /// The longest wait for a refusal.
        var longestRefusal = 0.0
        /// What must not have happened.
        var problems: [String] = []
    }

    private let servers: LiveServers
    /// Whether 503, or 504 where a store says nothing in its time, is an answer that may come: it is counted, and the same is asked again.
    private let mayRefuse: Bool
    private let pause: Double
    private let done = DispatchGroup()
    // Read and written under the lock only.
    private let lock = NSLock()
    private var ending = false
    private var outcome = Outcome()
    private static let patience = 60.0

    /// Starts it.
    init(_ servers: LiveServers, pause: Double = 0.004, mayRefuse: Bool = false) {
        self.servers = servers
        self.mayRefuse = mayRefuse
        self.pause = pause
        for index in 0..<servers.count {
            done.enter()
            Thread { [self] in
                drive(index)
                done.leave()
            }.start()
        }
    }

    /// Ends it and waits for what is under way.
    func end() -> Outcome {
        lock.withLock { ending = true }
        done.wait()
        return lock.withLock { outcome }
    }

    /// How things stand.
    var now: Outcome { lock.withLock { outcome } }

    private func note(_ change: (inout Outcome) -> Void) { lock.withLock { change(&outcome) } }

    private func drive(_ index: Int) {
        var client = Client(index: index)
        var unlabelled: [String] = []
        var number = 0
        while !lock.withLock({ ending }) {
            number += 1
            let id = "order-\(index)-\(number)"
            guard send(&client, SeededFactory.inferPath, LiveFactory.infer(id, number: number)) != nil else { continue }
            note { $0.predictions.insert(id) }
            unlabelled.append(id)
            if unlabelled.count == 20 {
                let moment = SystemTime().now.description
                let items = unlabelled.enumerated().map { place, id -> JSONValue in
                    ["id": .string(id), "value": place % 3 == 0 ? 1 : 0, "time": .string(moment)]
                }
                let body = (try? JSON.canonical(["labels": JSONValue.array(items)] as JSONValue)) ?? []
                if send(&client, "/api/works/v1/endpoints/orders/labels", body) != nil {
                    note { $0.labels.formUnion(unlabelled) }
                }
                unlabelled = []
            }
            pass(pause)
        }
    }

    private struct Client {
        /// The server it prefers.
        let index: Int
        var at: (index: Int, place: LiveServers.Place, connection: HTTPConnection)?
    }

    /// Sends until there is an answer; nil where none came, which is noted as a problem.
    private func send(_ client: inout Client, _ path: String, _ body: [UInt8]) -> HTTPResponse? {
        let deadline = SystemTime.monotonicNanoseconds + UInt64(Self.patience * 1e9)
        var target = client.index
        while SystemTime.monotonicNanoseconds < deadline {
            let place = servers.place(target)
            let isSame = client.at.map { $0.index == target && $0.place.generation == place.generation } ?? false
            if !isSame {
                guard let made = try? HTTPConnection(url: place.url, timeout: 30) else {
                    note { $0.problems.append("no connection to \(place.url)") }
                    return nil
                }
                client.at = (target, place, made)
            }
            guard let connection = client.at?.connection else { return nil }
            let started = SystemTime.monotonicNanoseconds
            do {
                let response = try connection.send(.post, path, body: body)
                let seconds = Double(SystemTime.monotonicNanoseconds - started) / 1e9
                if response.status == .ok {
                    note { $0.longest = max($0.longest, seconds) }
                    return response
                }
                guard mayRefuse, [503, 504].contains(response.status.code) else {
                    note { $0.problems.append("\(path) answered \(response.status.code): \(response.text)") }
                    return nil
                }
                note {
                    $0.refused += 1
                    $0.longestRefusal = max($0.longestRefusal, seconds)
                }
                pass(0.05)
            } catch {
                client.at = nil
                guard servers.wasKilled(target, place) else {
                    note { $0.problems.append("\(path) on a server that nobody killed: \(error)") }
                    return nil
                }
                note { $0.retries += 1 }
                target = (target + 1) % servers.count
            }
        }
        note { $0.problems.append("\(path): no answer within \(Self.patience) s") }
        return nil
    }
}
