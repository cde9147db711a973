import Basics
import COnnxRuntime

/// ONNX Runtime: opened at its first use, its statuses turned into errors.
enum ONNXLibrary {
    /// - Throws: ``InferenceError`` where the library is not there or is another release.
    static func open() throws {
        if let reason = mw_ort_load() { throw InferenceError.library("ONNX Runtime", String(cString: reason)) }
    }

    /// What a status tells; nil for success. The status is freed.
    static func failure(_ status: OrtStatus?) -> (code: Int, words: String)? {
        guard let status else { return nil }
        defer { OrtReleaseStatus(status) }
        return (
            Int(OrtGetErrorCode(status)), OrtGetErrorMessage(status).map { String(cString: $0) } ?? "no reason given"
        )
    }

    /// - Throws: ``InferenceError`` of `code` with the library's own words where `status` is not success.
    static func check(_ status: OrtStatus?, _ code: FailureCode = .internal) throws {
        guard let failure = failure(status) else { return }
        throw InferenceError.runtime(code, "ONNX Runtime", failure.words)
    }

    /// Calls that give an object by a pointer.
    static func made(_ call: (UnsafeMutablePointer<OpaquePointer?>) -> OrtStatus?) throws -> OpaquePointer {
        var object: OpaquePointer?
        try check(call(&object))
        guard let object else { throw InferenceError.runtime(.internal, "ONNX Runtime", "no object came back") }
        return object
    }

    /// Calls that give a number by a pointer.
    static func number<Number: FixedWidthInteger>(_ call: (UnsafeMutablePointer<Number>) -> OrtStatus?) throws -> Number
    {
        var number: Number = 0
        try check(call(&number))
        return number
    }

    /// The type of the library's tensor elements; nil for one that the protocol does not have.
    static func type(_ element: Int32) -> TensorType? {
        types.indices.contains(Int(element)) ? types[Int(element)] : nil
    }

    /// The library's number for a type.
    static func element(_ type: TensorType) -> Int32 {
        switch type {
        case .bool: Int32(MW_ORT_BOOL)
        case .uint8: Int32(MW_ORT_UINT8)
        case .uint16: Int32(MW_ORT_UINT16)
        case .uint32: Int32(MW_ORT_UINT32)
        case .uint64: Int32(MW_ORT_UINT64)
        case .int8: Int32(MW_ORT_INT8)
        case .int16: Int32(MW_ORT_INT16)
        case .int32: Int32(MW_ORT_INT32)
        case .int64: Int32(MW_ORT_INT64)
        case .fp16: Int32(MW_ORT_FLOAT16)
        case .bf16: Int32(MW_ORT_BFLOAT16)
        case .fp32: Int32(MW_ORT_FLOAT)
        case .fp64: Int32(MW_ORT_DOUBLE)
        case .bytes: Int32(MW_ORT_STRING)
        }
    }

    /// The types by the library's numbers.
    private static let types: [TensorType?] = {
        let numbers = TensorType.allCases.map { Int(element($0)) }
        var types = [TensorType?](repeating: nil, count: (numbers.max() ?? 0) + 1)
        for (type, number) in zip(TensorType.allCases, numbers) { types[number] = type }
        return types
    }()
}
