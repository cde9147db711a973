import Basics
import Inference
import Testing

@testable import Serving

/// Models of models, as their configurations tell them.
@Suite(.timeLimit(.minutes(1)))
struct EnsembleTests {
    private let folder = TestFolder()

    private static func configuration(
        max: Int? = nil, output: String = "result", first: String = "a", second: String = "b", wanted: String = "double"
    ) -> String {
        let dims = max == nil ? "[-1, -1]" : "[-1]"
        return """
            platform: ensemble
            \(max.map { "max_batch_size: \($0)" } ?? "")
            input: [{name: raw, data_type: TYPE_FP64, dims: \(dims)}]
            output:
              - {name: \(output), data_type: TYPE_FP64, dims: \(dims)}
              - {name: middle, data_type: TYPE_FP64, dims: \(dims)}
            ensemble_scheduling:
              step:
                - {model_name: \(second), model_version: -1, input_map: {x: middle}, output_map: {\(wanted): result}}
                - {model_name: \(first), model_version: -1, input_map: {x: raw}, output_map: {less: middle}}
            """
    }

    private func repository(_ configuration: String) async throws -> ModelRepository {
        try folder.write("a.onnx", "b/1/model.onnx", "both/1/notes")
        try folder.write(configuration, to: "both/config.yaml")
        let repository = folder.repository()
        try await repository.start()
        return repository
    }

    private func ask(_ repository: ModelRepository, _ values: [Double], name: String = "both") async throws
        -> [[Double]?]
    {
        let tensor = try Tensor(.fp64, shape: [values.count, 1], values: values)
        let model = try repository.model(name, version: nil)
        let outcome = try await model.infer(InferenceInput(tensors: [tensor], wanted: [0, 1]))
        return outcome.outputs.map { $0.values(as: Double.self) }
    }

    @Test("steps run in the order of what they need, and every tensor may be an output", arguments: [nil, 8])
    func graph(_ max: Int?) async throws {
        let repository = try await repository(Self.configuration(max: max))
        func counts(_ name: String) throws -> [UInt64] {
            let reading = try repository.model(name, version: nil).statistics.read()
            return [reading.inferences, reading.executions, reading.success.count]
        }
        // That it was tried counts for none of its models.
        #expect(try ["a", "b", "both"].map(counts) == [[0, 0, 0], [0, 0, 0], [0, 0, 0]])
        #expect(try await ask(repository, [3, 5]) == [[4, 8], [2, 4]])
        #expect(try ["a", "b", "both"].map(counts) == [[2, 1, 1], [2, 1, 1], [2, 1, 1]])
        let model = try repository.model("both", version: "1").model
        #expect(model.platform == "ensemble" && model.stacksRows == (max != nil))
        #expect(model.inputs == [TensorSpec(name: "raw", datatype: .fp64, shape: [-1, -1])])
        // A step that is loaded anew is asked at once.
        try folder.write("other", to: "b/2/model.onnx")
        try await repository.poll()
        #expect(try await ask(repository, [3]) == [[4], [2]])
    }

    @Test("callers at once get their own rows")
    func batches() async throws {
        let repository = try await repository(Self.configuration(max: 8))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                group.addTask { [self] in
                    let value = Double(number)
                    let answer = try await ask(repository, [value, -value])
                    #expect(answer == [[2 * value - 2, -2 * value - 2], [value - 1, -value - 1]])
                }
            }
            try await group.waitForAll()
        }
    }

    @Test("what can be no graph is not loaded, and tells why")
    func refusals() async throws {
        let twice = Self.configuration().replacing("{less: middle}", with: "{less: result}")
        let circle = Self.configuration().replacing("input_map: {x: raw}", with: "input_map: {x: result}")
        for (text, reason) in [
            (Self.configuration(output: "other"), "given by no step"), (twice, "two places"), (circle, "can come next"),
            (Self.configuration().replacing("FP64", with: "FP63"), "no data type"),
        ] {
            let repository = try await repository(text)
            let entry = repository.index(readyOnly: false).first { $0.name == "both" }
            #expect(entry?.state == .unavailable && entry?.reason.contains(reason) == true, "\(entry?.reason ?? "")")
        }
    }

    @Test("what a step has not is told to who asks; an ensemble in itself ends")
    func stepsThatDoNotFit() async throws {
        for (text, reason) in [
            (Self.configuration(wanted: "half"), "it has double, less"),
            (Self.configuration(second: "nobody"), "nobody"),
            (Self.configuration(first: "both"), "gives nothing to its input 'raw'"),
            (
                Self.configuration(first: "both").replacing("{x: raw}", with: "{raw: raw}").replacing(
                    "less: middle", with: "middle: middle"), "too deep"
            ),
        ] {
            let repository = try await repository(text)
            do {
                _ = try await ask(repository, [1])
                Issue.record("\(reason): answered")
            } catch let failure as any Failure {
                #expect(failure.message.contains(reason), "\(failure.message)")
            }
        }
    }
}
