import Basics
import Inference
import Serving
import Synchronization
import Telemetry
import Testing

/// How requests get their turn at a model.
@Suite(.timeLimit(.minutes(1)))
struct BatcherTests {
    private let metrics = MetricsRegistry()

    private func serve(_ model: StubModel, _ configuration: ModelConfiguration) -> ServedModel {
        ServedModel(
            name: "stub", version: "1", model: model, configuration: configuration, time: SystemTime(), metrics: metrics
        )
    }

    /// A model that is busy with a first request, and the requests that came meanwhile in the order of `requests`.
    private func answer(
        _ requests: [InferenceRequest], _ behaviour: StubModel.Behaviour = .init(),
        _ configuration: ModelConfiguration = ModelConfiguration(
            instances: 1, latencyBudgetMicroseconds: 60_000_000)
    ) async throws -> (model: StubModel, served: ServedModel, results: [Result<InferenceOutcome, any Error>]) {
        var behaviour = behaviour
        behaviour.isGated = true
        let model = StubModel(behaviour)
        let served = serve(model, configuration)
        let first = try StubModel.request(1)
        async let begun = served.infer(first.input)
        try await eventually("the model is busy") { model.runs.count == 1 }
        let results = try await withThrowingTaskGroup(
            of: (Int, Result<InferenceOutcome, any Error>).self,
            returning: [Result<InferenceOutcome, any Error>].self
        ) { group in
            for (place, request) in requests.enumerated() {
                group.addTask {
                    do { return (place, .success(try await served.infer(request.input))) } catch {
                        return (place, .failure(error))
                    }
                }
                try await eventually("the request waits") { served.waiting == place + 1 }
            }
            model.open(100)
            var results: [Int: Result<InferenceOutcome, any Error>] = [:]
            for try await (place, result) in group { results[place] = result }
            return requests.indices.compactMap { results[$0] }
        }
        _ = try await begun
        for (request, result) in zip(requests, results) {
            if case .success(let outcome) = result { #expect(request.isAnswered(by: outcome.outputs)) }
        }
        return (model, served, results)
    }

    private func closes(_ reason: String) -> UInt64 {
        metrics.counter(
            "modelworks_model_batches_total", help: "",
            labels: ["model": "stub", "version": "1", "closed": reason]
        ).value
    }

    @Test func runsTogetherWhatHasWaited() async throws {
        let requests = try (0..<5).map { try StubModel.request(Double($0 * 100), rows: $0 + 1) }
        let (model, served, results) = try await answer(requests)
        #expect(model.runs == [1, 15])
        for result in results { #expect(try result.get().batchRows == 15) }
        let reading = served.statistics.read()
        #expect(reading.inferences == 16)
        #expect(reading.executions == 2)
        #expect(reading.success.count == 6)
        #expect(reading.queue.count == 6)
        #expect(reading.batches.mapValues(\.infer.count) == [1: 1, 15: 1])
        #expect(closes("empty") == 2)
    }

    @Test func keepsShapesAndWantedOutputsApart() async throws {
        let requests = [
            try StubModel.request(10), try StubModel.request(20, width: 2), try StubModel.request(30),
            try StubModel.request(40, width: 2), try StubModel.request(50, wanted: [1, 0]),
        ]
        let (model, _, results) = try await answer(requests)
        #expect(model.runs == [1, 2, 2, 1])
        #expect(results.allSatisfy { (try? $0.get()) != nil })
        #expect(closes("shape") == 2)
        #expect(closes("empty") == 2)
    }

    @Test func closesAtTheMostRows() async throws {
        let requests = try (0..<5).map { try StubModel.request(Double($0), rows: 2) }
        let (model, _, _) = try await answer(requests, .init(), ModelConfiguration(maxBatchSize: 4, instances: 1))
        #expect(model.runs == [1, 4, 4, 2])
        #expect(closes("full") == 2)
    }

    @Test func runsALargerRequestAlone() async throws {
        let requests = [try StubModel.request(1, rows: 9), try StubModel.request(1, rows: 1)]
        let (model, _, _) = try await answer(requests, .init(), ModelConfiguration(maxBatchSize: 4, instances: 1))
        #expect(model.runs == [1, 9, 1])
    }

    @Test func closesAtTheLatencyBudget() async throws {
        // The first run teaches at least 2 ms for a row, so that two rows are what a budget of 3 ms lets through: twice
        // what the first one takes.
        let requests = try (0..<4).map { try StubModel.request(Double($0)) }
        let (model, _, _) = try await answer(
            requests, .init(nanoseconds: { UInt64($0) * 2_000_000 }),
            ModelConfiguration(instances: 1, latencyBudgetMicroseconds: 3000))
        #expect(model.runs == [1, 2, 2])
        #expect(closes("budget") == 1)
    }

    @Test func lowerPrioritiesWait() async throws {
        var configuration = ModelConfiguration(maxBatchSize: 1, instances: 1)
        configuration.priorityLevels = 3
        configuration.defaultPriorityLevel = 2
        // Rows tell who went when.
        let requests = [
            try StubModel.request(1, rows: 2, priority: 3), try StubModel.request(1, rows: 3),
            try StubModel.request(1, rows: 4, priority: 1), try StubModel.request(1, rows: 5, priority: 1),
            try StubModel.request(1, rows: 6, priority: 9),
        ]
        let (model, _, _) = try await answer(requests, .init(), configuration)
        #expect(model.runs == [1, 4, 5, 3, 2, 6])
        #expect(closes("alone") == 6)
    }

    @Test func oneBadRequestFailsNoOther() async throws {
        let requests = [try StubModel.request(5), try StubModel.request(-5), try StubModel.request(7)]
        let (model, served, results) = try await answer(requests, .init(refusesNegative: true))
        #expect(model.runs == [1, 3, 1, 1, 1])
        #expect((try? results[0].get()) != nil)
        #expect(throws: StubFailed.self) { try results[1].get() }
        #expect((try? results[2].get()) != nil)
        #expect(served.statistics.read().failure.count == 1)
    }

    @Test func aModelThatMixesRowsIsAskedAloneFromThenOn() async throws {
        let requests = try (0..<3).map { try StubModel.request(Double($0)) }
        var behaviour = StubModel.Behaviour()
        behaviour.extraRows = 1
        behaviour.isGated = true
        let model = StubModel(behaviour)
        let served = serve(model, ModelConfiguration(instances: 1))
        model.open(100)
        for _ in 0..<2 {
            try await withThrowingTaskGroup(of: InferenceOutcome.self) { group in
                for request in requests { group.addTask { try await served.infer(request.input) } }
                for try await outcome in group { #expect(outcome.outputs.first?.shape == [2, 1]) }
            }
        }
        #expect(model.runs.filter { $0 > 1 }.count <= 1)
    }

    @Test func modelsThatDoNotStackRunAlone() async throws {
        let (model, _, _) = try await answer(
            try (0..<3).map { try StubModel.request(Double($0)) }, .init(stacksRows: false))
        #expect(model.runs == [1, 1, 1, 1])
        #expect(closes("alone") == 4)
    }

    @Test func refusesWhatTheQueueDoesNotHold() async throws {
        let model = StubModel(.init(isGated: true))
        let served = serve(model, ModelConfiguration(maxQueueSize: 2, instances: 1))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await served.infer(try StubModel.request(1).input) }
            try await eventually("the model is busy") { model.runs.count == 1 }
            for _ in 0..<2 { group.addTask { _ = try await served.infer(try StubModel.request(1).input) } }
            try await eventually("the queue is full") { served.waiting == 2 }
            await #expect {
                _ = try await served.infer(try StubModel.request(1).input)
            } throws: { error in
                guard case ServingFailure.queueFull("stub", 2) = error else { return false }
                return (error as? any Failure)?.code == .unavailable
            }
            model.open(3)
            try await group.waitForAll()
        }
    }

    @Test func whatHasExpiredIsNeverRun() async throws {
        let soon = SystemTime.monotonicNanoseconds + 30_000_000
        let model = StubModel(.init(isGated: true))
        let served = serve(model, ModelConfiguration(instances: 1))
        async let first = served.infer(try StubModel.request(1).input)
        try await eventually("the model is busy") { model.runs.count == 1 }
        let late = Task { try await served.infer(try StubModel.request(2, rows: 2, deadline: soon).input) }
        try await eventually("the request waits") { served.waiting == 1 }
        try await eventually("the deadline has passed") { SystemTime.monotonicNanoseconds > soon }
        model.open(9)
        _ = try await first
        await #expect(throws: ServingFailure.self) { _ = try await late.value }
        #expect(model.runs == [1])
        // One that has passed already does not even wait.
        await #expect(throws: ServingFailure.self) {
            _ = try await served.infer(try StubModel.request(2, deadline: 1).input)
        }
    }

    @Test func whoLeavesIsDropped() async throws {
        let model = StubModel(.init(isGated: true))
        let served = serve(model, ModelConfiguration(instances: 1))
        async let first = served.infer(try StubModel.request(1).input)
        try await eventually("the model is busy") { model.runs.count == 1 }
        let leaver = Task { try await served.infer(try StubModel.request(2, rows: 2).input) }
        try await eventually("the request waits") { served.waiting == 1 }
        leaver.cancel()
        await #expect(throws: CancellationError.self) { _ = try await leaver.value }
        #expect(served.waiting == 0)
        model.open(9)
        _ = try await first
        #expect(model.runs == [1])
    }

    @Test func runsAsManyAtOnceAsItHasInstances() async throws {
        let model = StubModel(.init(nanoseconds: { _ in 1_000_000 }))
        let served = serve(model, ModelConfiguration(maxBatchSize: 1, instances: 3))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<40 { group.addTask { _ = try await served.infer(try StubModel.request(1).input) } }
            try await group.waitForAll()
        }
        #expect(model.mostAtOnce <= 3)
        #expect(model.runs.count == 40)
    }

    @Test func quickModelsRunWhereTheRequestIs() async throws {
        let model = StubModel()
        let served = serve(model, ModelConfiguration())
        // Nothing is known of it yet.
        #expect(try served.inferHere(try StubModel.request(1).input) == nil)
        for _ in 0..<5 { _ = try await served.infer(try StubModel.request(1).input) }
        let request = try StubModel.request(3)
        let outcome = try #require(try served.inferHere(request.input))
        #expect(request.isAnswered(by: outcome.outputs))
        let slow = serve(StubModel(.init(nanoseconds: { _ in 500_000 })), ModelConfiguration())
        for _ in 0..<3 { _ = try await slow.infer(try StubModel.request(1).input) }
        #expect(try slow.inferHere(try StubModel.request(1).input) == nil)
    }

    @Test func oneCallerNeverWaitsForCompany() async throws {
        // A delay of ten minutes: whoever waited for it would not end.
        var configuration = ModelConfiguration(maxQueueDelayMicroseconds: 600_000_000, instances: 2)
        configuration.preferredBatchSizes = [64]
        let served = serve(StubModel(.init(nanoseconds: { _ in 200_000 })), configuration)
        for _ in 0..<20 {
            let outcome = try await served.infer(try StubModel.request(1).input)
            #expect(outcome.batchRows == 1)
        }
    }

    @Test func holdsBackWhereItIsConfigured() async throws {
        var configuration = ModelConfiguration(maxQueueDelayMicroseconds: 600_000_000, instances: 2)
        configuration.preferredBatchSizes = [3]
        let model = StubModel(.init(isGated: true))
        let served = serve(model, configuration)
        try await withThrowingTaskGroup(of: Void.self) { group in
            func ask(rows: Int) {
                group.addTask { _ = try await served.infer(try StubModel.request(1, rows: rows).input) }
            }
            ask(rows: 5)
            try await eventually("the model is busy") { model.runs == [5] }
            ask(rows: 1)
            try await eventually("it waits") { served.waiting == 1 }
            ask(rows: 1)
            try await eventually("both wait") { served.waiting == 2 }
            #expect(model.runs == [5])
            ask(rows: 1)
            try await eventually("three are preferred") { model.runs == [5, 3] }
            model.open(2)
            try await group.waitForAll()
        }
    }

    @Test func tensorsAreCheckedFirst() async throws {
        let served = serve(StubModel(), ModelConfiguration())
        let wrong = [
            InferenceInput(tensors: [], wanted: [0]),
            InferenceInput(tensors: [try Tensor(.fp32, shape: [1, 1], values: [Float(1)])], wanted: [0]),
            InferenceInput(tensors: [try Tensor(.fp64, shape: [1], values: [1.0])], wanted: [0]),
            InferenceInput(tensors: [try Tensor(.fp64, shape: [1, 1], values: [1.0])], wanted: [2]),
            InferenceInput(tensors: [try Tensor(.fp64, shape: [1, 1], values: [1.0])], wanted: [0, 0]),
        ]
        for input in wrong {
            await #expect {
                _ = try await served.infer(input)
            } throws: {
                ($0 as? any Failure)?.code == .invalidArgument
            }
        }
        #expect(served.statistics.read().failure.count == 5)
    }
}

extension InferenceRequest {
    var input: InferenceInput {
        InferenceInput(tensors: [tensor], wanted: wanted, deadline: deadline, priority: priority)
    }
}
