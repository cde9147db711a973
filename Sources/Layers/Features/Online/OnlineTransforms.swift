import Basics
import Expressions

/// The transforms of a service made ready: where each takes its inputs from, and where its values go.
struct OnlineTransforms: Sendable {
    /// One transform.
    struct Computed: Sendable {
        var program: ScalarProgram
        /// Inputs of the program that come with the request, by position there.
        var requested: [(input: Int, request: Int)] = []
        /// Outputs of the program that are inputs of the model.
        var outputs: [(output: Int, target: Int)] = []
    }

    /// A value of a view that a transform takes.
    struct Feed: Sendable {
        var transform: Int
        var input: Int
        /// The feature's position in the view.
        var position: Int
    }

    var computed: [Computed] = []

    /// Adds one.
    /// - Parameters:
    ///   - firstOutput: where the first of the selected features goes.
    ///   - part: gives the place of a view among those that are looked up.
    /// - Returns: what it takes from views, with the place of each.
    mutating func add(
        _ selection: FeatureService.Selection, of service: FeatureService, firstOutput: Int, catalogue: Catalogue,
        part: (FeatureView) throws -> Int
    ) throws -> [(part: Int, feed: Feed)] {
        let transform = try catalogue.transform(selection.source)
        var entry = Computed(program: try catalogue.program(ofTransform: selection.source))
        for (input, field) in transform.request.enumerated() {
            guard let request = service.request.firstIndex(where: { $0.name == field.name }) else {
                throw FeaturesFailure.definition(
                    "the service '\(service.name)' takes the transform '\(transform.name)', which needs '\(field.name)' of the request",
                    remedy: "Add '\(field.name)' to the service's 'request'.")
            }
            entry.requested.append((input, request))
        }
        var feeds: [(part: Int, feed: Feed)] = []
        for (offset, reference) in transform.inputs.enumerated() {
            let view = try catalogue.view(reference.view)
            guard let position = view.featureNames.firstIndex(of: reference.feature) else { continue }
            feeds.append(
                (
                    try part(view),
                    Feed(transform: computed.count, input: transform.request.count + offset, position: position)
                ))
        }
        for (offset, feature) in selection.features.enumerated() {
            guard let output = entry.program.outputs.firstIndex(where: { $0.name == feature }) else { continue }
            guard entry.program.outputs[output].type != .string else {
                throw FeaturesFailure.definition(
                    "the feature '\(transform.name):\(feature)' is a text, and a model's inputs are numbers",
                    remedy: "Turn it into a number in the transform.")
            }
            entry.outputs.append((output, firstOutput + offset))
        }
        computed.append(entry)
        return feeds
    }

    /// Takes the request's values; everything else is null.
    func begin(_ frames: [ScalarFrame], request inputs: UnsafeMutableBufferPointer<Double>) {
        for (entry, frame) in zip(computed, frames) {
            frame.reset()
            for (input, request) in entry.requested {
                Self.set(frame, input, entry.program.inputs[input].type, inputs[request])
            }
        }
    }

    /// Computes all of them into the inputs of the model.
    func finish(_ frames: [ScalarFrame], into inputs: UnsafeMutableBufferPointer<Double>) {
        for (entry, frame) in zip(computed, frames) {
            frame.run()
            for (output, target) in entry.outputs {
                inputs[target] = Self.number(frame, output, entry.program.outputs[output].type)
            }
        }
    }

    private static func set(_ frame: ScalarFrame, _ input: Int, _ type: ScalarType, _ value: Double) {
        guard !value.isNaN else { return }
        switch type {
        case .double, .float: frame.set(input, double: value)
        case .integer: if let whole = Int64(exactly: value) { frame.set(input, integer: whole) }
        case .boolean: frame.set(input, boolean: value != 0)
        case .timestamp:
            if let whole = Int64(exactly: value) { frame.set(input, timestamp: Timestamp(microseconds: whole)) }
        case .string: break
        }
    }

    private static func number(_ frame: ScalarFrame, _ output: Int, _ type: ScalarType) -> Double {
        let value: Double? =
            switch type {
            case .integer: frame.integer(output).map { Double($0) }
            case .double, .float: frame.double(output)
            case .boolean: frame.boolean(output).map { $0 ? 1 : 0 }
            case .timestamp: frame.timestamp(output).map { Double($0.microseconds) }
            case .string: nil
            }
        return value ?? .nan
    }
}

extension ScalarFrame {
    /// Sets an input to a value as it lies in the online store; a list, or another type than the input's, is null.
    func set(_ input: Int, cell: OnlineCell) {
        switch cell {
        case .null, .list: return
        case .integer(let value): set(input, integer: value)
        case .double(let value): set(input, double: value)
        case .float(let value): set(input, double: Double(value))
        case .boolean(let value): set(input, boolean: value)
        case .timestamp(let value): set(input, timestamp: Timestamp(microseconds: value))
        case .text(let bytes): set(input, utf8: bytes)
        }
    }
}

/// Memory for the transforms of one service: one for each thread that reads it.
public final class OnlineScratch {
    let frames: [ScalarFrame]

    init(_ transforms: OnlineTransforms) { frames = transforms.computed.map { $0.program.frame() } }
}
