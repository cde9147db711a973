import Basics
import COnnxRuntime

/// An ONNX model, run by ONNX Runtime on the processor.
///
/// - Tensors of every type of the protocol go in and out, with any shape the model computes; an output's memory is the
///   library's own, not a copy. An output of unknown rank is declared as `[-1]`.
/// - A classifier's scores, which converters make a sequence of maps (`ZipMap`), or a single map, come out as one tensor
///   `[rows, classes]` of the maps' values. Columns are in ascending order of the classes (numbers by value, text by its
///   UTF-8 bytes), which ``TensorSpec/labels`` tells where the file does.
/// - An input that the file gives a value (an initialiser) is no input: it keeps that value. Every other one has to be
///   given; optional inputs and outputs, sequences of tensors and sparse tensors are refused when the model is loaded.
/// - The library opens no file: the model comes as bytes, and weights in other files are handed in by name.
public final class ONNXModel: TensorModel {
    public let platform = "onnxruntime_onnx"
    public let inputs: [TensorSpec]
    public let outputs: [TensorSpec]
    /// Declared by a first dimension of -1 in every input and output, and shown by running rows apart and together.
    public let stacksRows: Bool
    /// Size of the file and its weights; what the library adds for a run comes and goes.
    public let byteCount: Int

    private let session: ONNXSession
    /// Whether a request chooses other sizes than how many rows there are.
    private let hasFreeSizes: Bool

    /// - Parameters:
    ///   - file: the `.onnx` file.
    ///   - weights: gives a file that lies beside it, by its plain name; nil where there is none.
    /// - Throws: ``InferenceError`` where the file is damaged, asks for a file that is not there, or can not be served.
    public init(
        file: [UInt8], options: ONNXOptions = ONNXOptions(), weights: (String) throws -> [UInt8]? = { _ in nil }
    ) throws {
        try ONNXLibrary.open()
        let checked = try file.withUnsafeBytes { try ONNXFile(checking: $0) }
        var contents: [String: [UInt8]] = [:]
        for name in checked.weightFiles.sorted() {
            guard let bytes = try weights(name) else {
                throw InferenceError.modelFile(
                    "ONNX", "its weights are in the file '\(name)', which is not beside it",
                    remedy: "Put the file into the model's folder, or save the model with its weights in it")
            }
            contents[name] = bytes
        }
        let session = try file.withUnsafeBytes { try ONNXSession(file: $0, weights: contents, options: options) }
        inputs = try session.inputs.map { place in
            guard case .tensor(let type, let shape) = place.type else {
                throw InferenceError.modelFile("ONNX", "its input '\(place.name)' is a map or a sequence")
            }
            guard !checked.rankless.contains(place.name) else {
                throw InferenceError.modelFile(
                    "ONNX", "its input '\(place.name)' declares no shape", remedy: "Export the model with shaped inputs"
                )
            }
            return TensorSpec(name: place.name, datatype: type, shape: shape)
        }
        outputs = session.outputs.map { place in
            switch place.type {
            case .tensor(let type, let shape):
                return TensorSpec(
                    name: place.name, datatype: type, shape: checked.rankless.contains(place.name) ? [-1] : shape)
            case .maps(let type, let isSequence):
                let labels = checked.classes[place.name]
                return TensorSpec(
                    name: place.name, datatype: type, shape: [isSequence ? -1 : 1, labels?.count ?? -1], labels: labels)
            }
        }
        self.session = session
        byteCount = contents.reduce(file.count) { $0 + $1.value.count }
        hasFreeSizes = inputs.contains { $0.shape.dropFirst().contains(-1) }
        let runner = Runner(session: session, outputs: outputs, hasFreeSizes: hasFreeSizes)
        stacksRows = RowProbe(inputs: inputs, outputs: outputs).shows(runner.run)
    }

    public func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] {
        try Runner(session: session, outputs: outputs, hasFreeSizes: hasFreeSizes).run(inputs, wanted: wanted)
    }
}

/// One run of a session; a value of its own, so that a model can be tried before it is whole.
private struct Runner {
    let session: ONNXSession
    let outputs: [TensorSpec]
    let hasFreeSizes: Bool

    func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] {
        guard inputs.count == session.inputs.count else {
            throw InferenceError.shape("the model takes \(session.inputs.count) tensors and was given \(inputs.count)")
        }
        // The library takes a run without outputs for a mistake.
        guard !wanted.isEmpty else { return [] }
        var values: [OrtValue?] = []
        values.reserveCapacity(inputs.count)
        defer { for value in values { OrtReleaseValue(value) } }
        return try withExtendedLifetime(inputs) {
            for input in inputs { values.append(try ONNXValue.make(input, session)) }
            var answers: [OrtValue?]
            do {
                answers = try session.run(values, wanted: wanted)
            } catch let failure as ONNXRunFailure {
                // All inputs are of the declared types and shapes. Where those leave sizes to the request, sizes that
                // do not go together are what fails; else it is the model.
                throw InferenceError.runtime(
                    failure.isArgument || hasFreeSizes ? .invalidArgument : .internal, "ONNX Runtime", failure.words)
            }
            defer { for answer in answers where answer != nil { OrtReleaseValue(answer) } }
            var tensors: [Tensor] = []
            tensors.reserveCapacity(wanted.count)
            for (index, output) in wanted.enumerated() {
                guard let answer = answers[index] else {
                    throw InferenceError.runtime(
                        .internal, "ONNX Runtime", "'\(outputs[output].name)' did not come back")
                }
                answers[index] = nil
                tensors.append(try take(answer, output, from: inputs))
            }
            return tensors
        }
    }

    private func take(_ answer: OrtValue, _ output: Int, from inputs: [Tensor]) throws -> Tensor {
        let name = outputs[output].name
        switch session.outputs[output].type {
        case .tensor: return try ONNXValue.take(answer, from: inputs, name: name, session)
        case .maps(let type, let isSequence):
            return try ONNXValue.takeMaps(
                answer, isSequence: isSequence, values: type, keys: outputs[output].labels?.count, name: name, session)
        }
    }
}
