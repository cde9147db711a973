import Basics
import Inference
import Serving
import Synchronization
import Telemetry
import Testing

/// Models in one process that share its processors.
@Suite(.timeLimit(.minutes(2))) struct FairnessTests {
    /// Keeps a processor busy for as long as the number says, in microseconds.
    private struct Busy: TensorModel {
        let platform = "busy"
        let inputs = [TensorSpec(name: "x", datatype: .fp64, shape: [-1, 1])]
        let outputs = [TensorSpec(name: "y", datatype: .fp64, shape: [-1, 1])]
        let stacksRows = false
        let byteCount = 8

        func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] {
            let microseconds = inputs.first?.values(as: Double.self)?.first ?? 0
            let end = SystemTime.monotonicNanoseconds + UInt64(max(0, microseconds) * 1000)
            while SystemTime.monotonicNanoseconds < end {}
            return inputs
        }
    }

    /// What the hot model's callers go by.
    private final class Load: Sendable {
        let isOver = Atomic<Bool>(false)
        let done = Atomic<Int>(0)
    }

    private static func serve(_ name: String) -> ServedModel {
        ServedModel(name: name, version: "1", model: Busy(), time: SystemTime(), metrics: MetricsRegistry())
    }

    private static func input(microseconds: Double) throws -> InferenceInput {
        InferenceInput(tensors: [try Tensor(.fp64, shape: [1, 1], values: [microseconds])], wanted: [0])
    }

    /// What a light model's callers wait, in milliseconds, one after the other.
    private static func ask(_ model: ServedModel, _ count: Int) async throws -> [Double] {
        var taken: [Double] = []
        for _ in 0..<count {
            let begun = SystemTime.monotonicNanoseconds
            _ = try await model.infer(try input(microseconds: 200))
            taken.append(Double(SystemTime.monotonicNanoseconds - begun) / 1e6)
        }
        return taken.sorted()
    }

    /// A model with a long queue has no turn before one with none: each has a queue and threads of its own, which share the
    /// processors as the system lets threads share them.
    @Test func aLightModelDoesNotWaitBehindTheQueueOfAHotOne() async throws {
        let (hot, light) = (Self.serve("hot"), Self.serve("light"))
        let alone = try await Self.ask(light, 60)
        let load = Load()
        let callers = 32
        let beside = try await withThrowingTaskGroup(of: Void.self, returning: [Double].self) { group in
            defer { load.isOver.store(true, ordering: .releasing) }
            for _ in 0..<callers {
                group.addTask {
                    while !load.isOver.load(ordering: .acquiring) {
                        _ = try await hot.infer(try Self.input(microseconds: 20_000))
                        load.done.add(1, ordering: .relaxed)
                    }
                }
            }
            try await eventually("the hot model has a queue") { hot.waiting > callers / 2 }
            let taken = try await Self.ask(light, 60)
            #expect(hot.waiting > callers / 4)
            load.isOver.store(true, ordering: .releasing)
            try await group.waitForAll()
            return taken
        }
        #expect(load.done.load(ordering: .acquiring) > 0)
        // Behind the queue it would wait for 32 runs of 20 ms by as many threads as there are processors.
        #expect(beside[30] < 32 * 20 / 4, "alone \(alone[30]) ms, beside \(beside[30]) ms, p95 \(beside[56]) ms")
    }
}
