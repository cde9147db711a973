import Basics

/// Everything the pictures of one run of the closed loop are drawn from. All times are event time in UTC.
///
/// Nothing in here is formatted: the page rounds and groups digits, the model keeps what was measured.
struct DemoReport: Codable, Sendable {
    /// One tile at the head of the page.
    struct Fact: Codable, Sendable {
        var name: String
        var value: String
        /// A few words below the value: where it comes from or what it compares with.
        var note: String?
    }

    /// What one week of replayed traffic showed once its labels had arrived.
    struct Week: Codable, Sendable {
        var weekStart: Timestamp
        /// Area under the ROC curve, 0...1; nil where the model did not score the week or one class is missing.
        var championAUC: Double?
        var challengerAUC: Double?
        /// The AUC of the answers that were given, whichever version gave them.
        var servedAUC: Double?
        /// Labels joined to predictions of the week.
        var labels: Int
        /// Predictions answered in the week.
        var requests: Int
    }

    /// Something that happened to production.
    struct Event: Codable, Sendable {
        /// What kind of happening; decides colour and wording.
        enum Kind: String, Codable, Sendable, CaseIterable {
            case alert
            case retrain
            case rolloutStep
            case rollback
        }

        var time: Timestamp
        var kind: Kind
        /// Short text beside the mark. Neighbours of one kind are merged behind their common first words:
        /// "rollout 5%" and "rollout 25%" become "rollout 5% → 25%".
        var label: String
    }

    /// Population stability index of each feature in each week against the reference profile of its model.
    struct Drift: Codable, Sendable {
        var features: [String]
        var weeks: [Timestamp]
        /// `psi[feature][week]`; nil where the week had too few values. Short rows count as nil.
        var psi: [[Double?]]
        /// From here on a feature has shifted somewhat.
        var watch: Double = 0.1
        /// From here on a feature has shifted so much that an alert is raised.
        var alert: Double = 0.2
    }

    /// The share of traffic of each arm, from `time` until the next point.
    struct Traffic: Codable, Sendable {
        var time: Timestamp
        /// Arm name to share; shares of a point add up to 1.
        var arms: [String: Double]
    }

    /// How long answers took.
    struct Latency: Codable, Sendable {
        struct Bucket: Codable, Sendable {
            /// Upper bound in milliseconds, inclusive; nil for the last bucket, which has none.
            var upperBoundMs: Double?
            /// Answers in this bucket alone, not cumulated.
            var count: Int
        }

        var buckets: [Bucket]
        /// Percentiles in milliseconds, measured, not read off the buckets.
        var p50: Double?
        var p99: Double?
    }

    /// Rows an expectation kept out.
    struct Quarantine: Codable, Sendable {
        var table: String
        var expectation: String
        var rows: Int
        /// Why one of these rows was kept out.
        var reason: String
    }

    /// One judged step of a rollout.
    struct RolloutStep: Codable, Sendable {
        /// Share of traffic the challenger had, 0...1.
        var share: Double
        var from: Timestamp
        var to: Timestamp
        /// Requests the challenger answered in the step, and how many of these failed.
        var requests: Int
        var errors: Int
        /// 99th percentile of the challenger in milliseconds.
        var p99: Double?
        /// What the analysis decided: "promote", "hold", "roll back".
        var verdict: String
    }

    /// What the deliberately broken canary did, and to whom.
    struct Rollback: Codable, Sendable {
        /// From the first bad answer to the stable arm having all traffic, in wall-clock seconds.
        var seconds: Double
        var canaryErrors: Int
        /// Errors a client saw.
        var clientErrors: Int
        /// Requests the stable arm answered meanwhile.
        var servedByStable: Int
        var reason: String?
    }

    /// Names of what production runs on.
    struct Lineage: Codable, Sendable {
        struct Item: Codable, Sendable {
            /// "dataset", "features", "code", "model".
            var kind: String
            var name: String
            /// Digest or revision in full; the page shortens it and keeps the whole one as a tooltip.
            var digest: String
            var note: String?
        }

        var items: [Item]
    }

    /// State of the journal at the end of the run.
    struct Journal: Codable, Sendable {
        var entries: Int
        /// The hash chain was recomputed from the first entry to the last and holds.
        var verified: Bool
        var head: String?
    }

    var title: String
    var subtitle: String?
    var facts: [Fact] = []
    var weeks: [Week] = []
    var events: [Event] = []
    var drift = Drift(features: [], weeks: [], psi: [])
    var traffic: [Traffic] = []
    /// When the last point of `traffic` stops; nil draws it a little longer than its start.
    var trafficEnd: Timestamp?
    var latency = Latency(buckets: [], p50: nil, p99: nil)
    var quarantine: [Quarantine] = []
    var rollout: [RolloutStep] = []
    var rollback: Rollback?
    var lineage = Lineage(items: [])
    var journal: Journal?
}
