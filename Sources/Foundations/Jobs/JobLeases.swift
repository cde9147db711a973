import Basics

/// How long a worker may be silent before its job is given to another.
public struct JobLeases: Sendable, Hashable {
    /// Seconds between two heartbeats of a worker, and between two looks at the leases of others.
    public let heartbeatSeconds: Double
    /// How many heartbeats in a row must be missing.
    public let missedMax: Int

    /// The length of a lease in seconds.
    public var seconds: Double { heartbeatSeconds * Double(missedMax) }

    public init(heartbeatSeconds: Double = 5, missedMax: Int = 6) {
        self.heartbeatSeconds = heartbeatSeconds
        self.missedMax = missedMax
    }

    var microseconds: Int64 { Int64(exactly: (seconds * 1e6).rounded(.up)) ?? .max }
    var heartbeatMicroseconds: Int64 { Int64(exactly: (heartbeatSeconds * 1e6).rounded(.up)) ?? .max }

    func check() throws {
        guard heartbeatSeconds >= 0.05, heartbeatSeconds <= 3600 else {
            throw JobFailure.settings(
                "the job leases", reason: "a heartbeat every \(heartbeatSeconds) s is not between 0.05 s and an hour",
                remedy: "Choose a heartbeat of 1 to 30 s")
        }
        guard missedMax >= 3, missedMax <= 1000 else {
            throw JobFailure.settings(
                "the job leases",
                reason: "a worker would be taken for dead after \(missedMax) missing heartbeats, fewer than 3",
                remedy: "Let at least 3 heartbeats be missed; 6 is a good number")
        }
    }
}

/// What one process saw of the leases of all: for each token the last heartbeat and how long it has stood still.
struct LeaseObservations {
    private struct Observation {
        var beat: Int64
        var silence: Int64
    }

    private var known: [Int64: Observation] = [:]
    private var lastLook: Timestamp?

    /// Takes in what stands in the database now.
    /// - Parameters:
    ///   - running: token, heartbeats so far, and length of the lease in microseconds.
    ///   - step: the most that may pass between two looks, in microseconds.
    /// - Returns: tokens and heartbeats of the leases that have been silent for their length.
    mutating func look(
        at running: [(token: Int64, beat: Int64, lease: Int64)], now: Timestamp, step: Int64
    ) -> [(token: Int64, beat: Int64)] {
        let passed = lastLook.map { last in
            let (difference, overflow) = now.microseconds.subtractingReportingOverflow(last.microseconds)
            return overflow ? 0 : min(max(0, difference), step)
        }
        lastLook = now
        var next: [Int64: Observation] = [:]
        var silent: [(token: Int64, beat: Int64)] = []
        for lease in running {
            var observation = Observation(beat: lease.beat, silence: 0)
            if let before = known[lease.token], before.beat == lease.beat {
                let (sum, overflow) = before.silence.addingReportingOverflow(passed ?? 0)
                observation.silence = overflow ? .max : sum
            }
            next[lease.token] = observation
            if observation.silence >= lease.lease { silent.append((lease.token, lease.beat)) }
        }
        known = next
        return silent
    }
}
