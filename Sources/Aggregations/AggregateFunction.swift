/// What a declared window computes from the events in it. All ignore nulls; of no values at all `count` and
/// `distinctCount` are 0, the lists are empty, and everything else is null.
public enum AggregateFunction: Sendable, Hashable, Codable {
    case count
    case sum
    case mean
    case min
    case max
    /// Sample standard deviation, with n - 1; null for fewer than two values.
    case std
    case distinctCount
    /// The newest value: by event time, then by the time it became known, then by order of arrival.
    case last
    /// The newest values, newest first.
    case lastN(Int)
    /// The value at a share of 0 to 1 of the values in order, linear between neighbours (Hyndman and Fan's type 7).
    case percentile(Double)
}
