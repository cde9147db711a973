import Basics
import Expressions

/// The transforms of a service made ready: where each takes its inputs from, and where its values go.
struct OnlineTransforms: Sendable {
    /// One transform.
    struct Computed: Sendable {
        var program: ScalarProgram
        /// Inputs of the program that come with the request, by position there.
        var requested: [(input: Int, request: Int)] = []
        /// Outputs of the program that were asked for, and where each goes.
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
    ///   - firstTarget: where the first of the selected features goes.
    ///   - request: gives the place of a field among those that come with the request.
    ///   - part: gives the place of a view among those that are looked up.
    /// - Returns: what it takes from views, with the place of each.
    mutating func add(
        _ selection: FeatureService.Selection, firstTarget: Int, catalogue: Catalogue,
        request: (Feature) throws -> Int, part: (FeatureView) throws -> Int
    ) throws -> [(part: Int, feed: Feed)] {
        let transform = try catalogue.transform(selection.source)
        var entry = Computed(program: try catalogue.program(ofTransform: selection.source))
        for (input, field) in transform.request.enumerated() { entry.requested.append((input, try request(field))) }
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
            entry.outputs.append((output, firstTarget + offset))
        }
        computed.append(entry)
        return feeds
    }

    /// Memory for one row of each.
    func frames() -> [ScalarFrame] { computed.map { $0.program.frame() } }

    /// Begins a row: has the values of the request set; everything else is null.
    func begin(
        _ frames: [ScalarFrame],
        _ set: (_ frame: ScalarFrame, _ input: Int, _ type: ScalarType, _ request: Int) -> Void
    ) {
        for (entry, frame) in zip(computed, frames) {
            frame.reset()
            for (input, request) in entry.requested { set(frame, input, entry.program.inputs[input].type, request) }
        }
    }

    /// Computes all of them and hands over what was asked for.
    func finish(
        _ frames: [ScalarFrame],
        _ take: (_ frame: ScalarFrame, _ output: Int, _ type: ScalarType, _ target: Int) -> Void
    ) {
        for (entry, frame) in zip(computed, frames) {
            frame.run()
            for (output, target) in entry.outputs { take(frame, output, entry.program.outputs[output].type, target) }
        }
    }
}

extension OnlinePart {
    /// Gives transforms what they take from a row that may be used.
    func feed(_ row: OnlineRow, to frames: [ScalarFrame]) {
        for feed in feeds { frames[feed.transform].set(feed.input, cell: row.cell(feed.position)) }
    }
}

/// Numbers as models take them: NaN is null, true is 1.
extension ScalarFrame {
    /// Sets an input of any type but text.
    func set(_ input: Int, _ type: ScalarType, number value: Double) {
        guard !value.isNaN else { return }
        switch type {
        case .double, .float: set(input, double: value)
        case .integer: if let whole = Int64(exactly: value) { set(input, integer: whole) }
        case .boolean: set(input, boolean: value != 0)
        case .timestamp:
            if let whole = Int64(exactly: value) { set(input, timestamp: Timestamp(microseconds: whole)) }
        case .string: break
        }
    }

    /// The value of an output of any type but text.
    func number(_ output: Int, _ type: ScalarType) -> Double {
        let value: Double? =
            switch type {
            case .integer: integer(output).map { Double($0) }
            case .double, .float: double(output)
            case .boolean: boolean(output).map { $0 ? 1 : 0 }
            case .timestamp: timestamp(output).map { Double($0.microseconds) }
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

    init(_ transforms: OnlineTransforms) { frames = transforms.frames() }
}
