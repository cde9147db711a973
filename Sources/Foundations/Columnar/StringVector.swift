/// Texts laid end to end as UTF-8, so that a column of a million short strings is two allocations.
public struct StringVector: Sendable, Equatable {
    /// The UTF-8 of all texts, in order.
    public private(set) var bytes: [UInt8] = []
    /// `count + 1` positions in `bytes`: text `i` lies from `offsets[i]` to `offsets[i + 1]`.
    public private(set) var offsets: [Int] = [0]

    public init() {}

    public init(_ texts: some Sequence<String>) {
        for text in texts { append(text) }
    }

    public var count: Int { offsets.count - 1 }

    /// The text at `index`, which must lie in `0..<count`.
    public subscript(index: Int) -> String { String(decoding: utf8(at: index), as: UTF8.self) }

    /// The UTF-8 of the text at `index`, which must lie in `0..<count`.
    public func utf8(at index: Int) -> ArraySlice<UInt8> { bytes[offsets[index]..<offsets[index + 1]] }

    public mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
        offsets.append(bytes.count)
    }

    mutating func append(_ text: UnsafeRawBufferPointer) {
        bytes.append(contentsOf: text)
        offsets.append(bytes.count)
    }

    mutating func append(_ text: ArraySlice<UInt8>) {
        bytes.append(contentsOf: text)
        offsets.append(bytes.count)
    }
}

extension StringVector: ExpressibleByArrayLiteral {
    public init(arrayLiteral elements: String...) { self.init(elements) }
}
