import Basics
import Compression
import Testing

@Suite struct CompressionTests {
    private func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1
            return UInt8(truncatingIfNeeded: state >> 60)
        }
    }

    @Test(arguments: Compression.allCases) func whatWasCompressedComesBack(coding: Compression) throws {
        for count in [0, 1, 255, 4096, 1_000_000] {
            let plain = bytes(count, seed: UInt64(count))
            let packed = try plain.withUnsafeBytes { try coding.compress($0) }
            #expect(try packed.withUnsafeBytes { try coding.decompress($0, limit: count) } == plain)
            if count > 1000 { #expect(packed.count < count) }
        }
    }

    /// `gzip.compress(b"modelworks", mtime=0)` and `zlib.compress(b"modelworks")` of Python 3.11.
    @Test func bytesOfOthersAreRead() throws {
        let gzip: [UInt8] = [
            31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 203, 205, 79, 73, 205, 41, 207, 47, 202, 46, 6, 0, 191, 94, 151, 134, 10,
            0,
            0, 0,
        ]
        let zlib: [UInt8] = [120, 156, 203, 205, 79, 73, 205, 41, 207, 47, 202, 46, 6, 0, 23, 76, 4, 72]
        #expect(
            try gzip.withUnsafeBytes { try Compression.gzip.decompress($0, limit: 100) } == Array("modelworks".utf8))
        #expect(
            try zlib.withUnsafeBytes { try Compression.deflate.decompress($0, limit: 100) } == Array("modelworks".utf8))
    }

    @Test(arguments: Compression.allCases) func whatIsWrongIsTold(coding: Compression) throws {
        let packed = try bytes(10_000, seed: 3).withUnsafeBytes { try coding.compress($0) }
        func refusal(_ bytes: [UInt8], limit: Int = 20_000) -> FailureCode? {
            do {
                _ = try bytes.withUnsafeBytes { try coding.decompress($0, limit: limit) }
                return nil
            } catch {
                return (error as? any Failure)?.code
            }
        }
        #expect(refusal(packed) == nil)
        for cut in [0, 1, 5, packed.count / 2, packed.count - 1] {
            #expect(refusal(Array(packed.prefix(cut))) == .invalidArgument, "\(cut)")
        }
        #expect(refusal(packed + [0]) == .invalidArgument)
        var damaged = packed
        damaged[packed.count / 2] ^= 0xFF
        #expect(refusal(damaged) == .invalidArgument)
        #expect(refusal(Array("no compressed bytes".utf8)) == .invalidArgument)
        #expect(refusal(packed, limit: 10_000) == nil)
        #expect(refusal(packed, limit: 9_999) == .resourceExhausted)
    }

    @Test(arguments: Compression.allCases) func aBombIsCutShort(coding: Compression) throws {
        let zeros = [UInt8](repeating: 0, count: 32 << 20)
        let bomb = try zeros.withUnsafeBytes { try coding.compress($0, level: 9) }
        #expect(bomb.count < 100_000)
        #expect(throws: CompressionFailure.tooLong(limit: 1 << 20)) {
            try bomb.withUnsafeBytes { try coding.decompress($0, limit: 1 << 20) }
        }
    }
}
