import Columnar
import Inference

/// Fills one input tensor, value by value as columns come, in memory that is used for batch after batch.
///
/// Numbers go from the engine's vectors to their places in the tensor without anything made between.
final class TensorFiller {
    private let spec: TensorSpec
    private let width: Int
    private let hasWidth: Bool
    private let capacity: Int
    private let memory: UnsafeMutableRawBufferPointer
    /// Texts with their lengths, of a tensor of BYTES.
    private var texts: [UInt8] = []

    init(_ input: ModelBinding.Input, capacity: Int) {
        spec = input.spec
        width = input.width ?? 1
        hasWidth = input.width != nil
        self.capacity = capacity
        let element = spec.datatype.elementBytes ?? 0
        memory = .allocate(byteCount: max(64, capacity * width * element), alignment: 64)
    }

    deinit { memory.deallocate() }

    /// Takes rows of one column.
    /// - Parameters:
    ///   - position: which value of a row it is.
    ///   - rows: which rows of the chunk.
    ///   - start: the batch's row that the first of them becomes; it and those after it lie within the capacity.
    func fill(_ column: ChunkColumn, position: Int, rows: RowSelection, at start: Int) {
        let target = Target(memory: memory, stride: width, offset: start * width + position)
        switch spec.datatype {
        case .fp32: target.copy(column, rows, Float.self, blank: .nan) { $0 }
        case .fp64: target.copy(column, rows, Double.self, blank: .nan) { $0 }
        case .fp16: target.copy(column, rows, Float.self, blank: Float16.nan) { Float16($0) }
        case .bf16: target.copy(column, rows, Float.self, blank: 0x7FC0) { $0.roundedToBrain }
        case .bool: target.copy(column, rows, UInt8.self, blank: UInt8(0)) { $0 }
        case .int8: target.copy(column, rows, Int64.self, blank: Int8(0)) { Int8(truncatingIfNeeded: $0) }
        case .int16: target.copy(column, rows, Int64.self, blank: Int16(0)) { Int16(truncatingIfNeeded: $0) }
        case .int32: target.copy(column, rows, Int64.self, blank: Int32(0)) { Int32(truncatingIfNeeded: $0) }
        case .int64: target.copy(column, rows, Int64.self, blank: Int64(0)) { $0 }
        case .uint8: target.copy(column, rows, Int64.self, blank: UInt8(0)) { UInt8(truncatingIfNeeded: $0) }
        case .uint16: target.copy(column, rows, Int64.self, blank: UInt16(0)) { UInt16(truncatingIfNeeded: $0) }
        case .uint32: target.copy(column, rows, Int64.self, blank: UInt32(0)) { UInt32(truncatingIfNeeded: $0) }
        case .uint64: target.copy(column, rows, Int64.self, blank: UInt64(0)) { UInt64(truncatingIfNeeded: $0) }
        case .bytes: break
        }
    }

    /// Takes rows of a column of lists, each as long as a row of the tensor is wide.
    func fill(lists column: ChunkColumn, rows: RowSelection, at start: Int) {
        guard let elements = column.elements else { return }
        for number in 0..<rows.count {
            let range = column.range(at: rows[number])
            guard range.count == width else { continue }
            for position in 0..<width {
                fill(
                    elements, position: position,
                    rows: RowSelection(range: range.lowerBound + position..<range.lowerBound + position + 1),
                    at: start + number)
            }
        }
    }

    /// Takes rows of columns of text, one for each value of a row.
    func fill(texts columns: ArraySlice<ChunkColumn>, rows: RowSelection) {
        for number in 0..<rows.count {
            for column in columns {
                let text = column.text(at: rows[number])
                withUnsafeBytes(of: UInt32(clamping: text.count).littleEndian) { texts.append(contentsOf: $0) }
                texts.append(contentsOf: text)
            }
        }
    }

    /// The tensor of the first rows. Its memory is this filler's: it must be gone before the next is filled.
    func tensor(rows: Int) throws -> Tensor {
        let shape = hasWidth ? [rows, width] : [rows]
        guard let size = spec.datatype.elementBytes else {
            return try Tensor(
                type: .bytes, shape: shape, storage: texts.withUnsafeBytes { TensorStorage(copying: $0) })
        }
        let bytes = UnsafeRawBufferPointer(rebasing: memory[..<(rows * width * size)])
        return try Tensor(type: spec.datatype, shape: shape, storage: TensorStorage(owning: bytes) {})
    }

    func clear() { texts.removeAll(keepingCapacity: true) }

    /// Places of one column's values in the tensor.
    private struct Target {
        let memory: UnsafeMutableRawBufferPointer
        let stride: Int
        let offset: Int

        @inline(__always)
        func copy<Source: BitwiseCopyable, Value: BitwiseCopyable>(
            _ column: ChunkColumn, _ rows: RowSelection, _ type: Source.Type, blank: Value, _ convert: (Source) -> Value
        ) {
            guard let values = column.values(as: Source.self), let base = memory.baseAddress else { return }
            var place = base.assumingMemoryBound(to: Value.self) + offset
            if let range = rows.contiguous, column.validity == nil {
                for row in range {
                    place.pointee = convert(values[row])
                    place += stride
                }
                return
            }
            for number in 0..<rows.count {
                let row = rows[number]
                place.pointee = column.isNull(row) ? blank : convert(values[row])
                place += stride
            }
        }
    }
}

/// Some rows of a chunk, in order.
struct RowSelection {
    private let chosen: ArraySlice<Int>?
    private let range: Range<Int>

    init(range: Range<Int>) {
        chosen = nil
        self.range = range
    }

    /// - Parameter chosen: rows by their numbers.
    init(chosen: ArraySlice<Int>) {
        self.chosen = chosen
        range = chosen.indices
    }

    var count: Int { range.count }

    /// The rows, where they follow each other.
    var contiguous: Range<Int>? { chosen == nil ? range : nil }

    subscript(number: Int) -> Int {
        guard let chosen else { return range.lowerBound + number }
        return chosen[range.lowerBound + number]
    }

    /// Some of them.
    func part(_ numbers: Range<Int>) -> RowSelection {
        let part = range.lowerBound + numbers.lowerBound..<range.lowerBound + numbers.upperBound
        return chosen.map { RowSelection(chosen: $0[part]) } ?? RowSelection(range: part)
    }
}

extension Float {
    /// The upper half of the bits, rounded to the nearest, ties to even.
    fileprivate var roundedToBrain: UInt16 {
        guard !isNaN else { return 0x7FC0 }
        return UInt16(truncatingIfNeeded: (bitPattern &+ 0x7FFF &+ (bitPattern >> 16 & 1)) >> 16)
    }
}
