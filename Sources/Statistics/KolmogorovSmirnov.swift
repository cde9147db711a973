import Foundation

/// The two-sample, two-sided Kolmogorov-Smirnov test.
public struct KolmogorovSmirnov: Sendable, Equatable {
    /// The largest distance between the two empirical distribution functions, 0 to 1; exact with ties.
    public let statistic: Double
    /// The probability of such a distance or more if both samples came from one continuous distribution.
    public let pValue: Double

    /// How the p-value is computed.
    public enum Method: Sendable {
        /// Exact up to 10,000 values a side, else asymptotic: what SciPy's `ks_2samp` does by default.
        case automatic
        /// By counting lattice paths (Hodges 1957).
        case exact
        /// The one-sample distribution at the effective size n m / (n + m), rounded.
        case asymptotic
    }

    /// NaN values are left out on each side. Nil where a side has none left.
    public init?(_ first: [Double], _ second: [Double], method: Method = .automatic) {
        self.init(sorted: first.filter { !$0.isNaN }.sorted(), second.filter { !$0.isNaN }.sorted(), method: method)
    }

    /// Both samples in ascending order and without NaN. Nil where one is empty.
    public init?(sorted first: [Double], _ second: [Double], method: Method = .automatic) {
        guard !first.isEmpty, !second.isEmpty else { return nil }
        let (n, m) = (first.count, second.count)
        var (i, j, widest) = (0, 0, 0)
        while i < n, j < m {
            let value = min(first[i], second[j])
            while i < n, first[i] == value { i += 1 }
            while j < m, second[j] == value { j += 1 }
            // In units of 1 / (n m), so that no rounding blurs the exact count below.
            widest = max(widest, abs(i * m - j * n))
        }
        statistic = Double(widest) / (Double(n) * Double(m))
        let exact =
            switch method {
            case .exact: true
            case .asymptotic: false
            case .automatic: max(n, m) <= 10_000
            }
        pValue =
            exact
            ? KolmogorovSmirnov.exactTail(n, m, widest: widest)
            : KolmogorovSmirnov.asymptoticTail(statistic: statistic, n, m)
    }

    /// The asymptotic p-value of a statistic that was computed elsewhere, for samples of `n` and `m` values. 1 where a count
    /// is 0 or below.
    public static func asymptoticTail(statistic: Double, _ n: Int, _ m: Int) -> Double {
        guard n > 0, m > 0 else { return 1 }
        let effective = (Double(n) * Double(m) / (Double(n) + Double(m))).rounded(.toNearestOrEven)
        return OneSampleKolmogorov.upperTail(max(1, Int(effective)), statistic)
    }

    /// The share of all orderings of `n` and `m` values whose distance is `widest` / (n m) or more.
    ///
    /// Walks the grid from (0, 0) to (n, m) row by row; each cell holds the share of the paths to it that left the band.
    /// Cells outside the band hold 1, so only those inside are computed.
    private static func exactTail(_ n: Int, _ m: Int, widest: Int) -> Double {
        guard widest > 0 else { return 1 }
        var left = [Double](repeating: 1, count: m + 1)
        left[0] = 0
        for i in 0...n {
            // Inside means |i m - j n| < widest.
            let low = max(0, floorDivide(i * m - widest, n) + 1)
            let high = min(m, ceilDivide(i * m + widest, n) - 1)
            guard low <= high else { return 1 }
            if low > 0 { left[low - 1] = 1 }
            for j in low...high where i + j > 0 {
                let fromLeft = j > 0 ? left[j - 1] : 0
                left[j] = (left[j] * Double(i) + fromLeft * Double(j)) / Double(i + j)
            }
            if high < m { left[high + 1] = 1 }
        }
        return min(1, max(0, left[m]))
    }

    private static func floorDivide(_ a: Int, _ b: Int) -> Int { a >= 0 ? a / b : -((-a + b - 1) / b) }
    private static func ceilDivide(_ a: Int, _ b: Int) -> Int { -floorDivide(-a, b) }
}

/// The first Wasserstein distance.
public enum Wasserstein {
    /// The area between the two empirical distribution functions, in the unit of the values. NaN and infinite values are
    /// left out; nil where a side has none left.
    public static func distance(_ first: [Double], _ second: [Double]) -> Double? {
        let a = first.filter(\.isFinite).sorted()
        let b = second.filter(\.isFinite).sorted()
        guard !a.isEmpty, !b.isEmpty else { return nil }
        var (i, j, area) = (0, 0, 0.0)
        var previous = min(a[0], b[0])
        while i < a.count || j < b.count {
            let value = i < a.count ? (j < b.count ? min(a[i], b[j]) : a[i]) : b[j]
            area += abs(Double(i) / Double(a.count) - Double(j) / Double(b.count)) * (value - previous)
            while i < a.count, a[i] == value { i += 1 }
            while j < b.count, b[j] == value { j += 1 }
            previous = value
        }
        return area
    }
}
