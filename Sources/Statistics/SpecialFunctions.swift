import Foundation

/// The distribution functions the tests stand on.
public enum Distribution {
    /// Upper tail of the standard normal distribution.
    public static func normalUpperTail(_ z: Double) -> Double { 0.5 * erfc(z / 2.0.squareRoot()) }

    /// The z below which `probability` of the standard normal distribution lies. Nil outside (0, 1).
    public static func normalQuantile(_ probability: Double) -> Double? {
        guard probability > 0, probability < 1 else { return nil }
        // By symmetry only the lower half is searched, where the tail keeps its relative precision.
        let tail = min(probability, 1 - probability)
        // Abramowitz and Stegun 26.2.23 (error below 4.5e-4), then Newton's steps to full precision.
        let t = (-2 * log(tail)).squareRoot()
        var z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
        for _ in 0..<4 {
            let density = exp(-z * z / 2) / (2 * Double.pi).squareRoot()
            guard density > 0 else { break }
            z += (normalUpperTail(z) - tail) / density
        }
        return probability < 0.5 ? -z : z
    }

    /// Upper tail of the chi-square distribution. Nil where `degrees` is not above 0 or `x` is below 0 or NaN.
    public static func chiSquareUpperTail(_ x: Double, degrees: Double) -> Double? {
        guard degrees > 0, degrees.isFinite, x >= 0 else { return nil }
        guard x.isFinite else { return 0 }
        return upperGamma(degrees / 2, x / 2)
    }

    /// Regularised upper incomplete gamma function: the series below `a + 1`, the continued fraction above
    /// (Abramowitz and Stegun 6.5.29 and 6.5.31, the latter by Lentz's method).
    private static func upperGamma(_ a: Double, _ x: Double) -> Double {
        guard x > 0 else { return 1 }
        let scale = exp(a * log(x) - x - logGamma(a))
        let rounds = 100_000
        if x < a + 1 {
            var term = 1 / a
            var sum = term
            for step in 1...rounds {
                term *= x / (a + Double(step))
                sum += term
                if term < sum * 1e-17 { break }
            }
            return max(0, 1 - sum * scale)
        }
        let tiny = 1e-300
        var b = x + 1 - a
        var c = 1 / tiny
        var d = 1 / b
        var fraction = d
        for step in 1...rounds {
            let coefficient = -Double(step) * (Double(step) - a)
            b += 2
            d = coefficient * d + b
            if abs(d) < tiny { d = tiny }
            c = b + coefficient / c
            if abs(c) < tiny { c = tiny }
            d = 1 / d
            fraction *= d * c
            if abs(d * c - 1) < 1e-16 { break }
        }
        return min(1, scale * fraction)
    }
}

/// The logarithm of the absolute value of the gamma function.
func logGamma(_ x: Double) -> Double {
    let result: (Double, Int) = lgamma(x)
    return result.0
}
