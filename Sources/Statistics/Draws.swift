import Foundation

/// Draws from distributions.
public struct Draws {
    private let bits: () -> UInt64

    /// - Parameter bits: 64 random bits at each call.
    public init(_ bits: @escaping () -> UInt64) { self.bits = bits }

    /// Above 0 and at most 1.
    public func uniform() -> Double { Double((bits() >> 11) + 1) * 0x1p-53 }

    /// Standard normal, by the polar form of Box and Muller.
    public func normal() -> Double {
        while true {
            let (x, y) = (2 * uniform() - 1, 2 * uniform() - 1)
            let square = x * x + y * y
            if square > 0, square < 1 { return x * (-2 * log(square) / square).squareRoot() }
        }
    }

    /// Gamma with scale 1. Source: G. Marsaglia, W. W. Tsang, "A simple method for generating gamma variables" (2000).
    ///
    /// - Parameter shape: 1 or more.
    public func gamma(shape: Double) -> Double {
        let d = max(1, shape) - 1 / 3
        let c = 1 / (9 * d).squareRoot()
        while true {
            let x = normal()
            let v = 1 + c * x
            guard v > 0 else { continue }
            let cube = v * v * v
            if log(uniform()) < 0.5 * x * x + d - d * cube + d * log(cube) { return d * cube }
        }
    }

    /// - Parameters: both 1 or more.
    public func beta(_ a: Double, _ b: Double) -> Double {
        let (x, y) = (gamma(shape: a), gamma(shape: b))
        return x / (x + y)
    }
}
