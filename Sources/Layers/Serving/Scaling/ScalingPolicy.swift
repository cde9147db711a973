import Basics
import Configuration

/// How many replicas of a model are wanted: between which bounds, and for what load.
public struct ScalingPolicy: Sendable, Codable, Equatable {
    /// The fewest and the most there may be; a least of 0 lets a model go away that nobody asks.
    public var minimum: Int
    public var maximum: Int
    /// Requests under way at once that one replica is to have.
    public var targetConcurrency: Double
    /// The 95th percentile of a request's seconds above which more replicas are wanted; nil where time does not matter.
    public var targetSeconds: Double?
    /// Seconds over which the load is averaged.
    public var stableSeconds: Double = 60
    /// Seconds over which a sudden load is averaged.
    public var panicSeconds: Double = 6
    /// How many times what there is must be wanted over the panic window for a load to count as sudden.
    public var panicThreshold: Double = 2
    /// Seconds for which fewer must be wanted before there are fewer.
    public var downDelaySeconds: Double = 0
    /// Seconds without a request, beyond the stable window, before the last replica goes.
    public var zeroGraceSeconds: Double = 30
    /// The share by which the load may be off the target without a change.
    public var tolerance: Double = 0.1
    /// The most and the least replicas at the next decision, as factors of those there are.
    public var upFactor: Double = 1000
    public var downFactor: Double = 2

    public init(minimum: Int, maximum: Int, targetConcurrency: Double = 1, targetSeconds: Double? = nil) {
        self.minimum = max(0, minimum)
        self.maximum = max(1, maximum, minimum)
        self.targetConcurrency = max(0.01, targetConcurrency)
        self.targetSeconds = targetSeconds
    }

    /// Reads `MIN:MAX`, each at most 64.
    public init?(bounds text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) }
        guard parts.count == 2, let low = parts[0], let high = parts[1], (0...64).contains(low),
            (1...64).contains(high), low <= high
        else { return nil }
        self.init(minimum: low, maximum: high)
    }
}

extension ScalingPolicy {
    /// Words of `scaling` in a model's configuration.
    static let keys = [
        "min_replicas", "max_replicas", "target_concurrency", "target_latency_ms", "stable_window_seconds",
        "panic_window_seconds", "panic_threshold", "scale_down_delay_seconds", "scale_to_zero_grace_seconds",
        "tolerance",
    ]

    /// - Throws: `ConfigurationFailure`.
    init(_ mapping: ConfigurationMapping) throws {
        func number(_ key: String, _ standard: Double, in range: ClosedRange<Double>) throws -> Double {
            let value = try mapping.double(key, default: standard)
            guard range.contains(value) else {
                throw ConfigurationFailure(
                    mapping.node(key)?.place ?? mapping.place,
                    "'\(key)' must be \(range.lowerBound) to \(range.upperBound), and is \(value)")
            }
            return value
        }
        let low = try mapping.int("min_replicas", default: 1)
        let high = try mapping.int("max_replicas", default: max(1, low))
        guard (0...64).contains(low), (1...64).contains(high), low <= high else {
            throw ConfigurationFailure(
                mapping.place, "'min_replicas' must be 0 to 64, and 'max_replicas' as many or more")
        }
        self.init(minimum: low, maximum: high)
        targetConcurrency = try number("target_concurrency", targetConcurrency, in: 0.01...1e6)
        if mapping.node("target_latency_ms") != nil {
            targetSeconds = try number("target_latency_ms", 0, in: 0.001...1e7) / 1000
        }
        stableSeconds = try number("stable_window_seconds", stableSeconds, in: 1...3600)
        panicSeconds = try number("panic_window_seconds", min(panicSeconds, stableSeconds), in: 1...stableSeconds)
        panicThreshold = try number("panic_threshold", panicThreshold, in: 1...1000)
        downDelaySeconds = try number("scale_down_delay_seconds", downDelaySeconds, in: 0...3600)
        zeroGraceSeconds = try number("scale_to_zero_grace_seconds", zeroGraceSeconds, in: 0...86_400)
        tolerance = try number("tolerance", tolerance, in: 0...0.9)
    }
}
