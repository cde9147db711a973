import CSimdJSON
import Inference

/// Turns values into the elements of an input of a model.
struct CellPacker {
    let input: String
    let type: TensorType

    /// - Throws: ``ScoringFailure/wrongValue(input:wanted:found:)`` for the first value that does not fit. A missing value
    ///   is NaN where there is one.
    func pack(_ cells: [Cell]) throws -> TensorStorage {
        var tensor = mw_tensor()
        tensor.datatype = type.wire
        tensor.count = cells.count
        switch type {
        case .fp16, .bf16, .fp32, .fp64:
            let values = try cells.map(number)
            return values.withUnsafeBufferPointer {
                tensor.kind = MW_DATA_DOUBLE
                tensor.doubles = $0.baseAddress
                return storage(tensor)
            }
        case .bool:
            let values = try cells.map(truth)
            return values.withUnsafeBytes { TensorStorage(copying: $0) }
        case .int8, .int16, .int32, .int64:
            let bits = (type.elementBytes ?? 8) * 8
            let values = try cells.map { try integer($0, Int64.min >> (64 - bits)...Int64.max >> (64 - bits)) }
            return values.withUnsafeBufferPointer {
                tensor.kind = MW_DATA_INT64
                tensor.int64s = $0.baseAddress
                return storage(tensor)
            }
        case .uint8, .uint16, .uint32, .uint64:
            let bits = (type.elementBytes ?? 8) * 8
            let values = try cells.map { try integer($0, 0...UInt64.max >> (64 - bits)) }
            return values.withUnsafeBufferPointer {
                tensor.kind = MW_DATA_UINT64
                tensor.uint64s = $0.baseAddress
                return storage(tensor)
            }
        case .bytes:
            var packed: [UInt8] = []
            for cell in cells {
                guard case .bytes(let bytes) = cell, let length = UInt32(exactly: bytes.count) else {
                    throw wrong(cell, "texts")
                }
                withUnsafeBytes(of: length.littleEndian) { packed.append(contentsOf: $0) }
                packed.append(contentsOf: bytes)
            }
            return packed.withUnsafeBytes { TensorStorage(copying: $0) }
        }
    }

    private func storage(_ tensor: mw_tensor) -> TensorStorage {
        withUnsafePointer(to: tensor) { tensor in
            TensorStorage(count: mw_tensor_size(tensor)) { mw_tensor_write(tensor, $0.baseAddress) }
        }
    }

    private func wrong(_ cell: Cell, _ wanted: String) -> ScoringFailure {
        .wrongValue(input: input, wanted: "\(wanted) of \(type.rawValue)", found: cell.kind)
    }

    private func number(_ cell: Cell) throws -> Double {
        switch cell {
        case .null: .nan
        case .bool(let value): value ? 1 : 0
        case .integer(let value): Double(value)
        case .unsigned(let value): Double(value)
        case .number(let value): value
        case .bytes: throw wrong(cell, "numbers")
        }
    }

    private func truth(_ cell: Cell) throws -> UInt8 {
        switch cell {
        case .bool(let value): value ? 1 : 0
        case .integer(0): 0
        case .integer(1): 1
        default: throw wrong(cell, "truth values")
        }
    }

    private func integer<Number: FixedWidthInteger>(_ cell: Cell, _ range: ClosedRange<Number>) throws -> Number {
        let value: Number? =
            switch cell {
            case .bool(let value): value ? 1 : 0
            case .integer(let value): Number(exactly: value)
            case .unsigned(let value): Number(exactly: value)
            // Tables of Python turn whole numbers into floating-point ones where another row has none.
            case .number(let value): Number(exactly: value)
            case .null, .bytes: nil
            }
        guard let value, range.contains(value) else { throw wrong(cell, "whole numbers") }
        return value
    }
}
