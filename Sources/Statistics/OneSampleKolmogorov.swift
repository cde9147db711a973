import Foundation

/// The distribution of the two-sided one-sample Kolmogorov statistic at a finite sample size.
///
/// The choice of method by region follows Simard and L'Ecuyer, "Computing the Two-Sided Kolmogorov-Smirnov Distribution"
/// (Journal of Statistical Software 39-11, 2011).
enum OneSampleKolmogorov {
    /// The probability that the statistic of `n` values is above `d`.
    static func upperTail(_ n: Int, _ d: Double) -> Double {
        guard n > 0, d > 0 else { return 1 }
        guard d < 1 else { return 0 }
        let size = Double(n)
        let t = size * d
        if t <= 0.5 { return 1 }
        if t <= 1 { return 1 - exp(logGamma(size + 1) + size * log((2 * t - 1) / size)) }
        if d >= 0.5 || t >= size - 1 { return min(1, 2 * oneSided(n, d)) }
        let level = t * d
        let matrixIsBest = n <= 140 ? level <= 4 : (n <= 100_000 && size * d * d.squareRoot() <= 1.4)
        if matrixIsBest { return clip(1 - matrix(n, d)) }
        if level >= 370 { return 0 }
        return level >= 2.2 ? min(1, 2 * oneSided(n, d)) : clip(1 - series(size, d))
    }

    private static func clip(_ value: Double) -> Double { min(1, max(0, value)) }

    /// The one-sided upper tail (Birnbaum and Tingey 1951); beyond 100,000 values by Maag and Dicaire's approximation,
    /// whose relative error is of order 1/n.
    private static func oneSided(_ n: Int, _ d: Double) -> Double {
        let size = Double(n)
        guard n <= 100_000 else { return exp(-pow(6 * size * d + 1, 2) / (18 * size)) }
        let last = Int(floor(size * (1 - d)))
        let logFactorial = logGamma(size + 1)
        var sum = 0.0
        for j in 0...max(0, last) {
            let step = Double(j)
            let rest = 1 - d - step / size
            guard rest > 0 || n == j else { continue }
            let power = n == j ? 0 : (size - step) * log(rest)
            let ways = logFactorial - logGamma(step + 1) - logGamma(size - step + 1)
            sum += exp(ways + power + (step - 1) * log(d + step / size))
        }
        return min(1, d * sum)
    }

    /// The lower tail by Durbin's matrix (Marsaglia, Tsang and Wang 2003).
    private static func matrix(_ n: Int, _ d: Double) -> Double {
        let t = Double(n) * d
        let k = Int(t) + 1
        let order = 2 * k - 1
        let h = Double(k) - t
        var base = [Double](repeating: 0, count: order * order)
        for row in 0..<order {
            for column in 0..<order where row - column + 1 >= 0 { base[row * order + column] = 1 }
        }
        for index in 0..<order {
            base[index * order] -= pow(h, Double(index + 1))
            base[(order - 1) * order + index] -= pow(h, Double(order - index))
        }
        if 2 * h - 1 > 0 { base[(order - 1) * order] += pow(2 * h - 1, Double(order)) }
        for row in 0..<order {
            for column in 0..<order where row - column + 1 > 0 {
                base[row * order + column] /= exp(logGamma(Double(row - column + 2)))
            }
        }
        // Scaled by powers of ten along the way: the entries outgrow a double.
        var (power, exponent) = raise(base, order: order, to: n)
        var value = power[(k - 1) * order + k - 1]
        for step in 1...n {
            value = value * Double(step) / Double(n)
            if value < 1e-140 {
                value *= 1e140
                exponent -= 140
            }
        }
        power.removeAll()
        return value * pow(10, Double(exponent))
    }

    private static func raise(_ base: [Double], order: Int, to n: Int) -> ([Double], Int) {
        var result = [Double](repeating: 0, count: order * order)
        for index in 0..<order { result[index * order + index] = 1 }
        var resultExponent = 0
        var square = base
        var squareExponent = 0
        var rest = n
        while rest > 0 {
            if rest & 1 == 1 {
                result = product(result, square, order)
                resultExponent += squareExponent
                rescale(&result, &resultExponent, order)
            }
            rest >>= 1
            guard rest > 0 else { break }
            square = product(square, square, order)
            squareExponent *= 2
            rescale(&square, &squareExponent, order)
        }
        return (result, resultExponent)
    }

    private static func rescale(_ matrix: inout [Double], _ exponent: inout Int, _ order: Int) {
        guard matrix[(order / 2) * order + order / 2] > 1e140 else { return }
        for index in matrix.indices { matrix[index] *= 1e-140 }
        exponent += 140
    }

    private static func product(_ left: [Double], _ right: [Double], _ order: Int) -> [Double] {
        var result = [Double](repeating: 0, count: order * order)
        for row in 0..<order {
            for inner in 0..<order {
                let factor = left[row * order + inner]
                guard factor != 0 else { continue }
                for column in 0..<order { result[row * order + column] += factor * right[inner * order + column] }
            }
        }
        return result
    }

    /// The lower tail by Pelz and Good's expansion (1976) in powers of 1/sqrt(n).
    private static func series(_ n: Double, _ d: Double) -> Double {
        let z = d * n.squareRoot()
        let (z2, z4, z6, z8) = (z * z, pow(z, 4), pow(z, 6), pow(z, 8))
        let pi2 = Double.pi * Double.pi
        var sums = (zero: 0.0, one: 0.0, two: 0.0, three: 0.0)
        var whole = (two: 0.0, three: 0.0)
        let terms = Int((16 * z / Double.pi).rounded(.up)) + 1
        for k in stride(from: terms, through: 0, by: -1) {
            let half = Double(k) + 0.5
            let (a2, a4, a6) = (pi2 * half * half, pi2 * pi2 * pow(half, 4), pi2 * pi2 * pi2 * pow(half, 6))
            // Each half-integer stands for itself and its mirror below 0.
            let weight = 2 * exp(-a2 / (2 * z2))
            sums.zero += weight / 2
            sums.one += (a2 - z2) * weight
            sums.two += (6 * z6 + 2 * z4 + a2 * (2 * z4 - 5 * z2) + a4 * (1 - 2 * z2)) * weight
            sums.three +=
                (a6 * (5 - 30 * z2) + a4 * (-60 * z2 + 212 * z4) + a2 * (135 * z4 - 96 * z6) - 30 * z6 - 90 * z8)
                * weight
            let b2 = pi2 * Double(k) * Double(k)
            let wholeWeight = 2 * exp(-b2 / (2 * z2))
            whole.two += b2 * wholeWeight
            whole.three += (-b2 * b2 + 3 * b2 * z2) * wholeWeight
        }
        let root = (Double.pi / 2).squareRoot()
        let k0 = (2 * Double.pi).squareRoot() / z * sums.zero
        let k1 = root / (6 * z4) * sums.one
        let k2 = root / (72 * pow(z, 7)) * sums.two - root / (36 * pow(z, 3)) * whole.two
        let k3 = root / (6480 * pow(z, 10)) * sums.three + root / (108 * z6) * whole.three
        return k0 + k1 / n.squareRoot() + k2 / n + k3 / (n * n.squareRoot())
    }
}
