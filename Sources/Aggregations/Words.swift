/// The arithmetic of accumulators in words.
enum Words {
    static func whole(_ low: UInt64, _ high: UInt64) -> Int128 {
        Int128(truncatingIfNeeded: UInt128(high) << 64 | UInt128(low))
    }

    /// Exact: 2^63 values of 64 bits fit.
    static func add(_ value: Int128, to words: inout MutableSpan<UInt64>, at place: Int) {
        let sum = whole(words[place], words[place + 1]) &+ value
        words[place] = UInt64(truncatingIfNeeded: sum)
        words[place + 1] = UInt64(truncatingIfNeeded: sum >> 64)
    }

    /// A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", ZAMM 54 (1974).
    static func add(_ value: Double, _ lost: Double, to words: inout MutableSpan<UInt64>, at place: Int) {
        let sum = Double(bitPattern: words[place])
        let total = sum + value
        let rounded = abs(sum) >= abs(value) ? (sum - total) + value : (value - total) + sum
        words[place] = total.bitPattern
        words[place + 1] = (Double(bitPattern: words[place + 1]) + rounded + lost).bitPattern
    }

    /// The compensated sum. An infinite one has no meaningful compensation.
    static func sum(_ words: Span<UInt64>, at place: Int) -> Double {
        let sum = Double(bitPattern: words[place])
        return sum.isFinite ? sum + Double(bitPattern: words[place + 1]) : sum
    }

    /// B. P. Welford, "Note on a method for calculating corrected sums of squares and products", Technometrics 4 (1962).
    /// The mean is kept in two words, so that a large mean with a small spread does not spoil the spread.
    static func addMoment(_ value: Double, to words: inout MutableSpan<UInt64>, at place: Int) {
        let before = Double(words[place])
        words[place] &+= 1
        let count = before + 1
        let delta = difference(value, 0, Double(bitPattern: words[place + 1]), Double(bitPattern: words[place + 2]))
        move(&words, place, by: delta / count)
        spread(&words, place, by: delta * delta * (before / count), 0)
    }

    /// T. F. Chan, G. H. Golub, R. J. LeVeque, "Updating formulae and a pairwise algorithm for computing sample
    /// variances", Stanford report STAN-CS-79-773 (1979).
    static func mergeMoments(
        _ other: Span<UInt64>, _ source: Int, into words: inout MutableSpan<UInt64>, at place: Int
    ) {
        guard other[source] != 0 else { return }
        guard words[place] != 0 else {
            for word in 0..<5 { words[place + word] = other[source + word] }
            return
        }
        let (left, right) = (Double(words[place]), Double(other[source]))
        let count = left + right
        words[place] &+= other[source]
        let delta = difference(
            Double(bitPattern: other[source + 1]), Double(bitPattern: other[source + 2]),
            Double(bitPattern: words[place + 1]), Double(bitPattern: words[place + 2]))
        move(&words, place, by: delta * (right / count))
        spread(&words, place, by: Double(bitPattern: other[source + 3]), Double(bitPattern: other[source + 4]))
        spread(&words, place, by: delta * delta * (left * right / count), 0)
    }

    /// The sum of squared deviations from the mean.
    static func squaredDeviations(_ words: Span<UInt64>, at place: Int) -> Double {
        let sum = Double(bitPattern: words[place + 3])
        return sum.isFinite ? sum + Double(bitPattern: words[place + 4]) : sum
    }

    /// (a + b) - (c + d), where b and d are small beside a and c (Knuth's two-sum).
    private static func difference(_ high: Double, _ low: Double, _ otherHigh: Double, _ otherLow: Double) -> Double {
        let result = high - otherHigh
        let part = result - high
        let rounded = (high - (result - part)) - (otherHigh + part)
        return result + (rounded + (low - otherLow))
    }

    private static func move(_ words: inout MutableSpan<UInt64>, _ place: Int, by step: Double) {
        let (high, low) = (Double(bitPattern: words[place + 1]), Double(bitPattern: words[place + 2]))
        let moved = high + step
        let part = moved - high
        let rest = (high - (moved - part)) + (step - part) + low
        let normal = moved + rest
        words[place + 1] = normal.bitPattern
        words[place + 2] = (rest - (normal - moved)).bitPattern
    }

    private static func spread(
        _ words: inout MutableSpan<UInt64>, _ place: Int, by value: Double, _ lost: Double
    ) {
        add(value, lost, to: &words, at: place + 3)
    }
}
