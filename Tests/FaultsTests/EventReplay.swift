import Basics
import Foundation
import HTTP

/// Plays the orders of a factory to a server in event time over one connection. What is not acknowledged is sent again,
/// with the same id, to whatever server runs then.
final class EventReplay {
    /// What was acknowledged.
    struct Outcome {
        var predictions = 0
        var labels = 0
        /// The exclusive or over all answers, and over all labels, of the hash that the record's totals are made of.
        var predictionDigest: UInt64 = 0
        var labelDigest: UInt64 = 0
        /// Reasons of deployments, each its own.
        var deployments: [String] = []
        /// Hashes of journal entries that were read on the way.
        var entries: [Int64: String] = [:]
        /// The exchanges in which a pipeline ran, and the nanoseconds they took.
        var pipelines: [(exchange: Int, nanoseconds: UInt64)] = []
        var exchanges = 0
        /// How often something was sent again because the connection was lost.
        var retries = 0
    }

    private static let gridSeconds: Int64 = 600

    private let factory: SeededFactory
    private let link: ServerLink
    private var generation = -1
    private var connection: HTTPConnection?
    private var exchange = 0
    private var outcome = Outcome()

    init(_ factory: SeededFactory, link: ServerLink) {
        self.factory = factory
        self.link = link
    }

    func run() throws -> Outcome {
        var pending = factory.orders.sorted { ($0.known, $0.id) < ($1.known, $1.id) }[...]
        var orders = factory.orders[...]
        var moment = SeededFactory.trained
        var turns = 0
        while moment < SeededFactory.end.advanced(bySeconds: 86_400) {
            let known = pending.prefix { $0.known <= moment }
            pending = pending.dropFirst(known.count)
            if !known.isEmpty { try tell(Array(known)) }
            try advance(to: moment)
            let next = moment.advanced(bySeconds: Self.gridSeconds)
            while let order = orders.first, order.placed < next {
                orders = orders.dropFirst()
                try ask(order)
            }
            turns += 1
            if turns % 40 == 0 { try deploy("turn \(turns)") }
            moment = next
        }
        link.finish()
        return outcome
    }

    private func ask(_ order: SeededFactory.Order) throws {
        let response = try send(.post, SeededFactory.inferPath, SeededFactory.infer(order))
        let answer = try JSON.decode(JSONValue.self, from: response)
        guard answer["id"]?.string == order.id,
            let output = answer["outputs"]?.array?.first?["data"]?.array?.first?.double
        else { throw Unmet("the answer to \(order.id) is \(answer)") }
        outcome.predictions += 1
        outcome.predictionDigest ^= Self.hash(order.id, output.bitPattern, "")
    }

    private func tell(_ orders: [SeededFactory.Order]) throws {
        let items = orders.map { order -> JSONValue in
            ["id": .string(order.id), "value": order.late ? 1 : 0, "time": .string(order.known.description)]
        }
        let answer = try post("/endpoints/orders/labels", ["labels": .array(items)])
        guard answer["accepted"]?.integer == Int64(orders.count) else {
            throw Unmet("labels were not taken: \(answer)")
        }
        outcome.labels += orders.count
        for order in orders {
            let value = order.late ? 1.0 : 0.0
            outcome.labelDigest ^= Self.hash(order.id, value.bitPattern, "@\(order.known.microseconds)")
        }
    }

    private func advance(to moment: Timestamp) throws {
        let started = SystemTime.monotonicNanoseconds
        let turn = try post("/clock", ["now": .string(moment.description)])
        guard turn["pipelines"]?.array?.isEmpty == false else { return }
        outcome.pipelines.append((exchange, SystemTime.monotonicNanoseconds - started))
    }

    /// Deploys what is deployed: a journaled change that alters no answer.
    private func deploy(_ reason: String) throws {
        _ = try post("/endpoints/orders/deploy", ["version": "orders/1", "reason": .string(reason)])
        outcome.deployments.append(reason)
        let response = try send(.get, "/api/works/v1/journal?limit=10000", [])
        for entry in try JSON.decode(JSONValue.self, from: response).array ?? [] {
            guard let sequence = entry["sequence"]?.integer, let hash = entry["hash"]?.string else { continue }
            if let before = outcome.entries[sequence], before != hash { throw Unmet("entry \(sequence) has changed") }
            outcome.entries[sequence] = hash
        }
    }

    private func post(_ path: String, _ body: JSONValue) throws -> JSONValue {
        try JSON.decode(JSONValue.self, from: try send(.post, "/api/works/v1\(path)", try JSON.canonical(body)))
    }

    /// Sends until there is an answer.
    private func send(_ method: HTTPMethod, _ path: String, _ body: [UInt8]) throws -> [UInt8] {
        exchange = try link.begin()
        outcome.exchanges = exchange
        var lost = -1
        while true {
            let server = try link.server(after: lost)
            if connection == nil || generation != server.generation {
                connection = try HTTPConnection(url: server.url, timeout: 120)
                generation = server.generation
            }
            guard let connection else { continue }
            do {
                let response = try connection.send(
                    method, path, headers: ["Content-Type": "application/json"], body: body)
                guard response.status == .ok else {
                    throw Unmet("\(path) answered \(response.status.code): \(response.text)")
                }
                return response.bytes
            } catch is HTTPFailure {
                outcome.retries += 1
                lost = generation
            }
        }
    }

    /// As the totals of the record are defined; written again here so that they are judged by another hand.
    private static func hash(_ id: String, _ bits: UInt64, _ rest: String) -> UInt64 {
        let digits = String(bits, radix: 16)
        return SplitMix.hash("\(id)=\(String(repeating: "0", count: 16 - digits.count))\(digits)\(rest)")
    }
}
