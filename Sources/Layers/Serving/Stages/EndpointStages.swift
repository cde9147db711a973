import Synchronization
import Telemetry

/// The stage times of an endpoint, by the version that answered and the arm it answered on.
final class EndpointStages: Sendable {
    private struct Key: Hashable {
        var version: Int64
        var arm: Arm
    }

    private let name: String
    private let metrics: MetricsRegistry
    private let known = Mutex<[Key: StageHistograms]>([:])
    /// Microseconds since 1970 when it was last asked; 0 before.
    let lastAsked = Atomic<Int64>(0)

    init(_ name: String, in metrics: MetricsRegistry) {
        self.name = name
        self.metrics = metrics
    }

    /// - Parameter version: 0 where a constant answers.
    func histograms(version: Int64, arm: Arm) -> StageHistograms {
        known.withLock { known in
            let key = Key(version: version, arm: arm)
            if let found = known[key] { return found }
            let made = StageHistograms(name, version: String(version), arm: arm, in: metrics)
            known[key] = made
            return made
        }
    }

    /// Everything there is, in order.
    var all: [(version: Int64, arm: Arm, stages: StageHistograms)] {
        known.withLock { $0.map { ($0.key.version, $0.key.arm, $0.value) } }
            .sorted { ($0.0, $0.1.rawValue) < ($1.0, $1.1.rawValue) }
    }
}
