import Basics
import Engines
import SQL
import TestSupport
import Testing

@testable import Experiments

/// Histories that are packed into blocks, against a list of points that is sorted anew each time.
@Suite(.serialized) struct MetricHistoryTests {
    /// What was logged, by the rule alone: each point once, by time, step and value, NaN as a zero that comes later.
    private struct Oracle {
        private var points: [MetricPoint] = []
        private var known: Set<String> = []

        mutating func log(_ batch: [MetricPoint]) {
            for point in batch where known.insert(Self.text(point)).inserted { points.append(point) }
        }

        var history: [MetricPoint] { points.sorted { Self.rank($0) < Self.rank($1) } }

        var bySteps: [MetricPoint] {
            points.sorted { one, other in
                one.step == other.step ? Self.rank(one) < Self.rank(other) : one.step < other.step
            }
        }

        static func text(_ point: MetricPoint) -> String { "\(point.time) \(point.step) \(point.value)" }

        private static func rank(_ point: MetricPoint) -> (Int64, Int64, Double, Int) {
            (
                point.time.microseconds, point.step, point.value.isNaN ? 0 : point.value, point.value.isNaN ? 1 : 0
            )
        }
    }

    private func texts(_ points: [MetricPoint]) -> [String] { points.map(Oracle.text) }

    /// Batches as clients send them, and as they should not: late points, points twice, NaN, many and few at once.
    private func batches(_ random: SeededRandom) -> [[MetricPoint]] {
        func draw(_ count: UInt64) -> Int64 { Int64(random.next() % count) }
        var step: Int64 = 0
        var sent: [MetricPoint] = []
        return (0..<14).map { _ in
            let count = [1, 40, 255, 256, 700][Int(draw(5))]
            var batch = (0..<count).map { _ -> MetricPoint in
                step += 1
                let isLate = draw(50) == 0
                return MetricPoint(
                    key: "m", value: draw(40) == 0 ? .nan : Double(draw(1000)) / 8 - 60,
                    step: isLate ? draw(UInt64(step)) : step,
                    time: Timestamp(microseconds: 1000 * (isLate ? draw(UInt64(step)) : step)))
            }
            if draw(4) == 0 { batch += sent.suffix(Int(draw(600))) }
            sent += batch
            return batch
        }
    }

    @Test(arguments: SQLEngine.allCases)
    func packedHistoriesAreThoseThatWereLogged(_ engine: SQLEngine) async throws {
        let lab = try await Laboratory(engine)
        let random = SeededRandom(seed: 20)
        var packed = 0
        for _ in 0..<3 {
            let run = try await lab.run()
            var oracle = Oracle()
            for batch in batches(random) {
                try await lab.store.log(RunBatch(metrics: batch.map { MetricEntry($0) }), to: run)
                oracle.log(batch)
            }
            let all = texts(oracle.history)
            #expect(texts(try await lab.store.history(of: "m", run: run)) == all)
            for _ in 0..<6 {
                let limit = 1 + Int(random.next() % 900)
                let offset = Int(random.next() % UInt64(all.count + 10))
                let page = try await lab.store.history(of: "m", run: run, limit: limit, offset: offset)
                #expect(texts(page) == Array(all.dropFirst(offset).prefix(limit)))
            }
            var walked = try await lab.store.history(of: "m", run: run, limit: 333)
            while let last = walked.last {
                let page = try await lab.store.history(of: "m", run: run, after: last, limit: 333)
                guard !page.isEmpty else { break }
                walked += page
            }
            #expect(texts(walked) == all)
            for range in [nil, Int64(100)...Int64(1500)] as [ClosedRange<Int64>?] {
                let wanted = oracle.bySteps.filter { range?.contains($0.step) ?? true }
                let sampled = try await lab.store.sampledHistories(of: "m", runs: [run], steps: range, limit: 70)
                #expect(texts(sampled.first?.points ?? []) == texts(ExperimentStore.sample(wanted, 70)))
            }
            packed += try await blocks(lab)
        }
        #expect(packed > 20)
        await lab.database.close()
    }

    private func blocks(_ lab: Laboratory) async throws -> Int {
        try await lab.database.read { try $0.first("SELECT count(*) AS n FROM metric_blocks")?.int("n") ?? 0 }
    }

    @Test(arguments: SQLEngine.allCases)
    func pointsThatCameOneByOneArePacked(_ engine: SQLEngine) async throws {
        let lab = try await Laboratory(engine)
        let run = try await lab.run()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    for number in 0..<400 {
                        let step = Int64(number * 8 + worker)
                        let point = MetricPoint(
                            key: "m", value: Double(step), step: step, time: Timestamp(microseconds: step))
                        try await lab.store.log(RunBatch(metrics: [MetricEntry(point)]), to: run)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await lab.store.history(of: "m", run: run).map(\.step) == Array(0..<3200))
        #expect(try await blocks(lab) >= 2)
        let loose = try await lab.database.read { transaction in
            try transaction.first("SELECT count(*) AS n FROM metric_points")?.int("n") ?? -1
        }
        #expect(loose < 3200 - 2 * MetricBlock.length + 1)
        #expect(try await lab.store.record(run).metrics.map(\.value) == [3199])
        await lab.database.close()
    }

    @Test(arguments: SQLEngine.allCases)
    func aPlotKeepsTheExtremesOfEachPart(_ engine: SQLEngine) async throws {
        let lab = try await Laboratory(engine)
        let run = try await lab.run()
        let random = SeededRandom(seed: 3)
        // A flat line with two peaks of one point each, in 40 blocks and some points more.
        var all: [MetricPoint] = []
        for step in 0..<20_100 {
            var value = Double(random.next() % 1000) / 1000
            if step == 7001 { value = 900 }
            if step == 15_003 { value = -900 }
            if step % 3000 == 1 { value = .nan }
            all.append(
                MetricPoint(key: "m", value: value, step: Int64(step), time: Timestamp(microseconds: Int64(step) * 7)))
        }
        for start in stride(from: 0, to: all.count, by: 500) {
            let batch = all[start..<min(start + 500, all.count)].map { MetricEntry($0) }
            try await lab.store.log(RunBatch(metrics: batch), to: run)
        }
        for (parts, steps) in [(7, nil), (500, nil), (40, 2000...9999), (5, 100...15_100)]
            as [(Int, ClosedRange<Int64>?)]
        {
            let plot = try await lab.store.plot(of: "m", run: run, steps: steps, parts: parts)
            let seen = all.filter { steps?.contains($0.step) ?? true }
            let numbers = seen.filter { !$0.value.isNaN }
            #expect(plot.count == seen.count)
            #expect(plot.points.count <= 2 * parts + 2 && plot.points.count >= min(parts, 5))
            #expect(plot.points.map(\.value).max() == numbers.map(\.value).max())
            #expect(plot.points.map(\.value).min() == numbers.map(\.value).min())
            #expect(plot.points.first == numbers.first && plot.points.last == numbers.last)
            #expect(plot.points.map(\.step) == plot.points.map(\.step).sorted())
            #expect(Set(texts(plot.points)).isSubset(of: texts(numbers)))
        }
        #expect(try await lab.store.plot(of: "other", run: run, parts: 9) == MetricPlot(count: 0, points: []))
        await #expect(throws: ExperimentsFailure.self) { try await lab.store.plot(of: "m", run: "none", parts: 9) }
        await lab.database.close()
    }

    @Test func blocksComeBackAsTheyWere() throws {
        let random = SeededRandom(seed: 8)
        let edges: [Int64] = [0, 1, -1, 63, 64, -64, -65, .max, .min, .max - 1]
        let values: [Double] = [0, 1, -1.5, .greatestFiniteMagnitude, .leastNonzeroMagnitude, .nan]
        for _ in 0..<50 {
            let points = (0..<200).map { _ in
                MetricPoint(
                    key: "m", value: values[Int(random.next() % 6)], step: edges[Int(random.next() % 10)],
                    time: Timestamp(microseconds: edges[Int(random.next() % 10)]))
            }
            let bytes = MetricBlock(points).bytes
            #expect(texts(try MetricBlock(bytes, count: 200, key: "m").points) == texts(points))
        }
        let block = MetricBlock([MetricPoint(key: "m", value: 1, step: 300, time: Timestamp(seconds: 9))]).bytes
        for count in 0..<block.count {
            #expect(throws: ExperimentsFailure.self) { try MetricBlock(Array(block.prefix(count)), count: 1, key: "m") }
        }
        for count in [-1, 0, 2, .max] {
            #expect(throws: ExperimentsFailure.self) { try MetricBlock(block, count: count, key: "m") }
        }
    }
}
