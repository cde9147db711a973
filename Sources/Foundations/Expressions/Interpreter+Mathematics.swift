import Foundation

extension ScalarFrame {
    /// Kilometres; the IUGG's mean radius R1 (Moritz, "Geodetic Reference System 1980").
    private static let earthRadius = 6371.0088

    /// Functions of doubles.
    func executeMathematics(_ step: Instruction) {
        let r = registers
        let x = r.double(step.a)
        let null = r.null(step.a)
        func give(_ value: Double) { r.set(step.target, double: value, null: null) }
        switch step.operation {
        case .round: give(x.rounded(.toNearestOrAwayFromZero))
        case .roundDigits: r.set(step.target, double: rounded(x, r.integer(step.b)), null: null | r.null(step.b))
        case .floor: give(x.rounded(.down))
        case .ceil: give(x.rounded(.up))
        case .truncate: give(x.rounded(.towardZero))
        case .squareRoot: give(x.squareRoot())
        case .exp: give(Foundation.exp(x))
        case .ln: give(Foundation.log(x))
        case .log10: give(Foundation.log10(x))
        case .log2: give(Foundation.log2(x))
        case .power: r.set(step.target, double: Foundation.pow(x, r.double(step.b)), null: null | r.null(step.b))
        case .sine: give(Foundation.sin(x))
        case .cosine: give(Foundation.cos(x))
        case .tangent: give(Foundation.tan(x))
        case .arcTangent:
            r.set(step.target, double: Foundation.atan2(x, r.double(step.b)), null: null | r.null(step.b))
        case .radians: give(x * (Double.pi / 180))
        case .degrees: give(x * (180 / Double.pi))
        case .sigmoid: give(1 / (1 + Foundation.exp(-x)))
        case .haversine: haversine(step)
        case .bucket:
            r.set(step.target, integer: bucket(x, program.bounds[Int(step.extra)]), null: null)
        default: r.setNull(step.target)
        }
    }

    /// Halves go away from zero.
    private func rounded(_ x: Double, _ digits: Int64) -> Double {
        let factor = Foundation.pow(10, Double(Swift.min(digits.magnitude, 400)))
        if digits < 0 {
            let result = (x / factor).rounded(.toNearestOrAwayFromZero) * factor
            return factor.isFinite ? result : 0
        }
        let result = (x * factor).rounded(.toNearestOrAwayFromZero) / factor
        return result.isFinite ? result : x
    }

    /// Sinnott, "Virtues of the Haversine", Sky and Telescope 68 (1984).
    private func haversine(_ step: Instruction) {
        let r = registers
        let (latitude1, longitude1) = (r.double(step.a), r.double(step.b))
        let (latitude2, longitude2) = (r.double(step.c), r.double(step.d))
        let valid =
            latitude1.magnitude <= 90 && latitude2.magnitude <= 90 && longitude1.magnitude <= 360
            && longitude2.magnitude <= 360
        let null = r.null(step.a) | r.null(step.b) | r.null(step.c) | r.null(step.d) | (valid ? 0 : 1)
        let degree = Double.pi / 180
        let high = Foundation.sin((latitude2 - latitude1) * degree / 2)
        let wide = Foundation.sin((longitude2 - longitude1) * degree / 2)
        let share =
            high * high + Foundation.cos(latitude1 * degree) * Foundation.cos(latitude2 * degree) * wide * wide
        let distance = 2 * ScalarFrame.earthRadius * Foundation.asin(Swift.min(1, share.squareRoot()))
        r.set(step.target, double: distance, null: null)
    }

    /// How many of the ascending bounds are at most x.
    private func bucket(_ x: Double, _ bounds: [Double]) -> Int64 {
        var (low, high) = (0, bounds.count)
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] <= x { low = middle + 1 } else { high = middle }
        }
        return Int64(low)
    }
}
