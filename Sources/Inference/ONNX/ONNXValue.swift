import Basics
import COnnxRuntime

/// Tensors as the library's values, and back.
enum ONNXValue {
    /// A value over the tensor's own bytes where the library can use them in place: they have to outlive it.
    static func make(_ tensor: Tensor, _ session: ONNXSession) throws -> OrtValue {
        let shape = tensor.shape.map(Int64.init)
        let element = ONNXLibrary.element(tensor.type)
        if tensor.type == .bytes { return try strings(tensor, shape, session) }
        let bytes = tensor.unmanagedBytes
        if tensor.type == .bool, bytes.contains(where: { $0 > 1 }) {
            throw InferenceError.shape("an element of BOOL is neither 0 nor 1")
        }
        let size = tensor.type.elementBytes ?? 1
        // The library reads elements where their type may lie; a tensor that was cut out of a request may begin anywhere.
        if !bytes.isEmpty, Int(bitPattern: bytes.baseAddress).isMultiple(of: size) {
            return try ONNXLibrary.made {
                OrtCreateTensorWithDataAsOrtValue(
                    session.memory, bytes.baseAddress, bytes.count, shape, shape.count, element, $0)
            }
        }
        let value = try ONNXLibrary.made {
            OrtCreateTensorAsOrtValue(session.allocator, shape, shape.count, element, $0)
        }
        do {
            var memory: UnsafeMutableRawPointer?
            try ONNXLibrary.check(OrtGetTensorMutableData(value, &memory))
            if let memory { UnsafeMutableRawBufferPointer(start: memory, count: bytes.count).copyMemory(from: bytes) }
        } catch {
            OrtReleaseValue(value)
            throw error
        }
        return value
    }

    private static func strings(_ tensor: Tensor, _ shape: [Int64], _ session: ONNXSession) throws -> OrtValue {
        let value = try ONNXLibrary.made {
            OrtCreateTensorAsOrtValue(session.allocator, shape, shape.count, Int32(MW_ORT_STRING), $0)
        }
        do {
            for (index, text) in (tensor.strings ?? []).enumerated() {
                var memory: UnsafeMutablePointer<CChar>?
                try ONNXLibrary.check(OrtGetResizedStringTensorElementBuffer(value, index, text.count, &memory))
                guard let memory else { continue }
                UnsafeMutableRawBufferPointer(start: memory, count: text.count).copyBytes(from: text)
            }
        } catch {
            OrtReleaseValue(value)
            throw error
        }
        return value
    }

    /// Takes over a value that the library made; its memory becomes the tensor's.
    ///
    /// - Parameters:
    ///   - inputs: what was handed in; an output that is an input lies in its memory.
    ///   - name: of the output, for errors.
    static func take(_ value: OrtValue, from inputs: [Tensor], name: String, _ session: ONNXSession) throws -> Tensor {
        var isTaken = false
        defer { if !isTaken { OrtReleaseValue(value) } }
        let info = try ONNXLibrary.made { OrtGetTensorTypeAndShape(value, $0) }
        defer { OrtReleaseTensorTypeAndShapeInfo(info) }
        let (element, shape) = try ONNXType.describe(info)
        guard let type = ONNXLibrary.type(element), let count = Tensor.count(of: shape) else {
            throw InferenceError.runtime(.internal, "ONNX Runtime", "'\(name)' came back as no tensor of the protocol")
        }
        guard let size = type.elementBytes else {
            return try Tensor(type: type, shape: shape, storage: try text(of: value, count: count))
        }
        var memory: UnsafeMutableRawPointer?
        try ONNXLibrary.check(OrtGetTensorMutableData(value, &memory))
        let bytes = UnsafeRawBufferPointer(start: memory, count: memory == nil ? 0 : count * size)
        let start = Int(bitPattern: memory)
        let isInput = inputs.contains { input in
            let begin = Int(bitPattern: input.unmanagedBytes.baseAddress)
            return start >= begin && start < begin + max(1, input.byteCount)
        }
        let owner = Owner(value: value, session: session, inputs: isInput ? inputs : [])
        isTaken = true
        return try Tensor(type: type, shape: shape, storage: TensorStorage(owning: bytes) { owner.release() })
    }

    /// The strings of a value as the elements of BYTES.
    private static func text(of value: OrtValue, count: Int) throws -> TensorStorage {
        guard count > 0 else { return TensorStorage(count: 0) { _ in } }
        let length: Int = try ONNXLibrary.number { OrtGetStringTensorDataLength(value, $0) }
        var starts = [Int](repeating: 0, count: count)
        let text = try [UInt8](unsafeUninitializedCapacity: max(1, length)) { buffer, written in
            try ONNXLibrary.check(OrtGetStringTensorContent(value, buffer.baseAddress, length, &starts, count))
            written = length
        }
        return text.withUnsafeBytes { bytes in
            TensorStorage(count: length + 4 * count) { memory in
                var position = 0
                for (index, start) in starts.enumerated() {
                    let end = index + 1 < count ? starts[index + 1] : length
                    memory.storeBytes(
                        of: UInt32(truncatingIfNeeded: end - start).littleEndian, toByteOffset: position,
                        as: UInt32.self)
                    UnsafeMutableRawBufferPointer(rebasing: memory[(position + 4)..<(position + 4 + end - start)])
                        .copyBytes(from: bytes[start..<end])
                    position += 4 + end - start
                }
            }
        }
    }

    /// Takes over a sequence of maps, or one map, and puts each map's values side by side: `[rows, keys]`.
    ///
    /// - Parameter keys: how many each map has to have; nil where the file does not tell.
    static func takeMaps(
        _ value: OrtValue, isSequence: Bool, values type: TensorType, keys: Int?, name: String, _ session: ONNXSession
    ) throws -> Tensor {
        defer { OrtReleaseValue(value) }
        guard isSequence else {
            let row = try mapValues(value, type, name, session)
            return try Tensor(type: type, shape: [1, row.count], storage: row.bytes)
        }
        let rows: Int = try ONNXLibrary.number { OrtGetValueCount(value, $0) }
        var parts: [Tensor] = []
        parts.reserveCapacity(rows)
        for index in 0..<rows {
            let map = try ONNXLibrary.made { OrtGetValue(value, Int32(clamping: index), session.allocator, $0) }
            defer { OrtReleaseValue(map) }
            let row = try mapValues(map, type, name, session)
            parts.append(try Tensor(type: type, shape: [1, row.count], storage: row.bytes))
        }
        guard let first = parts.first else {
            return try Tensor(type: type, shape: [0, keys ?? 0], storage: TensorStorage(count: 0) { _ in })
        }
        guard parts.allSatisfy({ $0.shape == first.shape }), keys == nil || first.shape.last == keys else {
            throw InferenceError.runtime(.internal, "ONNX Runtime", "the maps of '\(name)' have different keys")
        }
        return try Tensor.stack(parts)
    }

    private static func mapValues(
        _ map: OrtValue, _ type: TensorType, _ name: String, _ session: ONNXSession
    ) throws -> (bytes: TensorStorage, count: Int) {
        // 0 are the keys, ascending; 1 the values in their order.
        let values = try take(
            ONNXLibrary.made { OrtGetValue(map, 1, session.allocator, $0) }, from: [], name: name, session)
        guard values.type == type else {
            throw InferenceError.runtime(
                .internal, "ONNX Runtime", "the maps of '\(name)' have other values than declared")
        }
        return (values.withBytes { TensorStorage(copying: $0) }, values.count)
    }

    /// A value that lives as long as the tensor over its memory, with what that memory may belong to: a constant output
    /// lies in the session. The library frees values on any thread.
    private struct Owner: @unchecked Sendable {
        let value: OrtValue
        let session: ONNXSession
        let inputs: [Tensor]
        func release() { withExtendedLifetime((session, inputs)) { OrtReleaseValue(value) } }
    }
}
