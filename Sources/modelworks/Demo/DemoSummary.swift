import Basics

/// What `demo/summary.json` holds: every number is measured in the run that wrote it.
struct DemoSummary: Codable, Sendable {
    var wallSeconds = 0.0
    var peakRSSBytes: Int64 = 0
    var dataset = Dataset()
    var champion = Champion()
    var challenger = Challenger()
    var drift = Drift()
    var rollout = RolloutPart()
    var rollback = Rollback()
    var requests = Requests()
    var latency = Latency()
    var journal = JournalPart()
    var leakCheck = LeakCheck()
    var stagesSeconds: [String: Double] = [:]
    /// Mean microseconds that the server took to parse a request, to join its features, and to ask the model.
    var stagesMicroseconds: [String: Double] = [:]
    /// The most memory the server had had by the end of each stage.
    var stagesPeakBytes: [String: Int64] = [:]
    /// Names of everything by content: equal in two runs over the same data.
    var digests: [String: String] = [:]

    struct Dataset: Codable, Sendable {
        var flights: Int64 = 0
        var quarantined: Int64 = 0
    }

    struct Champion: Codable, Sendable {
        var aucHoldout = 0.0
        /// On the whole weeks in which the challenger was in Production: what the champion would have answered.
        var aucAfterDrift = 0.0

        enum CodingKeys: String, CodingKey {
            case aucHoldout = "auc_holdout"
            case aucAfterDrift = "auc_after_drift"
        }
    }

    struct Challenger: Codable, Sendable {
        var version: String?
        /// On the same weeks as the champion's `auc_after_drift`.
        var aucSameWeeks = 0.0
        var aucHoldout: Double?
        var championAUCOnHoldout: Double?
        var weeks = 0

        enum CodingKeys: String, CodingKey {
            case version, weeks
            case aucSameWeeks = "auc_same_weeks"
            case aucHoldout = "auc_holdout"
            case championAUCOnHoldout = "champion_auc_on_holdout"
        }
    }

    struct Drift: Codable, Sendable {
        var firstAlertEventTime: Timestamp?
        var features: [Feature] = []

        struct Feature: Codable, Sendable {
            var name: String
            /// The highest of all weeks.
            var psi: Double
        }

        enum CodingKeys: String, CodingKey {
            case features
            case firstAlertEventTime = "first_alert_event_time"
        }
    }

    struct RolloutPart: Codable, Sendable {
        var steps: [Step] = []

        struct Step: Codable, Sendable {
            var share: Double
            var requests: Int64
            var failures: Int64
            var verdict: String
        }
    }

    struct Rollback: Codable, Sendable {
        /// From the canary's first failure until it had no traffic.
        var seconds = 0.0
        var clientErrors = 0
        var canaryFailures: Int64 = 0
        /// Requests answered by the stable version while the broken one was deployed.
        var servedByStable = 0

        enum CodingKeys: String, CodingKey {
            case seconds
            case clientErrors = "client_errors"
            case canaryFailures = "canary_failures"
            case servedByStable = "served_by_stable"
        }
    }

    struct Requests: Codable, Sendable {
        var total = 0
        var failed = 0
    }

    struct Latency: Codable, Sendable {
        var p50 = 0.0
        var p99 = 0.0
    }

    struct JournalPart: Codable, Sendable {
        var entries: Int64 = 0
        var verified = false
    }

    struct LeakCheck: Codable, Sendable {
        var rows = 0
        var values = 0
        var leaks = 0
    }

    enum CodingKeys: String, CodingKey {
        case dataset, champion, challenger, drift, rollout, rollback, requests, journal, digests
        case wallSeconds = "wall_seconds"
        case peakRSSBytes = "peak_rss_bytes"
        case latency = "latency_ms"
        case leakCheck = "leak_check"
        case stagesSeconds = "stages_seconds"
        case stagesMicroseconds = "server_stages_us"
        case stagesPeakBytes = "stages_peak_rss_bytes"
    }
}
