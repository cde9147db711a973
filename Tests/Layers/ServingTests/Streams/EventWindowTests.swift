import Aggregations
import Basics
import Configuration
import Engines
import Foundation
import Inference
import Testing

@testable import Serving
@testable import Streams

@Suite struct EventWindowTests {
    /// Gives back what it was given.
    private struct Echo: TensorModel {
        let platform = "echo"
        let inputs = ["value", "mean", "std", "count"].map { TensorSpec(name: $0, datatype: .fp64, shape: [-1]) }
        var outputs: [TensorSpec] { inputs }
        let stacksRows = true
        let byteCount = 0

        func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] { wanted.map { inputs[$0] } }
    }

    /// One reading of a sensor, in whole seconds.
    private struct Reading {
        var sensor: Int
        var second: Int64
        var value: Double
    }

    private static let window: Int64 = 10

    /// The windows of every reading, worked out by looking at all before it.
    private func expected(_ readings: [Reading]) -> [(mean: Double, std: Double?, count: Double)] {
        readings.indices.map { index in
            let now = readings[index]
            let values = readings[...index].filter {
                $0.sensor == now.sensor && $0.second > now.second - Self.window && $0.second <= now.second
            }.map(\.value)
            let mean = values.reduce(0, +) / Double(values.count)
            let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            return (
                mean, values.count > 1 ? (squares / Double(values.count - 1)).squareRoot() : nil, Double(values.count)
            )
        }
    }

    private func scoring(_ more: String) throws -> StreamScoring {
        let text = "scorer: s\nmodel: m.onnx\nfrom: a\nto: b\n" + more
        return try StreamScoring(try #require(try YAMLParser.parse(text, file: "streams/s.yaml").first))
    }

    @Test func definitionsAreReadAndRefused() throws {
        let plain = try scoring("")
        #expect(plain.deadLetters.text == "a.rejected" && plain.rows == 1024 && plain.start == .oldest)
        let full = try scoring("dead_letters: c\nstart: newest\nrows: 8\nid: name\npartitions: 2\nowner: me")
        #expect(full.deadLetters.text == "c" && full.rows == 8 && full.start == .newest && full.idField == "name")
        for (text, wanted) in [
            ("rows: 0", "'rows' must be from 1 to 65536"), ("dead_letters: a/b", "can not name a topic"),
            ("start: now", "start"), ("speed: 1", "speed"),
            ("windows: {tile: 7s, features: {m: {mean: v, over: 10s}}}", "no multiple of the tile"),
        ] {
            do {
                _ = try scoring(text)
                Issue.record("'\(text)' was taken")
            } catch let failure as ConfigurationFailure {
                #expect(failure.message.contains(wanted), "\(failure.message)")
            }
        }
    }

    @Test func windowsAreThoseOfAllEventsBeforeAndSurviveARestart() async throws {
        let random = SeededRandom(seed: 7)
        var second: Int64 = 1_700_000_000
        let readings = (0..<600).map { _ in
            second += Int64(random.next() % 3)
            return Reading(
                sensor: Int(random.next() % 4), second: second, value: Double(random.next() % 1000) / 8)
        }
        let windows = try scoring(
            """
            windows:
              key: sensor
              time: at
              tile: 1s
              features:
                mean: {mean: value, over: \(Self.window)s}
                std: {std: value, over: \(Self.window)s}
                count: {count: "*", over: \(Self.window)s}
            """
        ).windows
        var bench = try await ScoringBench(.log, partitions: 1, rows: 37, windows: windows)
        bench.scoring.name = "windows"
        for (part, range) in [0..<200, 200..<201, 201..<600].enumerated() {
            let streams = try await bench.store.open()
            try await streams.publish(
                range.map { index in
                    let reading = readings[index]
                    let at = Timestamp(seconds: reading.second)
                    return StreamRecord(
                        key: "k",
                        value:
                            #"{"id": "r\#(index)", "sensor": \#(reading.sensor), "at": "\#(at)", "value": \#(reading.value)}"#
                    )
                }, to: bench.scoring.from)
            if part == 1 { try await streams.publish([StreamRecord(key: "k", value: "{}")], to: bench.scoring.from) }
            try await bench.scorer(on: streams, model: Echo()).run(untilIdle: .zero)
            await streams.close()
        }
        let streams = try await bench.store.open()
        let answers = try await bench.outputs(bench.scoring.to, on: streams)
        #expect(answers.map(\.id) == readings.indices.map { "r\($0)" })
        for (answer, wanted) in zip(answers, expected(readings)) {
            let outputs = answer.value["outputs"]
            #expect(abs((outputs?["mean"]?.double ?? .nan) - wanted.mean) < 1e-9)
            #expect(outputs?["count"]?.double == wanted.count)
            if let std = wanted.std {
                #expect(abs((outputs?["std"]?.double ?? .nan) - std) < 1e-9)
            } else {
                #expect(outputs?["std"] == .null)
            }
        }
        let letters = try await bench.outputs(bench.scoring.deadLetters, on: streams)
        #expect(letters.map(\.reason) == ["'at' must be a time as 2026-01-31T12:00:00Z, or milliseconds since 1970"])
        await streams.close()
    }
}
