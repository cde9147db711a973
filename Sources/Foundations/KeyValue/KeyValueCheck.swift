/// What a look at a store found: for the doctor, and for people.
public struct KeyValueCheck: Sendable, Hashable {
    /// How bad a finding is.
    public enum Severity: String, Sendable, Hashable {
        /// It works, but something may be lost or slow one day.
        case warning
        /// It does not work as it must.
        case problem
    }

    /// One thing that a person should know.
    public struct Finding: Sendable, Hashable {
        public let severity: Severity
        /// One sentence without a trailing full stop.
        public let message: String
        /// The next step.
        public let remedy: String
    }

    /// Such as `lmdb` or `redis`.
    public let engine: String
    public let version: String
    /// Seconds of one small read, the median of several.
    public let latencySeconds: Double
    /// Servers that answered; 0 for a store on this machine.
    public let servers: Int
    public let findings: [Finding]

    /// Whether nothing is broken; there may be warnings.
    public var isUsable: Bool { !findings.contains { $0.severity == .problem } }
}
