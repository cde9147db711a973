import Basics
import ObjectStorage
import Serving
import Telemetry

/// Follows the splits of all endpoints: counts what becomes of their arms, moves the shares of bandits, and says once when
/// arms can be told apart. Who answers for good is left to people.
public actor SplitService {
    /// What is known of a split.
    public struct Report: Sendable, Codable {
        public var split: TrafficSplit
        public var arms: [SplitAnalysis.ArmReport]
        /// Nil as long as nothing can be said.
        public var finding: String?
    }

    private struct Followed {
        var id: String
        var analysis: SplitAnalysis
        var exposures = RecordPosition.start
        /// The last label that was read.
        var label: RecordPosition?
        /// How many labels had counted when the shares were last moved.
        var labelsAtMove = 0
    }

    /// Labels after which the shares of a bandit are moved again.
    private static let labelsPerMove = 50
    /// A share that moves by less stays, so that not every turn changes the traffic.
    private static let leastMove = 0.01
    private static let principal = "system:split"

    private let endpoints: EndpointStore
    private let random: any RandomSource
    private let logger: Logger
    private let worker = BlockingThread(name: "splits")
    private var followed: [String: Followed] = [:]

    public init(endpoints: EndpointStore, random: any RandomSource, logger: Logger) {
        self.endpoints = endpoints
        self.random = random
        self.logger = logger
    }

    /// For a new split.
    public nonisolated func newIdentifier() -> String { random.identifier() }

    /// What the split of an endpoint has come to, by all that is recorded now.
    ///
    /// - Throws: ``AutomationFailure/notSplit(endpoint:)`` where its traffic is not split.
    public func report(of name: String) async throws -> Report {
        guard let split = try endpoints.table.endpoint(name).traffic?.split else {
            throw AutomationFailure.notSplit(endpoint: name)
        }
        let state = try await read(name, split)
        return Report(
            split: split, arms: state.analysis.report(split), finding: split.finding ?? state.analysis.finding)
    }

    /// One turn over all endpoints. What goes wrong with one is logged, and the others go on.
    func tick() async throws {
        for endpoint in endpoints.table.all {
            let name = endpoint.definition.name
            guard let traffic = endpoint.traffic, let split = traffic.split else {
                followed[name] = nil
                continue
            }
            do { try await follow(name, traffic, split) } catch ServingFailure.trafficChanged {
                continue
            } catch let error as CancellationError {
                throw error
            } catch {
                logger.error(
                    "a split can not be followed", ["endpoint": .string(name), "error": .string("\(error)")])
            }
        }
    }

    private func follow(_ name: String, _ traffic: TrafficPolicy, _ split: TrafficSplit) async throws {
        let state = try await read(name, split)
        var next = split
        if split.finding == nil { next.finding = state.analysis.finding }
        if state.analysis.labels - state.labelsAtMove >= Self.labelsPerMove, let shares = state.analysis.shares(random)
        {
            let moved = split.sharing(shares)
            if zip(moved.arms, split.arms).contains(where: { abs($0.share - $1.share) >= Self.leastMove }) {
                next.arms = moved.arms
            }
            followed[name]?.labelsAtMove = state.analysis.labels
        }
        guard next != split else { return }
        var changed = traffic
        changed.split = next
        let isFinding = next.finding != split.finding
        try await endpoints.set(
            changed, on: name, type: isFinding ? "endpoint.split_decided" : "endpoint.shares_moved",
            reason: isFinding ? next.finding ?? "" : "what became of \(state.analysis.labels) answers",
            facts: ["arms": try JSON.value(state.analysis.report(next))], by: Self.principal, from: traffic)
    }

    /// Reads on in the records of an endpoint.
    private func read(_ name: String, _ split: TrafficSplit) async throws -> Followed {
        var state = followed[name] ?? Followed(id: split.id, analysis: SplitAnalysis(split))
        if state.id != split.id { state = Followed(id: split.id, analysis: SplitAnalysis(split)) }
        // Labels first: what they are of was exposed before they came, and so is read after them.
        let labels = try await endpoints.labels(of: name).labels(from: state.label ?? .start)
        let from = state.exposures
        let start = state
        let exposures = try await endpoints.exposures(of: name, from: from)
        state = try await worker.run {
            var state = start
            var read: [LabelRecord] = []
            try labels.read { label, position in
                guard position != state.label else { return }
                state.label = position
                read.append(label)
            }
            try exposures.read { exposure, next in
                state.exposures = next
                state.analysis.add(exposure)
            }
            for label in read { state.analysis.add(label) }
            return state
        }
        followed[name] = state
        return state
    }
}
