import Basics
import Foundation

/// Draws the input of fuzz suites: noise, pieces of the language that is read, and samples of it that were changed a little.
///
/// The environment tells the seed (`MODELWORKS_SEED`) and how many seconds a suite goes on beyond its least number of rounds
/// (`MODELWORKS_FUZZ_SECONDS`). The same seed gives the same input.
public struct Fuzzer: Sendable {
    public let seed: UInt64
    public let random: SeededRandom
    private let pieces: [[UInt8]]
    private let seconds: UInt64

    /// - Parameter pieces: what the language is made of, and what it must not choke on.
    public init(pieces: [String]) {
        func number(_ name: String) -> UInt64? {
            ProcessInfo.processInfo.environment[name].flatMap(UInt64.init)
        }
        seed = number("MODELWORKS_SEED") ?? 1
        seconds = number("MODELWORKS_FUZZ_SECONDS") ?? 0
        random = SeededRandom(seed: seed)
        self.pieces = pieces.map { Array($0.utf8) }
    }

    /// A number from 0 on; 0 where the limit leaves none.
    public func below(_ limit: Int) -> Int { Int(random.next() % UInt64(max(1, limit))) }

    /// Whether the one of so many cases came up that happens once in `count`.
    public func isOne(in count: Int) -> Bool { below(count) == 0 }

    /// One of some items, of which there must be one.
    public func one<Item>(of items: [Item]) -> Item { items[below(items.count)] }

    public func piece() -> [UInt8] { pieces.isEmpty ? [] : one(of: pieces) }

    /// Bytes without any sense, fewer than `limit`.
    public func noise(below limit: Int) -> [UInt8] {
        (0..<below(limit)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    }

    /// Fewer than `limit` pieces in a row.
    public func row(below limit: Int) -> [UInt8] { (0..<below(limit)).flatMap { _ in piece() } }

    /// One piece many times over: what is deep, or long.
    public func repetition(below limit: Int) -> [UInt8] {
        let piece = piece()
        return (0..<below(limit)).flatMap { _ in piece }
    }

    /// A sample after some changes: bytes and pieces put in, bits flipped, stretches taken out or doubled elsewhere.
    public func mutated(_ sample: [UInt8]) -> [UInt8] {
        var bytes = sample
        for _ in 0...below(6) {
            let at = below(bytes.count + 1)
            switch below(5) {
            case 0: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: at)
            case 1: bytes.removeSubrange(at..<min(bytes.count, at + below(12)))
            case 2: bytes.insert(contentsOf: piece(), at: at)
            case 3: if at < bytes.count { bytes[at] ^= 1 << UInt8(below(8)) }
            default:
                let end = min(bytes.count, at + below(40))
                bytes.insert(contentsOf: Array(bytes[at..<end]), at: below(bytes.count + 1))
            }
        }
        return bytes
    }

    /// Bytes for a reader of text: mostly a sample that was changed, else noise, pieces in a row or one piece many times.
    public func bytes(from samples: [String]) -> [UInt8] {
        switch below(8) {
        case 0: noise(below: 200)
        case 1: row(below: 40)
        case 2: repetition(below: 1500)
        default: mutated(Array(one(of: samples).utf8))
        }
    }

    /// The same as text.
    public func text(from samples: [String]) -> String { String(decoding: bytes(from: samples), as: UTF8.self) }

    /// A document after one change: a value that is another, a member or an item that is gone, there twice or many times.
    /// - Parameter odd: what values are replaced by.
    public func mutated(_ value: JSONValue, odd: [JSONValue]) -> JSONValue {
        switch value {
        case .object(var members) where !members.isEmpty && !isOne(in: 8):
            let key = one(of: members.keys.sorted())
            switch below(8) {
            case 0: members[key] = nil
            case 1: members[String(decoding: piece(), as: UTF8.self)] = one(of: odd)
            default: members[key] = mutated(members[key] ?? .null, odd: odd)
            }
            return .object(members)
        case .array(var items) where !items.isEmpty && !isOne(in: 8):
            let at = below(items.count)
            switch below(8) {
            case 0: items.remove(at: at)
            case 1: items.append(items[at])
            case 2: items = [JSONValue](repeating: items[at], count: below(300))
            default: items[at] = mutated(items[at], odd: odd)
            }
            return .array(items)
        case .string(let text) where isOne(in: 3):
            return .string(String(decoding: mutated(Array(text.utf8)), as: UTF8.self))
        default: return one(of: odd)
        }
    }

    /// Numbers from 0 on, at least so many and until the time is over.
    public func rounds(atLeast least: Int) -> Rounds {
        Rounds(least: least, end: SystemTime.monotonicNanoseconds + seconds * 1_000_000_000)
    }

    /// The rounds of a suite.
    public struct Rounds: Sequence, IteratorProtocol {
        private let least: Int
        private let end: UInt64
        private var round = 0

        fileprivate init(least: Int, end: UInt64) {
            (self.least, self.end) = (least, end)
        }

        public mutating func next() -> Int? {
            guard round < least || SystemTime.monotonicNanoseconds < end else { return nil }
            defer { round += 1 }
            return round
        }
    }
}
