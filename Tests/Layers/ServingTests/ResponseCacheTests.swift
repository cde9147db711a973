import Basics
import Inference
import Testing

@testable import Serving

/// Answers that are given again.
@Suite(.timeLimit(.minutes(1)))
struct ResponseCacheTests {
    private func serve(_ model: StubModel, _ settings: ModelConfiguration.ResponseCacheSettings = .init())
        -> ServedModel
    {
        ServedModel(
            name: "stub", version: "1", model: model,
            configuration: ModelConfiguration(maxBatchSize: 1, responseCache: settings), time: SystemTime())
    }

    @Test func theSameQuestionIsAnsweredOnce() async throws {
        let model = StubModel()
        let served = serve(model)
        let request = try StubModel.request(3, rows: 2)
        for _ in 0..<5 {
            #expect(request.isAnswered(by: try await served.infer(request.input).outputs))
        }
        #expect(model.runs == [2])
        let here = try #require(try served.inferHere(request.input))
        #expect(request.isAnswered(by: here.outputs))
        let reading = served.statistics.read()
        #expect(reading.cacheHit.count == 5)
        #expect(reading.cacheMiss.count == 1)
        #expect(reading.success.count == 6)
        #expect(reading.inferences == 2)
    }

    @Test func anotherQuestionIsAnother() async throws {
        let model = StubModel()
        let served = serve(model)
        let values = [1.0, 2, 3, 4]
        let questions = [
            try StubModel.request(1, rows: 4), try StubModel.request(1, rows: 2, width: 2),
            try StubModel.request(1, rows: 1, width: 4), try StubModel.request(1, rows: 4, wanted: [1]),
            try StubModel.request(1, rows: 4, wanted: [0, 1]), try StubModel.request(1, rows: 4, wanted: [1, 0]),
            try StubModel.request(2, rows: 4),
        ]
        for question in questions + questions {
            #expect(question.isAnswered(by: try await served.infer(question.input).outputs))
        }
        #expect(model.runs.count == questions.count)
        let types = [
            InferenceInput(tensors: [try Tensor(.fp64, shape: [4], values: values)], wanted: [0]),
            InferenceInput(
                tensors: [try Tensor(.int64, shape: [4], values: values.map { Int64(bitPattern: $0.bitPattern) })],
                wanted: [0]),
        ]
        #expect(Set(types.map(ResponseCache.key)).count == 2)
    }

    @Test func whoAsksMeanwhileWaitsForTheFirst() async throws {
        let model = StubModel(.init(isGated: true))
        let served = serve(model)
        let request = try StubModel.request(7)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 {
                group.addTask { request.isAnswered(by: try await served.infer(request.input).outputs) }
            }
            try await eventually("one runs") { model.runs.count == 1 }
            model.open(20)
            for try await isRight in group { #expect(isRight) }
        }
        #expect(model.runs.count == 1)
    }

    @Test func aFailureIsNotKept() async throws {
        let model = StubModel(.init(refusesNegative: true))
        let served = serve(model)
        for _ in 0..<2 {
            await #expect(throws: StubFailed.self) {
                _ = try await served.infer(try StubModel.request(-1).input)
            }
        }
        #expect(model.runs.count == 2)
    }

    @Test func keepsToItsBytes() throws {
        // Each answer takes 408 bytes, so that a half holds two.
        let cache = ResponseCache(.init(bytes: 2000))
        let keys = try (0..<5).map { ResponseCache.key(try StubModel.request(Double($0)).input) }
        let outcome = InferenceOutcome(outputs: [try Tensor(.fp64, shape: [1], values: [1.0])])
        for key in keys { cache.keep(outcome, for: key) }
        #expect(keys.map { cache.find($0) != nil } == [false, false, true, true, true])
        let large = InferenceOutcome(outputs: [
            try Tensor(.fp64, shape: [1000], values: [Double](repeating: 0, count: 1000))
        ])
        cache.keep(large, for: keys[0])
        #expect(cache.find(keys[0]) == nil)
    }

    @Test func anAnswerGrowsOld() async throws {
        let cache = ResponseCache(.init(bytes: 100_000, seconds: 1))
        let key = ResponseCache.key(try StubModel.request(1).input)
        cache.keep(InferenceOutcome(outputs: []), for: key)
        #expect(cache.find(key) != nil)
        try await eventually("it has grown old") { cache.find(key) == nil }
    }
}
