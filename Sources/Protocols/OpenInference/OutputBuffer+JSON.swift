import CSimdJSON
import Inference

extension OutputBuffer {
    func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    func append(_ text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    func append(_ value: Double) {
        append(capacity: MW_NUMBER_CAPACITY) { mw_double_format($0, value) }
    }

    func append(_ value: Int) {
        append(String(value))
    }

    /// Writes a text with its quotes.
    func append(jsonString text: String) {
        var text = text
        text.withUTF8 { append(jsonString: UnsafeRawBufferPointer($0)) }
    }

    /// Writes a text with its quotes; bytes that are not UTF-8 become U+FFFD.
    func append(jsonString text: UnsafeRawBufferPointer) {
        let capacity = 6 * text.count + 2
        append(capacity: capacity) {
            mw_json_escape($0, capacity, text.assumingMemoryBound(to: CChar.self).baseAddress, text.count)
        }
    }

    /// Writes a shape, such as `[2,3]`.
    func append(shape: [Int]) {
        append("[")
        for (axis, size) in shape.enumerated() {
            if axis > 0 { append(",") }
            append(size)
        }
        append("]")
    }

    /// Writes elements with commas between.
    /// - Parameter bytes: as the binary tensor data extension lays them out.
    func append(elements bytes: UnsafeRawBufferPointer, count: Int, of type: TensorType) {
        let capacity = mw_elements_capacity(type.wire, bytes.count, count)
        append(capacity: capacity) {
            mw_elements_format($0, capacity, type.wire, bytes.baseAddress, bytes.count, count)
        }
    }
}

extension TensorType {
    /// What the parser calls it.
    var wire: mw_datatype {
        switch self {
        case .bool: MW_BOOL
        case .uint8: MW_UINT8
        case .uint16: MW_UINT16
        case .uint32: MW_UINT32
        case .uint64: MW_UINT64
        case .int8: MW_INT8
        case .int16: MW_INT16
        case .int32: MW_INT32
        case .int64: MW_INT64
        case .fp16: MW_FP16
        case .bf16: MW_BF16
        case .fp32: MW_FP32
        case .fp64: MW_FP64
        case .bytes: MW_BYTES
        }
    }

    init(_ wire: mw_datatype) {
        switch wire {
        case MW_BOOL: self = .bool
        case MW_UINT8: self = .uint8
        case MW_UINT16: self = .uint16
        case MW_UINT32: self = .uint32
        case MW_UINT64: self = .uint64
        case MW_INT8: self = .int8
        case MW_INT16: self = .int16
        case MW_INT32: self = .int32
        case MW_INT64: self = .int64
        case MW_FP16: self = .fp16
        case MW_BF16: self = .bf16
        case MW_FP32: self = .fp32
        case MW_FP64: self = .fp64
        default: self = .bytes
        }
    }
}
