import Inference

/// The outputs of a model as callers who know nothing of tensors read them.
struct ScoringAnswer {
    let outputs: [(name: String, tensor: Tensor)]

    /// One output as arrays within arrays; several by name.
    func appendByName(to buffer: OutputBuffer) {
        if let only = outputs.first, outputs.count == 1 {
            buffer.append(nested: only.tensor)
            return
        }
        buffer.append("{")
        for (place, output) in outputs.enumerated() {
            if place > 0 { buffer.append(",") }
            buffer.append(jsonString: output.name)
            buffer.append(":")
            buffer.append(nested: output.tensor)
        }
        buffer.append("}")
    }

    /// One output as an array of rows; several as an object for each row, where all have as many rows.
    func appendByRow(to buffer: OutputBuffer) {
        let rows = outputs.first?.tensor.shape.first
        guard outputs.count > 1, let rows, outputs.allSatisfy({ $0.tensor.shape.first == rows }) else {
            appendByName(to: buffer)
            return
        }
        var offsets = outputs.map { _ in 0 }
        buffer.append("[")
        for row in 0..<rows {
            buffer.append(row == 0 ? "{" : ",{")
            for (place, output) in outputs.enumerated() {
                if place > 0 { buffer.append(",") }
                buffer.append(jsonString: output.name)
                buffer.append(":")
                output.tensor.withBytes {
                    buffer.append(
                        nested: output.tensor.shape.dropFirst(), output.tensor.type, $0, from: &offsets[place])
                }
            }
            buffer.append("}")
        }
        buffer.append("]")
    }
}

extension OutputBuffer {
    /// Writes a tensor as arrays within arrays; a scalar as itself.
    func append(nested tensor: Tensor) {
        var offset = 0
        tensor.withBytes { append(nested: tensor.shape[...], tensor.type, $0, from: &offset) }
    }

    /// - Parameter offset: where the first element lies in `bytes`; moved behind the last.
    fileprivate func append(
        nested shape: ArraySlice<Int>, _ type: TensorType, _ bytes: UnsafeRawBufferPointer, from offset: inout Int
    ) {
        guard let count = shape.first else {
            append(1, type, bytes, from: &offset)
            return
        }
        append("[")
        if shape.count == 1 {
            append(count, type, bytes, from: &offset)
        } else {
            for row in 0..<count {
                if row > 0 { append(",") }
                append(nested: shape.dropFirst(), type, bytes, from: &offset)
            }
        }
        append("]")
    }

    private func append(_ count: Int, _ type: TensorType, _ bytes: UnsafeRawBufferPointer, from offset: inout Int) {
        var end = offset
        if let size = type.elementBytes {
            end += count * size
        } else {
            for _ in 0..<count {
                end += 4 + Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: end, as: UInt32.self)))
            }
        }
        append(elements: UnsafeRawBufferPointer(rebasing: bytes[offset..<end]), count: count, of: type)
        offset = end
    }
}
