import Basics
import Foundation
import Inference
import Serving
import Synchronization
import Testing

/// Whoever asks gets the answer to its own rows, whatever else is asked at the same time.
@Suite(.timeLimit(.minutes(1)))
struct OwnRowsTests {
    @Test func underLoad() async throws {
        let crowd = try Crowd(models: 6, seed: 7)
        #expect(try await crowd.ask(20_000, callers: 64) == Crowd.Tally(answered: 20_000, wrong: 0))
        #expect(crowd.mostRowsAtOnce > 64)
    }

    @Test func whileModelsAreSwapped() async throws {
        let crowd = try Crowd(models: 6, seed: 8)
        #expect(
            try await crowd.ask(20_000, callers: 64, swapping: .milliseconds(5))
                == Crowd.Tally(answered: 20_000, wrong: 0))
        #expect(crowd.swaps > 5)
        try await eventually("models that were replaced are gone") { crowd.living == 6 }
    }
}

/// The same, a million times.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] == "1"))
struct OwnRowsSoak {
    @Test func underLoad() async throws {
        let crowd = try Crowd(models: 12, seed: Self.seed)
        #expect(try await crowd.ask(1_000_000, callers: 96) == Crowd.Tally(answered: 1_000_000, wrong: 0))
        print("own rows: 1000000 requests, up to \(crowd.mostRowsAtOnce) rows at once")
    }

    @Test func whileModelsAreSwapped() async throws {
        let crowd = try Crowd(models: 12, seed: Self.seed &+ 1)
        #expect(
            try await crowd.ask(1_000_000, callers: 96, swapping: .milliseconds(100))
                == Crowd.Tally(answered: 1_000_000, wrong: 0))
        try await eventually("models that were replaced are gone") { crowd.living == 12 }
        print("own rows: 1000000 requests while models were swapped \(crowd.swaps) times")
    }

    private static var seed: UInt64 {
        ProcessInfo.processInfo.environment["MODELWORKS_SEED"].flatMap { UInt64($0) } ?? 1
    }
}

/// Callers of many models with requests of all sizes and shapes.
final class Crowd: Sendable {
    struct Tally: Equatable {
        var answered = 0
        var wrong = 0
    }

    private let repository: ModelRepository
    private let names: [String]
    private let seed: UInt64
    private let count = Mutex((swaps: 0, most: 0))
    private let alive = Atomic<Int>(0)

    init(models: Int, seed: UInt64) throws {
        repository = ModelRepository(time: SystemTime(), random: SystemRandom())
        names = (0..<models).map { "model\($0)" }
        self.seed = seed
        for place in names.indices { register(place) }
    }

    var swaps: Int { count.withLock { $0.swaps } }
    var mostRowsAtOnce: Int { count.withLock { $0.most } }
    /// Models in memory.
    var living: Int { alive.load(ordering: .acquiring) }

    /// Puts a new model in the place of an old one: some are quick, some slow, one of them at odd times only.
    private func register(_ place: Int) {
        let delays = SeededRandom(seed: seed &+ UInt64(place))
        let kind = place % 3
        var behaviour = StubModel.Behaviour()
        behaviour.nanoseconds = { rows in
            switch kind {
            case 0: 0
            case 1: 60_000 + UInt64(rows) * 2000
            default: delays.next() % 8 == 0 ? 400_000 : 0
            }
        }
        alive.wrappingAdd(1, ordering: .acquiringAndReleasing)
        let model = StubModel(behaviour) { [weak self] in
            self?.alive.wrappingSubtract(1, ordering: .acquiringAndReleasing)
        }
        repository.register(
            ServedModel(
                name: names[place], version: "1", model: model,
                configuration: ModelConfiguration(maxBatchSize: 200, instances: 1 + place % 2), time: SystemTime()))
    }

    /// Asks `requests` requests of 1 to 64 rows in all, from `callers` tasks.
    func ask(_ requests: Int, callers: Int, swapping interval: Duration? = nil) async throws -> Tally {
        let swapper = interval.map { interval in
            Task {
                var place = 0
                while !Task.isCancelled {
                    register(place % names.count)
                    count.withLock { $0.swaps += 1 }
                    place += 1
                    try? await Task.sleep(for: interval)
                }
            }
        }
        defer { swapper?.cancel() }
        let tally = try await withThrowingTaskGroup(of: Tally.self, returning: Tally.self) { group in
            for caller in 0..<callers {
                let share = requests / callers + (caller < requests % callers ? 1 : 0)
                group.addTask {
                    try await self.ask(share, random: SeededRandom(seed: self.seed &* 1000 &+ UInt64(caller)))
                }
            }
            return try await group.reduce(into: Tally()) {
                $0.answered += $1.answered
                $0.wrong += $1.wrong
            }
        }
        swapper?.cancel()
        await swapper?.value
        return tally
    }

    private func ask(_ requests: Int, random: SeededRandom) async throws -> Tally {
        var tally = Tally()
        for _ in 0..<requests {
            let model = try repository.model(names[Int(random.next() % UInt64(names.count))], version: nil)
            let first = Double(random.next() % 1_000_000_000)
            let rows = 1 + Int(random.next() % 64)
            let width = 1 + Int(random.next() % 3)
            let wanted = [[0], [1], [1, 0]][Int(random.next() % 3)]
            let request = try StubModel.request(first, rows: rows, width: width, wanted: wanted)
            let here = random.next() % 2 == 0 ? try model.inferHere(request.input) : nil
            let outcome: InferenceOutcome
            if let here { outcome = here } else { outcome = try await model.infer(request.input) }
            tally.answered += 1
            if !request.isAnswered(by: outcome.outputs) { tally.wrong += 1 }
            count.withLock { $0.most = max($0.most, outcome.batchRows) }
        }
        return tally
    }
}
