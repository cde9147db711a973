import Basics
import Foundation
import HTTP
import Inference
import TestSupport

/// Callers that ask a server's models without a pause, and note what they are told. What a killed server did not answer is
/// not asked again: its id may be kept or not, and no other request has it.
final class ModelLoad: @unchecked Sendable {
    /// What came of it.
    struct Outcome: Sendable {
        var ledger = AnswerLedger()
        /// Right answers by model.
        var answered: [AskedModels.Name: Int] = [:]
        /// Answers that said that the model is not available now.
        var refused = 0
        /// Requests that the end of the server cut off.
        var cut = 0
        /// The longest wait for an answer of a model that may not refuse, in seconds.
        var longest = 0.0
        /// What must not have happened.
        var problems: [String] = []
    }

    /// Every so many requests the caller leaves the id to the server.
    private static let unnamed: UInt64 = 8

    private let link: ServerLink
    private let models: AskedModels
    /// Which models may say that they are not available.
    private let mayRefuse: Set<AskedModels.Name>
    /// Whether the server may end.
    private let mayEnd: Bool
    private let done = DispatchGroup()
    // Read and written under the lock only.
    private let lock = NSLock()
    private var ending = false
    private var outcome = Outcome()

    /// Starts it.
    /// - Parameter callers: of each model.
    init(
        _ link: ServerLink, _ models: AskedModels, callers: Int, mayRefuse: Set<AskedModels.Name> = [], mayEnd: Bool,
        seed: UInt64
    ) {
        self.link = link
        self.models = models
        self.mayRefuse = mayRefuse
        self.mayEnd = mayEnd
        for (place, name) in models.names.enumerated() {
            for caller in 0..<callers {
                done.enter()
                let random = SeededRandom(seed: SplitMix.mix(seed &+ UInt64(place * 1000 + caller)))
                Thread { [self] in
                    do { try ask(name, "\(name)-\(caller)", random) } catch {
                        note { $0.problems.append("caller \(caller) of \(name): \(error)") }
                    }
                    done.leave()
                }.start()
            }
        }
    }

    /// How things stand.
    var now: Outcome { lock.withLock { outcome } }

    /// How many right answers there were, of one model or of all.
    func answers(of name: AskedModels.Name? = nil) -> Int {
        lock.withLock { name.map { outcome.answered[$0] ?? 0 } ?? outcome.ledger.told.count }
    }

    /// Ends it and waits for what is under way.
    func end() -> Outcome {
        lock.withLock { ending = true }
        done.wait()
        return now
    }

    private func note(_ change: (inout Outcome) -> Void) { lock.withLock { change(&outcome) } }

    private func ask(_ name: AskedModels.Name, _ caller: String, _ random: SeededRandom) throws {
        var generation = -1
        var open: HTTPConnection?
        var number = 0
        while !lock.withLock({ ending }) {
            let connection: HTTPConnection
            if let open {
                connection = open
            } else {
                let server = try link.server(after: generation)
                generation = server.generation
                connection = try HTTPConnection(url: server.url, timeout: 120)
                open = connection
            }
            number += 1
            // Whole sixteenths are the same in every type on the way.
            let input = (0..<name.shape.reduce(1, *)).map { _ in Double(Int(random.next() % 128)) / 16 - 4 }
            let id = random.next() % Self.unnamed == 0 ? nil : "\(caller)-\(number)"
            let started = SystemTime.monotonicNanoseconds
            let response: HTTPResponse
            do {
                response = try connection.send(
                    .post, "/v2/models/\(name)/infer", headers: ["Content-Type": "application/json"],
                    body: try request(name, id, input))
            } catch {
                guard mayEnd else { throw error }
                note { $0.cut += 1 }
                open = nil
                continue
            }
            try take(response, of: name, id, input, seconds: Double(SystemTime.monotonicNanoseconds - started) / 1e9)
        }
    }

    private func request(_ name: AskedModels.Name, _ id: String?, _ input: [Double]) throws -> [UInt8] {
        let tensor: JSONValue = [
            "name": .string(name.input), "datatype": .string(name.type.rawValue),
            "shape": .array(name.shape.map { .integer(Int64($0)) }), "data": .array(input.map { .number($0) }),
        ]
        var document: [String: JSONValue] = ["inputs": [tensor]]
        document["id"] = id.map { .string($0) }
        return try JSON.canonical(JSONValue.object(document))
    }

    private func take(
        _ response: HTTPResponse, of name: AskedModels.Name, _ id: String?, _ input: [Double], seconds: Double
    ) throws {
        let document = try? JSON.decode(JSONValue.self, from: response.bytes)
        guard response.status == .ok else {
            let isClean = document?["error"]?.string?.isEmpty == false
            guard mayRefuse.contains(name), response.status == .serviceUnavailable, isClean else {
                throw Unmet("it was answered \(response.status.code): \(response.text)")
            }
            note { $0.refused += 1 }
            // Who is told to come again later does not come at once.
            return pass(0.02)
        }
        // A single precision's shortest text is another double than the number itself.
        let output = (document?["outputs"]?.array?.first?["data"]?.array ?? []).compactMap(\.double).map {
            name.type == .fp32 ? Double(Float($0)) : $0
        }
        let wanted = try models.answer(name, to: input)
        guard output.count == wanted.count, zip(output, wanted).allSatisfy({ abs($0 - $1) < 1e-6 }) else {
            throw Unmet("\(input) was answered \(output), not \(wanted)")
        }
        guard let id = id ?? response.headers["X-Prediction-Id"] else { throw Unmet("an answer without an id") }
        note { outcome in
            if outcome.ledger.told[id] != nil { outcome.problems.append("the id \(id) was given twice") }
            outcome.ledger.add(id, .init(model: name, input: input, output: output))
            outcome.answered[name, default: 0] += 1
            if !mayRefuse.contains(name) { outcome.longest = max(outcome.longest, seconds) }
        }
    }
}
