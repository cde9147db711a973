import Basics
import KeyValue

/// How new the values of a view are in the online store.
public struct OnlineFreshness: Sendable, Codable, Equatable {
    public var view: String
    /// The newest event time that was written; nil where nothing was.
    public var newest: Timestamp?
    /// Every row that could be known by then has been written; nil where that is not so, or no history is followed.
    public var through: Timestamp?
    /// From the newest event time to now.
    public var ageSeconds: Double?
    public var withinSeconds: Double
    /// Whether values are further behind than they may be. Where a history is followed, that is how long ago all that could
    /// be known had been written: an hour without events makes nothing stale. Where rows are only pushed, it is the age of
    /// the newest. What streams are behind is told by their own status.
    public var isStale: Bool
}

extension FeatureStore {
    /// How new the values of every online view are at a moment, in order of name.
    public func freshness(at moment: Timestamp? = nil) async throws -> [OnlineFreshness] {
        let moment = moment ?? time.now
        let catalogue = catalogue
        let table = onlineTable
        let views = catalogue.views.values.filter(\.isOnline).sorted { $0.name < $1.name }
        let prefixes = try views.map { OnlineKey.prefix(try catalogue.digest(ofView: $0.name)) }
        let found = try await readOnline { transaction in
            try transaction.values(
                prefixes.map { OnlineMark.key($0) } + prefixes.map { OnlineMark.newestKey($0) }, in: table)
        }
        return views.enumerated().map { index, view in
            let mark = found[index].flatMap(OnlineMark.init)
            let pushed = found[views.count + index].flatMap { bytes in
                bytes.withUnsafeBytes { KeyValueStamp(of: $0)?.numbers.first }
            }
            return Self.freshness(
                of: view, mark, pushed: pushed, at: moment, isStreamed: catalogue.isStreamed(view))
        }
    }

    private static func freshness(
        of view: FeatureView, _ mark: OnlineMark?, pushed: Int64?, at moment: Timestamp, isStreamed: Bool
    ) -> OnlineFreshness {
        let newest = [mark?.newest, pushed].compactMap(\.self).max().map(Timestamp.init(microseconds:))
        let through = mark?.through.map(Timestamp.init(microseconds:))
        let age = newest.map { moment.seconds(since: $0) }
        let behind = through.map { moment.seconds(since: $0) } ?? (isStreamed ? nil : age)
        let within = Double(view.freshness.withinMilliseconds) / 1000
        // On a grid the next value is due one step later, and may then take as long as is allowed.
        let allowed = within + Double(view.everySeconds ?? 0)
        return OnlineFreshness(
            view: view.name, newest: newest, through: through, ageSeconds: age,
            withinSeconds: within, isStale: behind.map { $0 > allowed } ?? false)
    }
}
