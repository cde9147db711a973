import Basics
import Foundation
import HTTP

/// Requests to a server by several callers, each of which sends its next request when it has its answer.
struct CallLoad: Sendable {
    let url: String
    let callers: Int
    let bodies: [[UInt8]]

    /// What was seen of a number of requests.
    struct Seen: Sendable {
        /// Nanoseconds from request to answer.
        var nanoseconds: [UInt64] = []

        /// Milliseconds that a share of the requests did not exceed; nil where there were none.
        func milliseconds(_ share: Double) -> Double? {
            let sorted = nanoseconds.sorted()
            guard !sorted.isEmpty else { return nil }
            let rank = Int((share * Double(sorted.count)).rounded(.up))
            return Double(sorted[min(max(rank, 1), sorted.count) - 1]) / 1e6
        }
    }

    /// Sends requests for so long, each to the model that `target` names for its number.
    /// - Throws: `CommandFailure` for an answer other than 200, `HTTPFailure`.
    func run(seconds: Double, target: @escaping @Sendable (_ number: Int) -> String) async throws -> Seen {
        try await withThrowingTaskGroup(of: [UInt64].self) { group in
            for caller in 0..<callers {
                group.addTask {
                    try await BlockingThread(name: "caller.\(caller)").run {
                        try self.call(from: caller, seconds: seconds, target)
                    }
                }
            }
            return try await group.reduce(into: Seen()) { $0.nanoseconds += $1 }
        }
    }

    private func call(from caller: Int, seconds: Double, _ target: (Int) -> String) throws -> [UInt64] {
        let connection = try HTTPConnection(url: url)
        let end = SystemTime.monotonicNanoseconds + UInt64(max(0, min(seconds, 3600)) * 1e9)
        var taken: [UInt64] = []
        var now = SystemTime.monotonicNanoseconds
        // Callers begin at different rows, so that they do not ask the same at the same time.
        var number = caller
        repeat {
            _ = try Self.ask(connection, target(number / callers), bodies[number % bodies.count])
            let after = SystemTime.monotonicNanoseconds
            taken.append(after - now)
            (now, number) = (after, number + callers)
        } while now < end
        return taken
    }

    /// The answers to the first requests, one after the other.
    func answers(of model: String, count: Int) async throws -> [JSONValue] {
        try await BlockingThread(name: "caller").run {
            let connection = try HTTPConnection(url: url)
            return try bodies.prefix(count).map {
                try JSON.decode(JSONValue.self, from: try Self.ask(connection, model, $0))
            }
        }
    }

    private static func ask(_ connection: HTTPConnection, _ model: String, _ body: [UInt8]) throws -> [UInt8] {
        let response = try connection.send(
            .post, "/v2/models/\(model)/infer", headers: ["Content-Type": "application/json"], body: body)
        guard case .bytes(let bytes) = response.body, response.status == .ok else {
            var text = ""
            if case .bytes(let bytes) = response.body { text = String(decoding: bytes.prefix(500), as: UTF8.self) }
            throw CommandFailure(
                .failedPrecondition, "the model does not answer the examples: \(response.status.code) \(text)",
                remedy: "Give rows that it takes by --examples.")
        }
        return bytes
    }
}
