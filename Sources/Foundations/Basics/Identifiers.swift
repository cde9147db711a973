import Foundation
import Synchronization

/// Where a room gets fresh random bits from. Rooms are handed one; none asks the system itself.
public protocol RandomSource: Sendable {
    func next() -> UInt64
}

extension RandomSource {
    /// 32 lower-case hexadecimal digits: the form MLflow gives run ids.
    public func identifier() -> String { Self.hex(next()) + Self.hex(next()) }

    /// An identifier that begins with a moment: 12 digits of milliseconds since 1970, then 20 random ones. Those that are
    /// made one after another lie beside each other in an index, so that many of them change few of its pages.
    public func identifier(at time: Timestamp) -> String {
        let milliseconds = UInt64(bitPattern: time.microseconds / 1000)
        return Self.hex(milliseconds << 16 | next() >> 48) + Self.hex(next())
    }

    private static func hex(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }
}

/// The system's own random bits.
public struct SystemRandom: RandomSource {
    public init() {}

    public func next() -> UInt64 { UInt64.random(in: .min ... .max) }
}

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers from the same seed, for replays and tests.
public final class SeededRandom: RandomSource {
    private let state: Mutex<UInt64>

    public init(seed: UInt64) { state = Mutex(seed) }

    public func next() -> UInt64 {
        state.withLock { state in
            state &+= 0x9E37_79B9_7F4A_7C15
            return SplitMix.mix(state)
        }
    }
}

/// The finaliser of SplitMix64, also used wherever a stable hash of an integer is needed.
public enum SplitMix {
    public static func mix(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A stable hash of text (FNV-1a, then mixed): the same in every process and on every machine.
    public static func hash(_ text: some StringProtocol, seed: UInt64 = 0) -> UInt64 {
        var value: UInt64 = 0xCBF2_9CE4_8422_2325 ^ mix(seed)
        for byte in text.utf8 { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return mix(value)
    }
}
