import Basics
import Inference

/// Why an event can not be scored: the reason that goes with it to the dead letters.
struct EventProblem: Error, Sendable {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

/// What one event gives to a model: for each input its elements, as they lie in a tensor.
struct EventRow: Sendable {
    struct Part: Sendable {
        var shape: [Int]
        var bytes: [UInt8] = []
    }

    var parts: [Part]

    /// Rows of equal shapes can be put into one batch.
    var shapes: [[Int]] { parts.map(\.shape) }
}

/// Takes a model's inputs out of the members of events, by their names.
///
/// A model with one input of named columns also takes one member for each column. A single value stands for an input of one
/// element, a list for a vector, lists of lists for what has more dimensions. Null is a missing value: NaN where there is
/// one.
struct EventReader: Sendable {
    private let inputs: [TensorSpec]
    private let stacks: Bool
    private let columns: [String]?

    init(_ model: any TensorModel) {
        inputs = model.inputs
        stacks = model.stacksRows
        let names = model.columnNames
        let width = model.inputs.first.map { $0.shape.dropFirst().reduce(1, *) }
        columns = model.stacksRows && model.inputs.count == 1 && names?.count == width ? names : nil
    }

    /// - Throws: ``EventProblem`` where a member is missing or does not fit.
    func row(_ members: [String: JSONValue]) throws(EventProblem) -> EventRow {
        if let columns, let input = inputs.first, members[input.name] == nil {
            var part = EventRow.Part(shape: Array(input.shape.dropFirst()))
            for column in columns {
                guard let value = members[column] else { throw missing(column, members) }
                try ElementPacker(name: column, type: input.datatype).append(value, to: &part.bytes)
            }
            return EventRow(parts: [part])
        }
        var parts: [EventRow.Part] = []
        parts.reserveCapacity(inputs.count)
        for input in inputs {
            guard let value = members[input.name] else { throw missing(input.name, members) }
            parts.append(try part(value, of: input))
        }
        return EventRow(parts: parts)
    }

    /// The tensors of rows that have equal shapes.
    func tensors(_ rows: [EventRow]) throws -> [Tensor] {
        try inputs.indices.map { index in
            var bytes: [UInt8] = []
            bytes.reserveCapacity(rows.reduce(0) { $0 + $1.parts[index].bytes.count })
            for row in rows { bytes += row.parts[index].bytes }
            let shape = rows.first?.parts[index].shape ?? []
            return try Tensor(
                type: inputs[index].datatype, shape: stacks ? [rows.count] + shape : shape,
                storage: bytes.withUnsafeBytes { TensorStorage(copying: $0) })
        }
    }

    private func missing(_ name: String, _ members: [String: JSONValue]) -> EventProblem {
        let nearest = NearestWord.of(name, among: Array(members.keys)).map { "; it has '\($0)'" } ?? ""
        return EventProblem("the event has no '\(name)'\(nearest)")
    }

    private func part(_ value: JSONValue, of input: TensorSpec) throws(EventProblem) -> EventRow.Part {
        let wanted = stacks ? Array(input.shape.dropFirst()) : input.shape
        var part = EventRow.Part(shape: [])
        var rank: Int?
        let packer = ElementPacker(name: input.name, type: input.datatype)
        try flatten(value, 0, &part, &rank, packer)
        let found = part.shape
        if found.count == wanted.count, zip(found, wanted).allSatisfy({ $1 < 0 || $0 == $1 }) { return part }
        // One value, or a plain list of as many as there are elements, leaves out dimensions that are known.
        let isKnown = found.count < 2 && wanted.allSatisfy { $0 >= 0 }
        guard isKnown, let count = Tensor.count(of: wanted), count == found.first ?? 1 else {
            throw EventProblem("'\(input.name)' has the shape \(wanted) and was given \(found)")
        }
        part.shape = wanted
        return part
    }

    private func flatten(
        _ value: JSONValue, _ depth: Int, _ part: inout EventRow.Part, _ rank: inout Int?, _ packer: ElementPacker
    ) throws(EventProblem) {
        guard case .array(let items) = value else {
            guard rank ?? depth == depth, part.shape.count == depth else { throw packer.ragged }
            rank = depth
            return try packer.append(value, to: &part.bytes)
        }
        if part.shape.count == depth, rank == nil { part.shape.append(items.count) }
        guard part.shape.count > depth, part.shape[depth] == items.count else { throw packer.ragged }
        for item in items { try flatten(item, depth + 1, &part, &rank, packer) }
    }
}
