import Basics
import SQL
import Telemetry

/// What the queue shows of itself.
struct JobMetrics: Sendable {
    private let registry: MetricsRegistry
    private let queued: Gauge
    private let running: Gauge
    private let oldest: Gauge
    private let overlooked: Gauge
    private let lostLeases: Counter
    private let retries: Counter

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        queued = registry.gauge("modelworks_jobs_queued", help: "Jobs that wait.")
        running = registry.gauge("modelworks_jobs_running", help: "Jobs under a lease.")
        oldest = registry.gauge(
            "modelworks_jobs_oldest_wait_seconds", help: "How long the oldest job that could run has waited.")
        overlooked = registry.gauge(
            "modelworks_jobs_overlooked", help: "Jobs that could run for over a minute and that no worker has taken.")
        lostLeases = registry.counter("modelworks_jobs_lost_leases_total", help: "Leases given up for silence.")
        retries = registry.counter("modelworks_jobs_retries_total", help: "Attempts that led to another one.")
    }

    func count(_ verdict: JobVerdict) {
        switch verdict {
        case .stale: break
        case .recorded(.queued): retries.increment()
        case .recorded(let state):
            registry.counter(
                "modelworks_jobs_ended_total", help: "Jobs that came to their final state.",
                labels: ["state": state.rawValue]
            ).increment()
        }
    }

    func lost(_ count: Int) { lostLeases.increment(by: UInt64(max(0, count))) }

    func set(queued: Int64, running: Int64, oldestSeconds: Double, overlooked: Int) {
        self.queued.set(Double(queued))
        self.running.set(Double(running))
        self.overlooked.set(Double(overlooked))
        oldest.set(oldestSeconds)
    }

    /// What is in use of a limit, beside the limit itself: the first is never above the second.
    func set(_ limit: JobLimit, inUse: Int) {
        let labels = ["scope": limit.scope.rawValue, "name": limit.name]
        registry.gauge("modelworks_jobs_limit_in_use", help: "What runs under a limit.", labels: labels)
            .set(Double(inUse))
        if let most = limit.runningMax {
            registry.gauge("modelworks_jobs_limit", help: "How much may run under a limit.", labels: labels)
                .set(Double(most))
        }
    }
}

extension JobQueue {
    func measure(at now: Timestamp) async throws {
        let late = try await overlooked(forSeconds: 60)
        let (counts, oldest, limits, admission) = try await database.read { transaction in
            var counts: [String: Int64] = [:]
            for row in try transaction.query(
                "SELECT state, COUNT(*) AS jobs FROM jobs WHERE state IN ('queued', 'running') GROUP BY state")
            {
                counts[try row.string("state")] = try row.integer("jobs")
            }
            let oldest = try JobQueue.heads(at: now, in: transaction).map(\.waitingSince).min()
            let limits = try JobQueue.limits(in: transaction)
            let admission = JobAdmission(limits: limits, holdings: try JobQueue.holdings(in: transaction))
            return (counts, oldest, limits, admission)
        }
        metrics.set(
            queued: counts["queued"] ?? 0, running: counts["running"] ?? 0,
            oldestSeconds: oldest.map { max(0, now.seconds(since: $0)) } ?? 0, overlooked: late.count)
        for limit in limits { metrics.set(limit, inUse: admission.inUse(limit.scope, limit.name)) }
    }
}
