/// Finds out whether a model's rows are independent of each other, by running some.
///
/// A first dimension of -1 only says that it may vary: it is a sequence in one model, and another may centre its rows by
/// their mean. So two different rows are run apart and together, and only where both give the same is a model trusted with
/// rows of several callers at once. Sizes the request would choose are taken as 1; a model that fails on that is not shown.
struct RowProbe {
    let inputs: [TensorSpec]
    let outputs: [TensorSpec]

    /// How far an element may be off, absolutely or relative to it: kernels for one row and for two add up in different
    /// order.
    private static let tolerance = 1e-3
    /// Elements of a row beyond which a probe would cost more than batching gains.
    private static let elementsMax = 1 << 24

    /// - Parameter run: as ``TensorModel/run(_:wanted:)``.
    func shows(_ run: ([Tensor], [Int]) throws -> [Tensor]) -> Bool {
        guard !inputs.isEmpty, (inputs + outputs).allSatisfy({ $0.shape.first == -1 }) else { return false }
        do {
            let rows = try [0, 1].map { row in try inputs.enumerated().map { try sample($1, row: row, input: $0) } }
            let wanted = Array(outputs.indices)
            let apart = try rows.map { try run($0, wanted) }
            let together = try run(inputs.indices.map { index in try Tensor.stack(rows.map { $0[index] }) }, wanted)
            for index in outputs.indices {
                let parts = apart.map { $0[index] }
                guard parts.allSatisfy({ $0.shape.first == 1 }), together[index].shape.first == 2 else { return false }
                for (row, part) in parts.enumerated() {
                    guard try RowProbe.agree(part, try together[index].rows(row..<(row + 1))) else { return false }
                }
            }
            return true
        } catch {
            return false
        }
    }

    /// One row that differs from the other's. Whole numbers are 0 and 1, which most tables and vocabularies have.
    private func sample(_ spec: TensorSpec, row: Int, input: Int) throws -> Tensor {
        let shape = [1] + spec.shape.dropFirst().map { $0 < 0 ? 1 : $0 }
        guard let count = Tensor.count(of: shape), count <= RowProbe.elementsMax else {
            throw InferenceError.shape("\(shape) is too large to be tried")
        }
        func real(_ index: Int) -> Double { Double((index + 7 * input) * 37 % 19 + 5 * row) / 8 - 1 }
        let whole = (0..<count).map { ($0 + row) & 1 }
        switch spec.datatype {
        case .fp32: return try Tensor(spec.datatype, shape: shape, values: (0..<count).map { Float(real($0)) })
        case .fp64: return try Tensor(spec.datatype, shape: shape, values: (0..<count).map(real))
        // 0 and 1 as a half and as the upper half of a single.
        case .fp16: return try Tensor(spec.datatype, shape: shape, values: whole.map { UInt16($0 * 0x3C00) })
        case .bf16: return try Tensor(spec.datatype, shape: shape, values: whole.map { UInt16($0 * 0x3F80) })
        case .bool, .int8, .uint8: return try Tensor(spec.datatype, shape: shape, values: whole.map(UInt8.init))
        case .int16, .uint16: return try Tensor(spec.datatype, shape: shape, values: whole.map(UInt16.init))
        case .int32, .uint32: return try Tensor(spec.datatype, shape: shape, values: whole.map(UInt32.init))
        case .int64, .uint64: return try Tensor(spec.datatype, shape: shape, values: whole.map(UInt64.init))
        case .bytes: return try Tensor(shape: shape, strings: whole.map { Array($0 == 0 ? "a".utf8 : "b".utf8) })
        }
    }

    private static func agree(_ one: Tensor, _ other: Tensor) throws -> Bool {
        guard one.type == other.type, one.shape == other.shape else { return false }
        func close(_ a: Double, _ b: Double) -> Bool {
            a == b || a.isNaN && b.isNaN || abs(a - b) <= tolerance * max(1, abs(a), abs(b))
        }
        switch one.type {
        case .fp32:
            let pairs = zip(one.values(as: Float.self) ?? [], other.values(as: Float.self) ?? [])
            return pairs.allSatisfy { close(Double($0), Double($1)) }
        case .fp64:
            return zip(one.values(as: Double.self) ?? [], other.values(as: Double.self) ?? []).allSatisfy(close)
        case .fp16:
            let pairs = zip(one.values(as: Float16.self) ?? [], other.values(as: Float16.self) ?? [])
            return pairs.allSatisfy { close(Double($0), Double($1)) }
        default: return one.withBytes { left in other.withBytes { left.elementsEqual($0) } }
        }
    }
}
