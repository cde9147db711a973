import Basics
import Foundation
import TestSupport
import Testing

/// What models cost, and how they should be served, as a person is told.
@Suite struct CostCommandTests {
    private static let model = URL(fileURLWithPath: #filePath)
        .appendingPathComponent("../../InferenceTests/Fixtures/mlp.onnx").standardized.path

    @Test func aModelIsMeasuredEveryWayAndTheAdviceTakesTheFigures() async throws {
        let folder = try TemporaryFolder()
        // The fixture takes columns of one input side by side.
        let width = 12
        let head = (0..<width).map { "f\($0)" }.joined(separator: ",")
        let rows = (0..<20).map { row in
            (0..<width).map { "\(Double(row * 31 + $0 * 17 % 23) / 40)" }.joined(separator: ",")
        }
        // A row with a gap is not asked for.
        let gap = "," + (1..<width).map { _ in "1" }.joined(separator: ",")
        try Data(([head] + rows + [gap]).joined(separator: "\n").utf8)
            .write(to: URL(fileURLWithPath: folder("rows.csv")))
        let told = try await Program.run(
            [
                "costs", Self.model, "--seconds", "1", "--callers", "2", "--examples", folder("rows.csv"), "--against",
                "int8=\(Self.model)", "--svg", folder("costs.svg"), "--json",
            ], folder: folder.path)
        #expect(told.code == 0, "\(told.all)")
        let lines = told.json["lines"]?.array ?? []
        #expect(
            lines.compactMap { $0["strategy"]?.string } == [
                "plain", "batching", "cache", "shared", "int8", "batch scoring",
            ])
        for line in lines {
            let name = line["strategy"]?.string ?? ""
            #expect((line["processorSeconds"]?.double ?? 0) > 0, "\(name)")
            #expect((line["predictions"]?.double ?? 0) > 0, "\(name)")
            // 0.05 for 3,600 core-seconds.
            let thousand = (line["processorSeconds"]?.double ?? 0) * 1000 / 3600 * 0.05
            #expect(abs((line["perThousand"]?.double ?? 0) - thousand) <= 1e-9 * thousand, "\(name)")
            let waits = name != "batch scoring"
            #expect((line["p50"]?.double != nil) == waits)
            if waits { #expect((line["p50"]?.double ?? 0) <= (line["p99"]?.double ?? 0)) }
        }
        // The same file gives the same answers.
        #expect(lines.first { $0["strategy"]?.string == "int8" }?["largestDifference"]?.double == 0)
        #expect(Program.text(folder("costs.svg")).contains("<svg"))
        let call = try #require(told.json["callSeconds"]?.double)
        let row = try #require(told.json["rowSeconds"]?.double)
        #expect(call > 0 && row > 0)

        try Data(told.output.utf8).write(to: URL(fileURLWithPath: folder("costs.json")))
        let advice = try await Program.run(
            [
                "advise", "--latency", "50ms", "--volume", "2M/day", "--measured", folder("costs.json"),
                "--price-per-core-hour", "0.1", "--json",
            ], folder: folder.path)
        #expect(advice.code == 0, "\(advice.all)")
        #expect(advice.json["choice"]?.string == "real-time")
        #expect(advice.json["assumptions"]?["callSeconds"]?["value"]?.double == call)
        #expect(advice.json["assumptions"]?["rowSeconds"]?["value"]?.double == row)
        #expect(advice.json["assumptions"]?["pricePerCoreHour"]?["value"]?.double == 0.1)
        #expect(advice.json["next"]?.string?.hasPrefix("modelworks up") == true)
    }

    @Test func whatNothingIsFastEnoughForEndsAsAFailure() async throws {
        let folder = try TemporaryFolder()
        let told = try await Program.run(["advise", "--latency", "5us", "--volume", "1/s"], folder: folder.path)
        #expect(told.code == 1)
        #expect(told.output.hasPrefix("Nothing is fast enough."))
        #expect(told.output.contains("Next: make the model quicker"))
    }

    @Test(arguments: [
        (["advise"], "needs --latency"), (["advise", "--latency", "soon", "--volume", "1/s"], "'soon' is none"),
        (["advise", "--latency", "1s", "--volume", "many"], "'many' is none"),
        (["advise", "--latency", "1s", "--volume", "1/s", "--peak", "0.5"], "the peak is"),
        (["advise", "--latency", "1s", "--volume", "1/s", "--price-per-core-hour", "-1"], "must be a number"),
        (["costs"], "needs MODEL"), (["costs", "m.onnx", "--hit-ratio", "2"], "must be a share"),
        (["costs", "m.onnx", "--price-per-core-hour", "nan"], "must be a number"),
    ]) func wrongUseIsTold(_ words: [String], _ complaint: String) async throws {
        let folder = try TemporaryFolder()
        let told = try await Program.run(words, folder: folder.path)
        #expect(told.code == 2, "\(told.all)")
        #expect(told.errors.contains(complaint), "\(told.errors)")
    }

    @Test func aModelThatIsNotThereAndRowsThatDoNotFitAreTold() async throws {
        let folder = try TemporaryFolder()
        let missing = try await Program.run(["costs", folder("none.onnx")], folder: folder.path)
        #expect(missing.code == 1)
        #expect(missing.errors.contains("there is no model file"))
        try Data("a,b\n1,2\n".utf8).write(to: URL(fileURLWithPath: folder("rows.csv")))
        let unfit = try await Program.run(
            ["costs", Self.model, "--examples", folder("rows.csv")], folder: folder.path)
        #expect(unfit.code == 1)
        #expect(unfit.errors.contains("has the columns a, b"), "\(unfit.errors)")
    }
}
