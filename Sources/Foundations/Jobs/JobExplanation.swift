import Basics

/// Why a job is where it is: for a job that waits, everything it waits for.
public struct JobExplanation: Sendable, Hashable, Codable {
    /// A job that holds what another waits for.
    public struct Holder: Sendable, Hashable, Codable {
        public let job: String
        public let kind: String
        public let worker: String
        /// How long it has run.
        public let ageSeconds: Double
    }

    /// One thing a job waits for.
    public struct Reason: Sendable, Hashable, Codable {
        /// One sentence without a full stop.
        public let message: String
        /// The longest-running holders first; at most 5.
        public let holders: [Holder]
        /// When the reason ends by itself.
        public let until: Timestamp?
        /// What a person can do about it.
        public let remedy: String?

        init(_ message: String, holders: [Holder] = [], until: Timestamp? = nil, remedy: String? = nil) {
            self.message = message
            self.holders = holders
            self.until = until
            self.remedy = remedy
        }
    }

    public let job: String
    public let state: JobState
    /// How long the job has been in the queue, or runs, in seconds.
    public let ageSeconds: Double
    /// Empty for a job that a worker takes at its next look, and for final jobs.
    public let reasons: [Reason]
    /// One sentence that sums it up.
    public let summary: String
}
