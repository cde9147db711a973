import Basics
import Foundation
import Inference
import Serving

@testable import OpenInference

/// What comes over the wire of the Open Inference Protocol, for libFuzzer to find input that ends the process, hangs it, or
/// is refused as anything but the caller's mistake.
///
/// The first byte chooses the form: JSON, JSON with bytes behind it (the second and third byte are the length of the
/// JSON), a body of bytes alone, the forms of MLflow and TensorFlow Serving, or a message of gRPC.
private struct Wire {
    private let parser = InferParser()
    private let arena = MessageArena()
    private let models: [ServedModel]
    private static let callers: [FailureCode] = [.invalidArgument, .resourceExhausted, .failedPrecondition]

    init() {
        models = [
            Echo(
                TensorType.allCases.map { TensorSpec(name: $0.rawValue.lowercased(), datatype: $0, shape: [-1, -1]) }),
            Echo([TensorSpec(name: "x", datatype: .fp32, shape: [-1, 3])]),
            Echo([TensorSpec(name: "x", datatype: .bytes, shape: [-1])]),
        ].map { ServedModel(name: "echo", version: "1", model: $0, time: SystemTime()) }
    }

    func take(_ input: UnsafeRawBufferPointer) {
        guard let form = input.first else { return }
        let model = models[Int(form >> 4) % models.count]
        let rest = UnsafeRawBufferPointer(rebasing: input.dropFirst())
        do {
            switch form & 7 {
            case 0: try ask(rest, header: nil, model)
            case 1:
                guard rest.count >= 2 else { return }
                try ask(
                    UnsafeRawBufferPointer(rebasing: rest.dropFirst(2)), header: Int(rest[0]) | Int(rest[1]) << 8, model
                )
            case 2: answer(try ModelQuestion(raw: rest, to: model, began: 1), isRaw: true)
            case 3: try parser.document(rest) { _ = try ScoringRequest($0, forms: ScoringRequest.Form.allCases) }
            default:
                arena.reset()
                let message = try InferMessage(rest, in: arena)
                answer(try ModelQuestion(message, to: model, began: 1), isRaw: form & 1 == 0)
            }
        } catch let failure as any Failure {
            guard Self.callers.contains(failure.code) else {
                fatalError("\(failure.code): \(failure.message)")
            }
        } catch {
            fatalError("\(error)")
        }
    }

    private func ask(_ body: UnsafeRawBufferPointer, header: Int?, _ model: ServedModel) throws {
        try parser.read(body, header: header) { answer(try ModelQuestion($0, to: model, began: 1), isRaw: false) }
    }

    /// Whatever was taken can be answered.
    private func answer(_ question: ModelQuestion, isRaw: Bool) {
        do {
            for (tensor, spec) in zip(question.input.tensors, question.model.model.inputs) { try spec.check(tensor) }
            guard let outcome = try question.model.inferHere(question.input) else { return }
            arena.reset()
            let output = OutputBuffer()
            try question.answer(outcome, isRaw: isRaw).write(to: output, in: arena, notes: nil)
            _ = try output.answer(question, with: outcome, notes: nil)
        } catch let failure as any Failure {
            guard failure.code != .internal else { fatalError("\(failure.message)") }
        } catch {
            fatalError("\(error)")
        }
    }
}

/// Gives back what it is given.
private struct Echo: TensorModel {
    let platform = "echo"
    let inputs: [TensorSpec]
    let outputs: [TensorSpec]
    let stacksRows = false
    let columnNames: [String]? = nil
    let byteCount = 1

    init(_ inputs: [TensorSpec]) {
        self.inputs = inputs
        outputs = inputs
    }

    func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] { wanted.map { inputs[$0] } }
}

private let wire = Wire()

@_cdecl("LLVMFuzzerTestOneInput")
public func take(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    wire.take(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}

#if LIBFUZZER
    @_silgen_name("LLVMFuzzerRunDriver")
    private func run(
        _ count: UnsafeMutablePointer<CInt>,
        _ words: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
        _ test: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
    ) -> CInt

    /// What the package manager takes for this program's `main`.
    @_cdecl("fuzz_inference_main")
    public func main(_ count: CInt, _ words: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
        var (count, words) = (count, words)
        return run(&count, &words, take)
    }
#else
    /// Without libFuzzer: takes the files that are named, such as what it found.
    @main enum Replay {
        static func main() throws {
            for path in CommandLine.arguments.dropFirst() {
                try Data(contentsOf: URL(fileURLWithPath: path)).withUnsafeBytes { wire.take($0) }
            }
        }
    }
#endif
