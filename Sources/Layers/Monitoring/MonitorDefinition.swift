import Basics

/// What is watched on an endpoint, as written under `monitoring/`.
public struct MonitorDefinition: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var endpoint: String
    /// The length of a window, in seconds of the factory's clock.
    public var windowSeconds: Int64
    /// How long after a window's end it is judged, so that its labels can arrive.
    public var labelWaitSeconds: Int64
    public var psi: Levels
    public var ks: Levels
    /// How many features must be at the critical level before drift is an alert.
    public var minimumDrifted: Int
    public var performance: Performance

    /// Two rising bounds; at or above `warning` is a warning, above `critical` is critical.
    public struct Levels: Sendable, Codable, Equatable {
        public var warning: Double
        public var critical: Double

        public init(warning: Double, critical: Double) {
            self.warning = warning
            self.critical = critical
        }

        public func level(of value: Double) -> Level {
            value > critical ? .critical : value >= warning ? .warning : .normal
        }
    }

    public enum Level: String, Sendable, Codable, CaseIterable { case normal, warning, critical }

    /// The bound on how far AUC on labels may fall below the version's own on its holdout.
    public struct Performance: Sendable, Codable, Equatable {
        /// Relative: (baseline - now) / baseline.
        public var maximumDrop: Double
        /// With fewer labels in a window nothing is judged.
        public var minimumLabels: Int
        /// How many windows in a row must be below the bound.
        public var windows: Int

        public init(maximumDrop: Double, minimumLabels: Int, windows: Int) {
            self.maximumDrop = maximumDrop
            self.minimumLabels = minimumLabels
            self.windows = windows
        }
    }
}
