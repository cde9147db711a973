import Basics
import Foundation
import ObjectStorage
import Synchronization

/// A sealer for tests of what stands around sealing: no plaintext in what is stored, no two sealed forms alike, and
/// damage found. It protects nothing.
public final class ToySealer: Sealer {
    private let seed = Atomic<UInt64>(1)
    private static let overhead = 40

    public init() {}

    public func seal(_ bytes: [UInt8]) throws -> [UInt8] {
        let nonce = seed.wrappingAdd(0x9E37_79B9_7F4A_7C15, ordering: .relaxed).newValue
        let head = withUnsafeBytes(of: nonce) { Array($0) }
        return head + stream(bytes, nonce) + Self.sum(head + bytes)
    }

    public func open(_ bytes: [UInt8]) throws -> [UInt8] {
        guard bytes.count >= Self.overhead else { throw Self.damage }
        let head = Array(bytes.prefix(8))
        let nonce = head.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
        let opened = stream(Array(bytes.dropFirst(8).dropLast(32)), nonce)
        guard Self.sum(head + opened) == Array(bytes.suffix(32)) else { throw Self.damage }
        return opened
    }

    public func seal(file source: String, into target: String) throws {
        try Data(seal(Array(Data(contentsOf: URL(fileURLWithPath: source))))).write(to: URL(fileURLWithPath: target))
    }

    public func open(file source: String, into target: String) throws {
        try Data(open(Array(Data(contentsOf: URL(fileURLWithPath: source))))).write(to: URL(fileURLWithPath: target))
    }

    public func openedSize(ofSealed bytes: Int64) -> Int64? { bytes - Int64(Self.overhead) }

    private static let damage = StorageFailure.damaged(path: "a toy", offset: 0, reason: "it is not what was sealed")

    private static func sum(_ bytes: [UInt8]) -> [UInt8] { Array(Digest(of: bytes).hex.utf8.prefix(32)) }

    private func stream(_ bytes: [UInt8], _ nonce: UInt64) -> [UInt8] {
        var result = bytes
        result.withUnsafeMutableBytes { result in
            for offset in stride(from: 0, to: result.count, by: 8) {
                var word = SplitMix.mix(nonce &+ UInt64(offset))
                for index in offset..<min(offset + 8, result.count) {
                    result[index] ^= UInt8(truncatingIfNeeded: word)
                    word >>= 8
                }
            }
        }
        return result
    }
}
