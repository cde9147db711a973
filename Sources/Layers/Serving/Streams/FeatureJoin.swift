import Basics
import Features

/// Gives events the online features of a model's feature service, by the join keys that they carry.
///
/// Request features and join keys are members of the event. A feature that the event has already is left as it is; an event
/// that has them all is not looked up. A feature that is not known is null.
public struct FeatureJoin: Sendable {
    private let service: OnlineService
    private let time: any TimeSource

    /// - Parameter time: features are those of this clock's moment.
    public init(_ service: OnlineService, time: any TimeSource) {
        self.service = service
        self.time = time
    }

    /// Names of the inputs, in the model's order.
    public var inputNames: [String] { service.inputNames }

    /// Blocks while it reads.
    /// - Returns: the members of each event with its features, or why they can not be had.
    /// - Throws: what the online store throws.
    func fill(_ events: [[String: JSONValue]]) throws -> [Result<[String: JSONValue], EventProblem>] {
        let scratch = service.scratch()
        let moment = time.now.microseconds
        return try events.map { members in
            if service.inputNames.allSatisfy({ members[$0] != nil }) { return .success(members) }
            do {
                let keys = try keys(members)
                var inputs = try requests(members)
                try read(keys, &inputs, moment, scratch)
                var filled = members
                for (name, value) in zip(service.inputNames, inputs) where filled[name] == nil {
                    filled[name] = value.isNaN ? .null : .number(value)
                }
                return .success(filled)
            } catch let problem as EventProblem {
                return .failure(problem)
            }
        }
    }

    private func keys(_ members: [String: JSONValue]) throws(EventProblem) -> [[UInt8]] {
        var keys: [[UInt8]] = []
        for name in service.joinKeys {
            switch members[name] {
            case .string(let text): keys.append(Array(text.utf8))
            case .integer(let number): keys.append(Array("\(number)".utf8))
            case nil: throw EventProblem("the event has no join key '\(name)'")
            default: throw EventProblem("the join key '\(name)' must be a text or a whole number")
            }
        }
        return keys
    }

    /// The inputs with those of the request; the others are not known yet.
    private func requests(_ members: [String: JSONValue]) throws(EventProblem) -> [Double] {
        var inputs = [Double](repeating: .nan, count: service.inputNames.count)
        for (place, name) in service.requestNames.enumerated() {
            switch members[name] {
            case .null: break
            case .integer(let number): inputs[place] = Double(number)
            case .number(let number): inputs[place] = number
            case .bool(let truth): inputs[place] = truth ? 1 : 0
            case nil: throw EventProblem("the event has no request feature '\(name)'")
            default: throw EventProblem("the request feature '\(name)' must be a number")
            }
        }
        return inputs
    }

    private func read(
        _ keys: [[UInt8]], _ inputs: inout [Double], _ moment: Int64, _ scratch: OnlineScratch
    ) throws {
        try keys.flatMap { $0 }.withUnsafeBytes { bytes in
            var from = 0
            let parts = keys.map { key in
                defer { from += key.count }
                return UnsafeRawBufferPointer(rebasing: bytes[from..<from + key.count])
            }
            try parts.withUnsafeBufferPointer { keys in
                try inputs.withUnsafeMutableBufferPointer {
                    try service.read(keys: keys, at: moment, into: $0, with: scratch)
                }
            }
        }
    }
}
