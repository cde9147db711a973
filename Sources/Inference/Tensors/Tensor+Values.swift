extension Tensor {
    /// A tensor of fixed-size numbers.
    ///
    /// - Throws: ``InferenceError`` where `values` does not fill `shape`, or `type` has elements of another size.
    public init<Element: BitwiseCopyable>(_ type: TensorType, shape: [Int], values: [Element]) throws {
        guard type.elementBytes == MemoryLayout<Element>.stride else {
            throw InferenceError.shape("\(Element.self) is not an element of \(type.rawValue)")
        }
        let storage = values.withUnsafeBytes { TensorStorage(copying: $0) }
        try self.init(type: type, shape: shape, storage: storage)
    }

    /// A tensor of byte strings.
    ///
    /// - Throws: ``InferenceError`` where `strings` does not fill `shape`, or one has 4 GiB or more.
    public init(shape: [Int], strings: [[UInt8]]) throws {
        var encoded: [UInt8] = []
        for string in strings {
            guard let length = UInt32(exactly: string.count) else {
                throw InferenceError.shape("an element of BYTES can not have \(string.count) bytes")
            }
            withUnsafeBytes(of: length.littleEndian) { encoded.append(contentsOf: $0) }
            encoded.append(contentsOf: string)
        }
        try self.init(type: .bytes, shape: shape, storage: encoded.withUnsafeBytes { TensorStorage(copying: $0) })
    }

    /// The elements as numbers of `Element`, whose size has to be the type's; nil where it is not.
    public func values<Element: BitwiseCopyable>(as element: Element.Type) -> [Element]? {
        guard type.elementBytes == MemoryLayout<Element>.stride else { return nil }
        return withBytes { bytes in
            (0..<count).map { bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Element>.stride, as: Element.self) }
        }
    }

    /// The elements of a tensor of BYTES; nil for any other.
    public var strings: [[UInt8]]? {
        guard type == .bytes else { return nil }
        return withBytes { bytes in
            var position = 0
            return (0..<count).map { _ in
                let length = Int(
                    UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
                defer { position += 4 + length }
                return [UInt8](bytes[position + 4..<position + 4 + length])
            }
        }
    }

    /// The elements of a tensor of numbers as doubles, 64-bit whole numbers as the nearest; nil for BYTES.
    public var doubles: [Double]? { try? Numbers.withDoubles(self) { Array($0) } }
}
