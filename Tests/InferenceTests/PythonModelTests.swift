import Basics
import Foundation
import TestSupport
import Testing

@testable import Inference

/// A real Python process each: `scripts/setup-wheels serving` installs it.
@Suite(.serialized) struct PythonModelSlowTests {
    private static let python =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
        + "/../../.deps/serving/bin/python"

    private static func options() -> PythonOptions {
        var options = PythonOptions()
        options.python = python
        options.memoryBytes = 2 << 30
        options.pauseFirst = 0.01
        return options
    }

    private static func ask(_ model: PythonModel, _ words: [String]) throws -> [[UInt8]] {
        let x = try Tensor(.fp64, shape: [words.count, 1], values: words.indices.map { Double($0) + 0.5 })
        let word = try Tensor(shape: [words.count, 1], strings: words.map { Array($0.utf8) })
        let answers = try model.run([x, word], wanted: [1, 0])
        #expect(answers[1].values(as: Double.self) == words.indices.map { 2 * Double($0) + 1 })
        return answers[0].strings ?? []
    }

    /// Waits until a new process answers.
    private static func revive(_ model: PythonModel) async throws {
        let answers = await Self.eventually(within: 60) { (try? Self.ask(model, ["ä"])) == [Array("Ä".utf8)] }
        #expect(answers)
    }

    @Test func whateverTheProcessDoesTheServerGoesOn() async throws {
        var options = Self.options()
        options.requestSeconds = 4
        let model = try PythonModel(folder: ModelAnswers.folder + "/python", options: options)
        #expect(
            model.inputs == [
                TensorSpec(name: "x", datatype: .fp64, shape: [-1, 1]),
                TensorSpec(name: "word", datatype: .bytes, shape: [-1, 1]),
            ])
        #expect(model.outputs.map(\.name) == ["twice", "loud"] && model.stacksRows && model.byteCount > 10 << 20)
        #expect(try Self.ask(model, ["one", "two"]) == [Array("ONE".utf8), Array("TWO".utf8)])

        let raised = #expect(throws: InferenceError.self) { try Self.ask(model, ["raise"]) }
        #expect(raised?.code == .internal && raised?.message.contains("ValueError: it was told to fail") == true)
        #expect(model.process.restarts == 0)

        let ended = #expect(throws: InferenceError.self) { try Self.ask(model, ["exit"]) }
        #expect(ended?.code == .unavailable)
        try await Self.revive(model)
        #expect(model.process.restarts == 1)

        // Killed while nobody asks.
        kill(try #require(model.process.identifier), SIGKILL)
        #expect(
            await Self.eventually(within: 60) { model.process.restarts == 2 && model.process.identifier != nil })
        try await Self.revive(model)

        let hung = #expect(throws: InferenceError.self) { try Self.ask(model, ["hang"]) }
        #expect(hung?.code == .deadlineExceeded)
        try await Self.revive(model)

        let eaten = #expect(throws: InferenceError.self) { try Self.ask(model, ["eat"]) }
        #expect(eaten?.code == .resourceExhausted || eaten?.code == .deadlineExceeded)
        try await Self.revive(model)
        #expect(model.process.restarts == 4)

        let last = try #require(model.process.identifier)
        model.close()
        #expect(await Self.eventually(within: 10) { kill(last, 0) != 0 })
        #expect(throws: InferenceError.self) { try Self.ask(model, ["a"]) }
    }

    @Test func whatCanNotStartIsTold() throws {
        var options = Self.options()
        options.python = "/nowhere/python"
        let missing = #expect(throws: InferenceError.self) {
            try PythonModel(folder: ModelAnswers.folder, options: options)
        }
        #expect(missing?.message.contains("/nowhere/python") == true)
        options.python = "/usr/bin/python3"
        let bare = #expect(throws: InferenceError.self) {
            try PythonModel(folder: ModelAnswers.folder, options: options)
        }
        #expect(bare?.message.contains("No module named") == true)
        let empty = #expect(throws: InferenceError.self) {
            try PythonModel(folder: ModelAnswers.folder + "/hostile", options: Self.options())
        }
        #expect(empty?.message.contains("MLmodel") == true)
    }

    /// A scikit-learn pipeline that MLflow saved, against its own answers.
    @Test func modelsThatMLflowSavedAnswerAsInPython() throws {
        let folder = try TemporaryFolder()
        let script = """
            import json, sys, mlflow, pandas, numpy
            from sklearn.pipeline import make_pipeline
            from sklearn.compose import make_column_transformer
            from sklearn.preprocessing import OneHotEncoder
            from sklearn.ensemble import RandomForestRegressor
            random = numpy.random.default_rng(3)
            table = pandas.DataFrame({"place": random.choice(["JFK", "LGA", "EWR"], 200), "delay": random.normal(size=200),
                                      "count": random.integers(0, 9, 200)})
            target = table["delay"] * 2 + (table["place"] == "JFK") + table["count"] / 3
            model = make_pipeline(make_column_transformer((OneHotEncoder(), ["place"]), remainder="passthrough"),
                                  RandomForestRegressor(5, random_state=1)).fit(table, target)
            answers = model.predict(table)
            mlflow.sklearn.save_model(model, sys.argv[1], signature=mlflow.models.infer_signature(table, answers))
            json.dump({"place": list(table["place"]), "delay": list(table["delay"]),
                       "count": [int(x) for x in table["count"]], "answers": list(answers)}, open(sys.argv[2], "w"))
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.python)
        process.arguments = ["-c", script, folder("model"), folder("known.json")]
        process.standardError = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        struct Known: Decodable {
            let place: [String]
            let delay: [Double]
            let count: [Int64]
            let answers: [Double]
        }
        let known = try JSON.decode(Known.self, from: try Data(contentsOf: URL(fileURLWithPath: folder("known.json"))))
        var options = ModelOptions()
        options.python = Self.options()
        let model = try ModelFolder.load(at: folder("model"), options: options)
        #expect(model.platform == "mlflow_python_function" && model.inputs.map(\.datatype) == [.bytes, .fp64, .int64])
        let rows = known.answers.count
        let answers = try model.run(
            [
                Tensor(shape: [rows, 1], strings: known.place.map { Array($0.utf8) }),
                Tensor(.fp64, shape: [rows, 1], values: known.delay),
                Tensor(.int64, shape: [rows, 1], values: known.count),
            ], wanted: [0])
        #expect(answers[0].shape == [rows] && answers[0].values(as: Double.self) == known.answers)
    }

    /// Whether `condition` holds before the time is over.
    private static func eventually(within seconds: Double, _ condition: () -> Bool) async -> Bool {
        let end = Date(timeIntervalSinceNow: seconds)
        while !condition() {
            guard Date() < end else { return false }
            try? await Task.sleep(for: .milliseconds(20))
        }
        return true
    }
}
