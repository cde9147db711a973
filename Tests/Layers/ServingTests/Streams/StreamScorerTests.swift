import Basics
import Engines
import Foundation
import Inference
import Telemetry
import Testing

@testable import Serving
@testable import Streams

/// On the cluster of tests a group's first join takes 3 s.
@Suite struct StreamScorerSlowTests {
    @Test func everyEventIsScoredOnceAcrossRestarts() async throws {
        try await StreamScorerTests().everyEventIsScoredOnceAcrossRestarts(.kafka)
    }

    @Test func twoScorersShareThePartitionsAndScoreNothingTwice() async throws {
        try await StreamScorerTests().twoScorersShareThePartitionsAndScoreNothingTwice(.kafka)
    }
}

@Suite struct StreamScorerTests {
    @Test(arguments: [StreamEngine.log])
    func everyEventIsScoredOnceAcrossRestarts(_ engine: StreamEngine) async throws {
        // Fewer partitions go out than come in: two of them share one.
        let bench = try await ScoringBench(engine, partitions: 3, outputs: 2)
        let bad = ["", "{", "[1]", #"{"id": "b"}"#, #"{"x": "text"}"#, #"{"x": [[1], [2]]}"#, #"{"x": -1}"#]
        var number = 0
        for round in 0..<2 {
            let streams = try await bench.store.open()
            let records =
                (number..<number + 300).map { ScoringBench.event($0) }
                + bad.map { StreamRecord(key: "bad", value: $0) }
            number += 300
            try await streams.publish(records, to: bench.scoring.from)
            let metrics = MetricsRegistry()
            let scorer = try bench.scorer(
                on: streams, model: StubModel(.init(refusesNegative: true)), metrics: metrics)
            let work = Task { try await scorer.run() }
            try await bench.wait(for: Int64((round + 1) * (300 + bad.count)), on: streams)
            work.cancel()
            try await work.value
            let status = await scorer.status()
            #expect(status.model == "stub" && status.version == "1")
            #expect(status.scored <= 300 && status.rejected <= UInt64(bad.count))
            #expect(metrics.prometheusText().contains("modelworks_stream_scorer_events_total"))
            await streams.close()
        }
        let streams = try await bench.store.open()
        let answers = try await bench.outputs(bench.scoring.to, on: streams)
        bench.expectOnce((0..<number).map { "e\($0)" }, in: answers.sorted { $0.mark.offset < $1.mark.offset })
        // As they lie there, without sorting: each partition of the input in its order.
        bench.expectOnce((0..<number).map { "e\($0)" }, in: answers)
        for answer in answers {
            let value = try #require(answer.id?.dropFirst().description).description
            #expect(answer.double == Double(value).map { $0 * 2 })
            #expect(answer.value["outputs"]?["less"]?.double == Double(value).map { $0 - 1 })
            #expect(answer.value["model"]?["name"]?.string == "stub")
            #expect(answer.value["source"]?["offset"]?.integer == answer.mark.offset)
            #expect(answer.key == Int(value).map { Array("k\($0 % 11)".utf8) })
            #expect(Timestamp(answer.value["scored_at"]?.string ?? "") != nil)
        }
        let letters = try await bench.outputs(bench.scoring.deadLetters, on: streams)
        #expect(letters.map { String(decoding: $0.bytes, as: UTF8.self) } == bad + bad)
        let reasons = Array(letters.compactMap(\.reason).prefix(bad.count))
        #expect(reasons[1].hasPrefix("the event is no JSON"))
        #expect(reasons[2] == "the event is no JSON object")
        #expect(reasons[3] == "the event has no 'x'; it has 'id'" || reasons[3] == "the event has no 'x'")
        #expect(reasons[4] == "'x' takes numbers of FP64 and was given a text")
        #expect(reasons[5] == "'x' has the shape [-1] and was given [2, 1]")
        let positions = try await StreamPositions.of(bench.scoring, on: streams)
        #expect(positions.partitions.allSatisfy { $0.lag == 0 })
        #expect(positions.rejected == Int64(2 * bad.count))
        await streams.close()
    }

    /// A broker that keeps no transaction together may leave any part of the newest batch behind.
    @Test func whatABrokenTransactionLeftIsCompleted() async throws {
        for seed in UInt64(1)...6 {
            let random = SeededRandom(seed: seed)
            let bench = try await ScoringBench(.log, partitions: 1, rows: 10)
            let streams = try await bench.store.open()
            let records = (0..<50).map { number in
                number % 4 == 3 ? StreamRecord(key: "k", value: "bad \(number)") : ScoringBench.event(number, keys: 1)
            }
            try await streams.publish(records, to: bench.scoring.from)
            let single = try await ScoringBench.single(bench, streams)
            // Two batches of ten are whole; of the third each topic has a beginning of its own length.
            let answers = (0..<30).filter { $0 % 4 != 3 }
            let letters = (0..<30).filter { $0 % 4 == 3 }
            func leave(_ numbers: [Int], _ topic: TopicName) async throws {
                let whole = numbers.filter { $0 < 20 }
                let part = numbers.filter { $0 >= 20 }
                let kept = whole + part.prefix(Int(random.next() % UInt64(part.count + 1)))
                for number in kept {
                    let mark = SourceMark(
                        scorer: "test/scorer", topic: "events", partition: 0, offset: Int64(number),
                        base: Int64(number / 10 * 10))
                    var record = records[number]
                    if topic == single.scoring.to {
                        record.value = Array(#"{"id": "e\#(number)", "outputs": {"double": \#(number * 2)}}"#.utf8)
                    }
                    record.headers.append(mark.encoded)
                    try await streams.publish([StreamRecord(value: record.value, headers: record.headers)], to: topic)
                }
            }
            try await leave(answers, single.scoring.to)
            try await leave(letters, single.scoring.deadLetters)
            try await single.scorer(on: streams).run(untilIdle: .zero)
            let found = try await single.outputs(single.scoring.to, on: streams)
            single.expectOnce((0..<50).filter { $0 % 4 != 3 }.map { "e\($0)" }, in: found)
            for answer in found { #expect(answer.double == Double(answer.id?.dropFirst() ?? "").map { $0 * 2 }) }
            let rejected = try await single.outputs(single.scoring.deadLetters, on: streams)
            #expect(rejected.map(\.mark.offset) == (0..<50).filter { $0 % 4 == 3 }.map(Int64.init))
            await streams.close()
        }
    }

    @Test func aModelThatIsAwayIsAskedAgain() async throws {
        let bench = try await ScoringBench(.log)
        let streams = try await bench.store.open()
        try await streams.publish((0..<20).map { ScoringBench.event($0) }, to: bench.scoring.from)
        let scorer = try bench.scorer(on: streams, model: MoodyModel(away: 100))
        let work = Task { try await scorer.run() }
        try await bench.wait(for: 20, on: streams)
        work.cancel()
        try await work.value
        bench.expectOnce((0..<20).map { "e\($0)" }, in: try await bench.outputs(bench.scoring.to, on: streams))
        #expect(await scorer.status().failures > 0)
        #expect(try await bench.outputs(bench.scoring.deadLetters, on: streams).isEmpty)
        await streams.close()
    }

    @Test func anEventThatBringsTheModelDownStopsNoOther() async throws {
        let bench = try await ScoringBench(.log, partitions: 1)
        let streams = try await bench.store.open()
        try await streams.publish((0..<20).map { ScoringBench.event($0) }, to: bench.scoring.from)
        try await bench.scorer(on: streams, model: MoodyModel(poison: 7)).run(untilIdle: .zero)
        let rest = (0..<20).filter { $0 != 7 }.map { "e\($0)" }
        bench.expectOnce(rest, in: try await bench.outputs(bench.scoring.to, on: streams))
        let letters = try await bench.outputs(bench.scoring.deadLetters, on: streams)
        #expect(letters.map(\.reason) == ["the model is away"])
        await streams.close()
    }

    @Test(arguments: [StreamEngine.log])
    func twoScorersShareThePartitionsAndScoreNothingTwice(_ engine: StreamEngine) async throws {
        let bench = try await ScoringBench(engine, partitions: 4)
        // Two processes on a cluster; on the local log two scorers of one.
        let first = try await bench.store.open()
        let second = engine == .kafka ? try await bench.other().open() : first
        let publishing = Task {
            var number = 0
            while !Task.isCancelled {
                try await first.publish(
                    (number..<number + 10).map { ScoringBench.event($0, keys: 101) }, to: bench.scoring.from)
                number += 10
                try? await Task.sleep(for: .milliseconds(10))
            }
            return number
        }
        let (one, other) = (try bench.scorer(on: first), try bench.scorer(on: second))
        let working = Task { try await one.run() }
        try await bench.wait(for: 50, on: first)
        let joining = Task { try await other.run() }
        try await until("the second has scored") { await other.status().scored > 50 }
        working.cancel()
        try await working.value
        let before = await other.status().partitions.count
        try await until("the second has all") { await other.status().partitions.count == 4 }
        publishing.cancel()
        let count = try await publishing.value
        try await bench.wait(for: Int64(count), on: first)
        joining.cancel()
        try await joining.value
        #expect(before < 4, "they shared")
        let answers = try await bench.outputs(bench.scoring.to, on: first)
        bench.expectOnce((0..<count).map { "e\($0)" }, in: answers)
        if engine == .kafka { await second.close() }
        await first.close()
    }

    private func until(_ what: String, _ condition: () async -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while await !condition() {
            try #require(ContinuousClock.now < deadline, "\(what): not in time")
            try await Task.sleep(for: .milliseconds(5))
        }
    }
}

extension ScoringBench {
    /// The same with output topics of one partition.
    static func single(_ bench: ScoringBench, _ streams: any EventStreams) async throws -> ScoringBench {
        var single = bench
        single.scoring.to = try await bench.store.topic("one", partitions: 1, on: streams)
        single.scoring.deadLetters = try await bench.store.topic("two", partitions: 1, on: streams)
        return single
    }

    /// The store as another process opens it.
    func other() throws -> StreamStore { store.with(["client_id": "other"]) }
}
