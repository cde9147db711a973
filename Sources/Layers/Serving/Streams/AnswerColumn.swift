import Documents
import Inference

/// One output of a batch, to be written row by row as JSON. What is not a number is null.
struct AnswerColumn: Sendable {
    private enum Elements {
        case floats([Float])
        case doubles([Double])
        case integers([Int64])
        case unsigned([UInt64])
        case truths([UInt8])
        case texts([[UInt8]])
    }

    let name: String
    private let elements: Elements
    /// Dimensions of one row.
    private let shape: [Int]
    private let width: Int

    /// - Parameter stacks: whether the first dimension counts rows; else all of it is the answer to one event.
    init(_ name: String, _ tensor: Tensor, stacks: Bool) {
        self.name = name
        let shape = stacks ? Array(tensor.shape.dropFirst()) : tensor.shape
        self.shape = shape
        width = Tensor.count(of: shape) ?? 0
        func whole<Number: BinaryInteger & BitwiseCopyable>(_ type: Number.Type) -> Elements {
            let values: [Number] = tensor.values(as: type) ?? []
            return .integers(values.map { Int64($0) })
        }
        elements =
            switch tensor.type {
            case .fp64: .doubles(tensor.values(as: Double.self) ?? [])
            case .fp32: .floats(tensor.values(as: Float.self) ?? [])
            case .fp16: .floats((tensor.values(as: Float16.self) ?? []).map(Float.init))
            case .bf16:
                .floats((tensor.values(as: UInt16.self) ?? []).map { Float(bitPattern: UInt32($0) << 16) })
            case .int8: whole(Int8.self)
            case .int16: whole(Int16.self)
            case .int32: whole(Int32.self)
            case .int64: whole(Int64.self)
            case .uint8: whole(UInt8.self)
            case .uint16: whole(UInt16.self)
            case .uint32: whole(UInt32.self)
            case .uint64: .unsigned(tensor.values(as: UInt64.self) ?? [])
            case .bool: .truths(tensor.values(as: UInt8.self) ?? [])
            case .bytes: .texts(tensor.strings ?? [])
            }
    }

    /// Writes the answer of a row: one value where it has one, else lists.
    func write(row: Int, to writer: inout JSONWriter) {
        writer.name(name)
        var next = row * width
        if shape.isEmpty || shape == [1] {
            element(next, to: &writer)
        } else {
            list(shape[...], &next, to: &writer)
        }
    }

    private func list(_ shape: ArraySlice<Int>, _ next: inout Int, to writer: inout JSONWriter) {
        guard let count = shape.first else {
            element(next, to: &writer)
            next += 1
            return
        }
        writer.array { writer in
            for _ in 0..<count { list(shape.dropFirst(), &next, to: &writer) }
        }
    }

    private func element(_ index: Int, to writer: inout JSONWriter) {
        func at<Value>(_ values: [Value]) -> Value? { values.indices.contains(index) ? values[index] : nil }
        switch elements {
        case .floats(let values):
            if let value = at(values), value.isFinite { writer.element(number: value) } else { writer.null() }
        case .doubles(let values):
            if let value = at(values), value.isFinite { writer.element(number: value) } else { writer.null() }
        case .integers(let values): if let value = at(values) { writer.element(number: value) } else { writer.null() }
        case .unsigned(let values): if let value = at(values) { writer.element(number: value) } else { writer.null() }
        case .truths(let values): if let value = at(values) { writer.element(value != 0) } else { writer.null() }
        case .texts(let values):
            if let value = at(values) { writer.element(String(decoding: value, as: UTF8.self)) } else { writer.null() }
        }
    }
}
