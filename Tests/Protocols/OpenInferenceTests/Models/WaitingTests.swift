import Basics
import Foundation
import HTTP
import Inference
import Serving
import Synchronization
import Testing

/// Doubles its input once it is let go.
private final class GatedModel: TensorModel {
    let platform = "gated"
    let inputs = [TensorSpec(name: "x", datatype: .fp64, shape: [-1])]
    let outputs = [TensorSpec(name: "y", datatype: .fp64, shape: [-1])]
    let stacksRows = true
    let byteCount = 1
    private let gate = DispatchSemaphore(value: 0)

    func open(_ times: Int) { for _ in 0..<times { gate.signal() } }

    func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] {
        gate.wait()
        let values = inputs[0].values(as: Double.self) ?? []
        return try wanted.map { _ in try Tensor(.fp64, shape: [values.count], values: values.map { $0 * 2 }) }
    }
}

@Suite(.serialized) struct WaitingTests {
    private static func body(_ value: Int, more: String = "") -> String {
        #"{"id":"\#(value)","inputs":[{"name":"x","datatype":"FP64","shape":[1],"data":[\#(value)]}]\#(more)}"#
    }

    /// Requests that can not be answered at once are answered later, each by its own answer.
    @Test(.timeLimit(.minutes(1))) func requestsThatWaitGetTheirOwnAnswers() async throws {
        let model = GatedModel()
        // A server that is busy with one run still answers others.
        try await ModelServer.serving(["gated": model, "echo": EchoModel.of(.fp64)]) { server in
            let answers = try await withThrowingTaskGroup(of: (Int, ModelServer.Answer).self) { group in
                for value in 0..<4 {
                    group.addTask { (value, try await server.infer("gated", Self.body(value))) }
                }
                model.open(64)
                return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
            }
            for value in 0..<4 {
                let answer = try #require(answers[value])
                #expect(answer.status == 200, "\(answer.text)")
                #expect(answer.data() == [.integer(Int64(value * 2))])
                #expect(answer.json["id"] == .string("\(value)"))
            }
            #expect(try await server.infer("echo", Self.body(7)).data() == [7])
        }
    }
}
