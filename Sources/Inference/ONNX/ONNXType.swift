import COnnxRuntime

/// What an input or output of a model is, as the library declares it.
enum ONNXType {
    case tensor(TensorType, shape: [Int])
    /// One map for each row, of the same keys in each: a classifier's scores. `isSequence` is false for a single row.
    case maps(values: TensorType, isSequence: Bool)

    /// - Parameter info: freed by the caller.
    /// - Throws: ``InferenceError`` for what the protocol can not carry; `name` is told.
    init(_ info: OrtTypeInfo, name: String) throws {
        switch try ONNXType.kind(info) {
        case Int32(MW_ORT_TYPE_TENSOR):
            let (type, shape) = try ONNXType.tensor(info, name: name)
            self = .tensor(type, shape: shape)
        case Int32(MW_ORT_TYPE_MAP):
            self = .maps(values: try ONNXType.mapValues(info, name: name), isSequence: false)
        case Int32(MW_ORT_TYPE_SEQUENCE):
            var sequence: OrtSequenceInfo?
            try ONNXLibrary.check(OrtCastTypeInfoToSequenceTypeInfo(info, &sequence))
            let element = try ONNXLibrary.made { OrtGetSequenceElementType(sequence, $0) }
            defer { OrtReleaseTypeInfo(element) }
            guard try ONNXType.kind(element) == Int32(MW_ORT_TYPE_MAP) else {
                throw ONNXType.unservable(name, "a sequence of tensors")
            }
            self = .maps(values: try ONNXType.mapValues(element, name: name), isSequence: true)
        default: throw ONNXType.unservable(name, "optional, sparse or opaque")
        }
    }

    private static func kind(_ info: OrtTypeInfo) throws -> Int32 {
        try ONNXLibrary.number { OrtGetOnnxTypeFromTypeInfo(info, $0) }
    }

    private static func tensor(_ info: OrtTypeInfo, name: String) throws -> (TensorType, [Int]) {
        var tensor: OrtTensorInfo?
        // The part belongs to `info`.
        try ONNXLibrary.check(OrtCastTypeInfoToTensorInfo(info, &tensor))
        guard let tensor else { throw unservable(name, "a tensor of no type") }
        let (element, shape) = try describe(tensor)
        guard let type = ONNXLibrary.type(element) else {
            throw unservable(name, "a tensor of elements that the protocol does not have (ONNX type \(element))")
        }
        return (type, shape.map { $0 < 0 ? -1 : $0 })
    }

    private static func mapValues(_ info: OrtTypeInfo, name: String) throws -> TensorType {
        var map: OrtMapInfo?
        try ONNXLibrary.check(OrtCastTypeInfoToMapTypeInfo(info, &map))
        let values = try ONNXLibrary.made { OrtGetMapValueType(map, $0) }
        defer { OrtReleaseTypeInfo(values) }
        let (type, _) = try tensor(values, name: name)
        guard type != .bytes else { throw unservable(name, "a map of strings") }
        return type
    }

    /// The element number and shape of a tensor's description.
    static func describe(_ info: OrtTensorInfo) throws -> (element: Int32, shape: [Int]) {
        let element: Int32 = try ONNXLibrary.number { OrtGetTensorElementType(info, $0) }
        let rank: Int = try ONNXLibrary.number { OrtGetDimensionsCount(info, $0) }
        var shape = [Int64](repeating: 0, count: max(0, rank))
        try ONNXLibrary.check(OrtGetDimensions(info, &shape, shape.count))
        return (element, shape.map(Int.init))
    }

    private static func unservable(_ name: String, _ what: String) -> InferenceError {
        .modelFile(
            "ONNX", "'\(name)' is \(what), which the Open Inference Protocol can not carry",
            remedy: "Export the model with tensors as its inputs and outputs")
    }
}
