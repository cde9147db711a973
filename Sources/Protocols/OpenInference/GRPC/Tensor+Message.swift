import CInference
import Inference

extension Tensor {
    /// - Parameter raw: the bytes of the input; nil where its contents are typed.
    /// - Throws: ``MessageFailure``; `InferenceError` where contents and shape do not fit.
    init(_ input: Inference__ModelInferRequest__InferInputTensor, raw: UnsafeRawBufferPointer?) throws {
        let name = String(message: input.name)
        let text = String(message: input.datatype)
        guard let type = TensorType(rawValue: text) else { throw MessageFailure.unknownType(input: name, text) }
        let shape = UnsafeBufferPointer(start: input.shape, count: input.n_shape).map { Int($0) }
        if let raw {
            guard input.contents == nil else { throw MessageFailure.mixedContents(name) }
            try self.init(type: type, shape: shape, storage: TensorStorage(copying: raw))
            if type == .bool, withBytes({ $0.contains { $0 > 1 } }) {
                throw MessageFailure.beyondRange(input: name, text)
            }
            return
        }
        let contents = input.contents?.pointee ?? Inference__InferTensorContents()
        try self.init(type: type, shape: shape, storage: Self.storage(contents, type, name))
    }

    private static func storage(
        _ contents: Inference__InferTensorContents, _ type: TensorType, _ name: String
    ) throws -> TensorStorage {
        let ints = UnsafeBufferPointer(start: contents.int_contents, count: contents.n_int_contents)
        let counts = UnsafeBufferPointer(start: contents.uint_contents, count: contents.n_uint_contents)
        func narrow<Wide: FixedWidthInteger, Narrow: FixedWidthInteger>(
            _ values: UnsafeBufferPointer<Wide>, _ element: Narrow.Type
        ) throws -> TensorStorage {
            let narrowed = try values.map { value in
                guard let value = Narrow(exactly: value) else {
                    throw MessageFailure.beyondRange(input: name, type.rawValue)
                }
                return value
            }
            return narrowed.withUnsafeBytes { TensorStorage(copying: $0) }
        }
        switch type {
        case .bool:
            let values = UnsafeBufferPointer(start: contents.bool_contents, count: contents.n_bool_contents)
                .map { $0 == 0 ? UInt8(0) : 1 }
            return values.withUnsafeBytes { TensorStorage(copying: $0) }
        case .int8: return try narrow(ints, Int8.self)
        case .int16: return try narrow(ints, Int16.self)
        case .int32: return TensorStorage(copying: UnsafeRawBufferPointer(ints))
        case .int64:
            return TensorStorage(
                copying: UnsafeRawBufferPointer(
                    UnsafeBufferPointer(start: contents.int64_contents, count: contents.n_int64_contents)))
        case .uint8: return try narrow(counts, UInt8.self)
        case .uint16: return try narrow(counts, UInt16.self)
        case .uint32: return TensorStorage(copying: UnsafeRawBufferPointer(counts))
        case .uint64:
            return TensorStorage(
                copying: UnsafeRawBufferPointer(
                    UnsafeBufferPointer(start: contents.uint64_contents, count: contents.n_uint64_contents)))
        case .fp32:
            return TensorStorage(
                copying: UnsafeRawBufferPointer(
                    UnsafeBufferPointer(start: contents.fp32_contents, count: contents.n_fp32_contents)))
        case .fp64:
            return TensorStorage(
                copying: UnsafeRawBufferPointer(
                    UnsafeBufferPointer(start: contents.fp64_contents, count: contents.n_fp64_contents)))
        case .fp16, .bf16: throw MessageFailure.rawOnly(input: name, type.rawValue)
        case .bytes:
            var packed: [UInt8] = []
            for text in UnsafeBufferPointer(start: contents.bytes_contents, count: contents.n_bytes_contents) {
                withUnsafeBytes(of: UInt32(truncatingIfNeeded: text.len).littleEndian) {
                    packed.append(contentsOf: $0)
                }
                packed.append(contentsOf: UnsafeRawBufferPointer(start: text.data, count: text.len))
            }
            return packed.withUnsafeBytes { TensorStorage(copying: $0) }
        }
    }

    /// The elements as the typed contents of an output; nil for types that only have raw ones.
    func contents(in arena: MessageArena) throws -> UnsafeMutablePointer<Inference__InferTensorContents>? {
        let contents = try arena.make(Inference__InferTensorContents.self, mw_infer_tensor_contents())
        func fill<Element: BitwiseCopyable, Wide: BitwiseCopyable>(
            _ element: Element.Type,
            _ list: WritableKeyPath<Inference__InferTensorContents, UnsafeMutablePointer<Wide>?>,
            _ size: WritableKeyPath<Inference__InferTensorContents, Int>, _ widen: (Element) -> Wide
        ) throws {
            let values = (self.values(as: element) ?? []).map(widen)
            contents.pointee[keyPath: list] = try arena.list(values)
            contents.pointee[keyPath: size] = values.count
        }
        switch type {
        case .bool: try fill(UInt8.self, \.bool_contents, \.n_bool_contents) { Int32($0) }
        case .int8: try fill(Int8.self, \.int_contents, \.n_int_contents) { Int32($0) }
        case .int16: try fill(Int16.self, \.int_contents, \.n_int_contents) { Int32($0) }
        case .int32: try fill(Int32.self, \.int_contents, \.n_int_contents) { $0 }
        case .int64: try fill(Int64.self, \.int64_contents, \.n_int64_contents) { $0 }
        case .uint8: try fill(UInt8.self, \.uint_contents, \.n_uint_contents) { UInt32($0) }
        case .uint16: try fill(UInt16.self, \.uint_contents, \.n_uint_contents) { UInt32($0) }
        case .uint32: try fill(UInt32.self, \.uint_contents, \.n_uint_contents) { $0 }
        case .uint64: try fill(UInt64.self, \.uint64_contents, \.n_uint64_contents) { $0 }
        case .fp32: try fill(Float.self, \.fp32_contents, \.n_fp32_contents) { $0 }
        case .fp64: try fill(Double.self, \.fp64_contents, \.n_fp64_contents) { $0 }
        case .fp16, .bf16: return nil
        case .bytes:
            let texts = try (strings ?? []).map { ProtobufCBinaryData(len: $0.count, data: try arena.list($0)) }
            contents.pointee.bytes_contents = try arena.list(texts)
            contents.pointee.n_bytes_contents = texts.count
        }
        return contents
    }
}
