import Basics

/// What a storm writes: the item's name, and bytes that follow from it, so that a part of one is seen to be a part.
public struct StormItem: Hashable, Sendable, CustomStringConvertible {
    /// Which process wrote it, which writer of that process, and how many it wrote before.
    public let run: Int
    public let writer: Int
    public let number: Int

    public init(run: Int, writer: Int, number: Int) {
        self.run = run
        self.writer = writer
        self.number = number
    }

    /// Reads the name of an item.
    public init?(_ name: some StringProtocol) {
        let parts = name.split(separator: "-").compactMap { Int($0) }
        guard parts.count == 3 else { return nil }
        self.init(run: parts[0], writer: parts[1], number: parts[2])
        guard description == name else { return nil }
    }

    /// Reads an item, which must be whole.
    public init?(_ bytes: [UInt8], most: Int) {
        self.init(String(decoding: bytes.prefix { $0 != UInt8(ascii: ":") }, as: UTF8.self))
        guard bytes == self.bytes(most: most) else { return nil }
    }

    public var description: String { "\(run)-\(writer)-\(number)" }

    /// The name, a colon, and at most `most` bytes.
    public func bytes(most: Int) -> [UInt8] {
        let seed = SplitMix.hash(description)
        let count = (seed % UInt64(max(8, most))) / 8
        let words = (0..<count).map { SplitMix.mix(seed &+ $0).littleEndian }
        return Array("\(self):".utf8) + words.withUnsafeBytes { Array($0) }
    }
}
