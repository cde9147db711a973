/// How numbers are put into bins whose edges come from a reference sample and never move.
///
/// With edges e0 < e1 < ... < ek-1 there are k + 1 bins: (-inf, e0], (e0, e1], ..., (ek-1, +inf). Nothing falls outside.
public struct NumericBins: Sendable, Codable, Equatable {
    /// Ascending, each once, finite.
    public let edges: [Double]

    public var count: Int { edges.count + 1 }

    /// Nil where an edge is not finite or the edges do not ascend.
    public init?(edges: [Double]) {
        guard edges.allSatisfy(\.isFinite), zip(edges, edges.dropFirst()).allSatisfy({ $0 < $1 }) else { return nil }
        self.edges = edges
    }

    /// Bins that hold about equal shares of a reference sample.
    ///
    /// A sample with at most `bins` distinct values gets one bin for each and one at either side for values never seen.
    /// Otherwise the edges are its quantiles; where many values are the minimum, values below it get a bin of their own.
    ///
    /// - Parameters:
    ///   - sorted: in ascending order; finite.
    ///   - bins: how many at most, 2 or more; equal quantiles fall together.
    ///
    /// Nil where the sample is empty, not finite, or `bins` is below 2.
    public init?(quantilesOf sorted: [Double], bins: Int = 10) {
        guard bins >= 2, let minimum = sorted.first, let maximum = sorted.last, minimum.isFinite, maximum.isFinite
        else {
            return nil
        }
        var distinct: [Double] = []
        for value in sorted where distinct.last != value {
            distinct.append(value)
            if distinct.count > bins { break }
        }
        if distinct.count <= bins {
            self.init(edges: [minimum.nextDown] + distinct)
            return
        }
        var edges: [Double] = []
        for step in 1..<bins {
            guard let edge = Quantile.of(sorted: sorted, at: Double(step) / Double(bins)) else { return nil }
            if edges.last != edge { edges.append(edge) }
        }
        if edges.last == maximum { edges.removeLast() }
        if edges.first == minimum { edges.insert(minimum.nextDown, at: 0) }
        self.init(edges: edges)
    }

    /// The bin of a value that is not NaN.
    public func index(of value: Double) -> Int {
        var (low, high) = (0, edges.count)
        while low < high {
            let middle = (low + high) / 2
            if edges[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// How many values fall into each bin, and how many are NaN. Infinite values fall into the outer bins.
    public func counts(of values: [Double]) -> (bins: [Int], missing: Int) {
        var bins = [Int](repeating: 0, count: count)
        var missing = 0
        for value in values {
            if value.isNaN { missing += 1 } else { bins[index(of: value)] += 1 }
        }
        return (bins, missing)
    }
}
