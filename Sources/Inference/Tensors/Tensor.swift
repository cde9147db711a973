/// An array of numbers or byte strings with a shape: what goes into a model and what comes out.
///
/// Elements lie row-major and little-endian, as the binary tensor data extension of the Open Inference Protocol has them:
/// BOOL as one byte, 0 or 1; each element of BYTES as four bytes of length and then its bytes. A tensor is a value; its
/// memory is shared by all that were cut from it.
public struct Tensor: Sendable {
    public let type: TensorType
    /// Sizes of the dimensions, none negative; empty for a scalar.
    public let shape: [Int]
    private let storage: TensorStorage
    private let range: Range<Int>

    /// - Throws: ``InferenceError`` where the bytes are not exactly what type and shape tell.
    public init(type: TensorType, shape: [Int], storage: TensorStorage, range: Range<Int>? = nil) throws {
        let range = range ?? 0..<storage.bytes.count
        guard range.lowerBound >= 0, range.upperBound <= storage.bytes.count else {
            throw InferenceError.shape("a tensor can not take bytes \(range) of \(storage.bytes.count)")
        }
        guard let count = Self.count(of: shape) else {
            throw InferenceError.shape("\(shape) is not the shape of a tensor")
        }
        if let size = type.elementBytes {
            let (expected, tooMany) = count.multipliedReportingOverflow(by: size)
            guard !tooMany, expected == range.count else {
                throw InferenceError.shape(
                    "\(range.count) bytes are not a tensor of \(type.rawValue) of shape \(shape), which takes \(size) for each of \(count) elements"
                )
            }
        } else {
            try Self.check(strings: UnsafeRawBufferPointer(rebasing: storage.bytes[range]), count: count)
        }
        self.init(unchecked: type, shape: shape, storage: storage, range: range)
    }

    /// For bytes that are known to fit.
    init(unchecked type: TensorType, shape: [Int], storage: TensorStorage, range: Range<Int>) {
        self.type = type
        self.shape = shape
        self.storage = storage
        self.range = range
    }

    /// Elements; 1 for a scalar.
    public var count: Int { shape.contains(0) ? 0 : shape.reduce(1, &*) }

    /// Whether it has no elements.
    public var isEmpty: Bool { count == 0 }

    /// How many bytes it has.
    public var byteCount: Int { range.count }

    /// Its bytes, for the time of `body`.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(storage) {
            try body(UnsafeRawBufferPointer(rebasing: storage.bytes[range]))
        }
    }

    /// Its bytes, valid while the tensor or one cut from it lives: for runtimes that take many tensors at once.
    var unmanagedBytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: storage.bytes[range]) }

    /// The product of a shape; nil where a size is negative or the product is beyond `Int`.
    public static func count(of shape: [Int]) -> Int? {
        // A zero anywhere makes it empty, whatever the others multiply to.
        if shape.contains(0) { return shape.allSatisfy { $0 >= 0 } ? 0 : nil }
        var count = 1
        for size in shape {
            guard size > 0 else { return nil }
            let (next, tooMany) = count.multipliedReportingOverflow(by: size)
            guard !tooMany else { return nil }
            count = next
        }
        return count
    }

    /// Rows `rows` of the first dimension, in the same memory.
    ///
    /// - Throws: ``InferenceError`` where the tensor has no such rows.
    public func rows(_ rows: Range<Int>) throws -> Tensor {
        guard let all = shape.first, rows.lowerBound >= 0, rows.upperBound <= all else {
            throw InferenceError.shape("a tensor of shape \(shape) has no rows \(rows)")
        }
        var cut = shape
        cut[0] = rows.count
        let perRow = cut.dropFirst().reduce(1, &*)
        if let size = type.elementBytes {
            let start = range.lowerBound + rows.lowerBound * perRow * size
            return Tensor(
                unchecked: type, shape: cut, storage: storage, range: start..<start + rows.count * perRow * size)
        }
        return withBytes { bytes in
            let start = Self.end(of: rows.lowerBound * perRow, in: bytes, from: 0)
            let end = Self.end(of: rows.count * perRow, in: bytes, from: start)
            return Tensor(
                unchecked: type, shape: cut, storage: storage,
                range: range.lowerBound + start..<range.lowerBound + end)
        }
    }

    /// Puts tensors of one type together along the first dimension.
    ///
    /// - Throws: ``InferenceError`` where they differ in type or in another dimension than the first.
    public static func stack(_ parts: [Tensor]) throws -> Tensor {
        guard let first = parts.first, !first.shape.isEmpty else {
            throw InferenceError.shape("only tensors with a first dimension can be put together")
        }
        if parts.count == 1 { return first }
        guard parts.allSatisfy({ $0.type == first.type && $0.shape.dropFirst() == first.shape.dropFirst() }) else {
            throw InferenceError.shape("tensors of different types or shapes can not be put together")
        }
        var shape = first.shape
        shape[0] = parts.reduce(0) { $0 + ($1.shape.first ?? 0) }
        let size = parts.reduce(0) { $0 + $1.byteCount }
        let storage = TensorStorage(count: size) { memory in
            var position = 0
            for part in parts {
                part.withBytes { bytes in
                    UnsafeMutableRawBufferPointer(rebasing: memory[position..<position + bytes.count])
                        .copyMemory(from: bytes)
                }
                position += part.byteCount
            }
        }
        return Tensor(unchecked: first.type, shape: shape, storage: storage, range: 0..<size)
    }

    /// The position after `elements` strings that begin at `start`; the bytes have been checked.
    private static func end(of elements: Int, in bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var position = start
        for _ in 0..<elements {
            position += 4 + Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
        }
        return position
    }

    private static func check(strings bytes: UnsafeRawBufferPointer, count: Int) throws {
        var position = 0
        for index in 0..<count {
            guard bytes.count - position >= 4 else {
                throw InferenceError.shape("the bytes end before element \(index) of \(count)")
            }
            let length = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
            guard bytes.count - position - 4 >= length else {
                throw InferenceError.shape("element \(index) says it has \(length) bytes and reaches past the end")
            }
            position += 4 + length
        }
        guard position == bytes.count else {
            throw InferenceError.shape("\(bytes.count - position) bytes follow the last of \(count) elements")
        }
    }
}
