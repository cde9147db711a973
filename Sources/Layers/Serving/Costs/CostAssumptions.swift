/// What the cost of serving is worked out from. Each figure says where it comes from, and can be replaced by a measured one.
public struct CostAssumptions: Sendable, Codable, Equatable {
    /// One figure and its origin.
    public struct Figure: Sendable, Codable, Equatable {
        public var value: Double
        public let unit: String
        public var source: String

        init(_ value: Double, _ unit: String, _ source: String) {
            self.value = value
            self.unit = unit
            self.source = source
        }

        /// Takes another value, told where from.
        public mutating func replace(_ value: Double, from source: String) {
            self.value = value
            self.source = source
        }
    }

    /// 8,760 hours of a year, over twelve.
    static let hoursPerMonth = 730.0

    public var pricePerCoreHour = Figure(
        0.05, "per core-hour", "about what the large clouds ask for a virtual processor on demand")
    public var callSeconds = Figure(
        30e-6, "s", "processor time of a call beside its rows: most a small model's request may take in our benchmark")
    public var rowSeconds = Figure(10e-6, "s", "processor time of a row: a small network or 200 trees")
    public var eventSeconds = Figure(50e-6, "s", "processor time of an event beside its row, from one topic to another")
    public var batchShare = Figure(0.2, "of a row", "what a row takes among thousands of a table")
    public var lookupSeconds = Figure(40e-6, "s", "processor time of reading an answer that was made before")
    public var networkSeconds = Figure(5e-3, "s", "99th percentile of a round trip within a region")
    public var streamSeconds = Figure(1, "s", "what a stream scorer keeps to, a broker's delays included")
    public var startSeconds = Figure(2, "s", "until a new process answers, a machine being there")
    public var shortestPeriodSeconds = Figure(60, "s", "the least time between two runs of a schedule")
    public var billedSeconds = Figure(60, "s", "the least time that is billed for a machine")
    public var realTimeLoad = Figure(
        0.5, "of a core", "busy at the peak: waits stay short, and half is left for bursts")
    public var streamLoad = Figure(0.8, "of a core", "busy at the peak: the topic holds what comes faster")
    public var replicas = Figure(2, "replicas", "held up by day and night, so that one may fail")
    public var scorers = Figure(1, "scorer", "held up: events wait in the topic while another takes over")

    public init() {}

    /// Every figure under what it is called, in the order in which they are told.
    public var all: [(name: String, figure: Figure)] {
        [
            ("price", pricePerCoreHour), ("call", callSeconds), ("row", rowSeconds), ("event", eventSeconds),
            ("row of a table", batchShare), ("look-up", lookupSeconds), ("network", networkSeconds),
            ("stream", streamSeconds), ("start", startSeconds), ("shortest period", shortestPeriodSeconds),
            ("billed", billedSeconds), ("load of an endpoint", realTimeLoad), ("load of a scorer", streamLoad),
            ("replicas", replicas), ("scorers", scorers),
        ]
    }
}
