import Basics
import Datasets
import KeyValue

/// Rows as callers send them: named columns of values, all of one length.
public struct FeatureRows: Sendable {
    /// In order; a name stands once.
    public let columns: [(name: String, values: [FeatureValue])]
    public let count: Int

    /// - Throws: ``FeaturesFailure/request(_:remedy:)`` where lengths differ or a name stands twice.
    public init(_ columns: [(name: String, values: [FeatureValue])]) throws {
        count = columns.first?.values.count ?? 0
        for column in columns where column.values.count != count {
            throw FeaturesFailure.request(
                "the column '\(column.name)' has \(column.values.count) values, and '\(columns.first?.name ?? "")' has \(count)",
                remedy: "Send columns of one length.")
        }
        var names: Set<String> = []
        for column in columns where !names.insert(column.name).inserted {
            throw FeaturesFailure.request("the column '\(column.name)' was sent twice", remedy: "Leave one out.")
        }
        self.columns = columns
    }

    /// The values of a column; nil where there is none.
    public func values(_ name: String) -> [FeatureValue]? { columns.first { $0.name == name }?.values }
}

/// What became of rows that were written online.
public struct OnlineWriteResult: Sendable, Codable, Equatable {
    public var view: String
    public var written: Int
    /// Rows that were not written, because the store holds newer ones.
    public var skipped: Int
    /// Columns that the view does not have.
    public var ignored: [String]
}

/// Writes rows of one view into the online store, each where nothing newer is stored.
///
/// Nothing is written unless all rows are good. A batch that failed on the way may be written again as often as needed.
public struct OnlineWriter: Sendable {
    public let view: FeatureView
    private let prefix: [UInt8]
    private let layout: OnlineLayout
    private let keyTypes: [ScalarType?]
    private let features: FeatureStore
    private static let batchRows = 20_000

    init(_ view: FeatureView, in features: FeatureStore) async throws {
        guard view.isOnline else {
            throw FeaturesFailure.request(
                "the view '\(view.name)' is kept out of the online store",
                remedy: "Write 'online: true' in its definition.")
        }
        self.view = view
        self.features = features
        prefix = OnlineKey.prefix(try features.catalogue.digest(ofView: view.name))
        layout = OnlineLayout(view.features)
        keyTypes = try await features.keyTypes(of: view, prefix: prefix)
    }

    /// Writes rows.
    /// - Parameters:
    ///   - rows: the join keys, the event time and every feature, and the created time where the view has one; where that is
    ///     left out or null, rows were created now. Columns that the view does not have are ignored.
    ///   - eventTime: the column with the event time, where it has another name than in the view.
    /// - Throws: ``FeaturesFailure/request(_:remedy:)`` for a missing column, a null key or event time, or a value of
    ///   another type; then nothing is written.
    @discardableResult
    public func write(_ rows: FeatureRows, eventTime: String? = nil) async throws -> OnlineWriteResult {
        let parsed = try ParsedRows(
            rows, view, keyTypes: keyTypes, eventTime: eventTime ?? view.eventTime, now: features.time.now)
        var count = KeyValuePutCount()
        var start = 0
        while start < parsed.count {
            let end = min(start + Self.batchRows, parsed.count)
            let batch = try parsed.batch(start..<end, prefix: prefix, layout)
            count += try await features.online.putNewer(batch, in: features.onlineTable)
            start = end
        }
        if let newest = parsed.newest {
            var batch = KeyValueBatch()
            try batch.append(key: OnlineMark.newestKey(prefix), stamp: KeyValueStamp(newest, 0), payload: [])
            try await features.online.putNewer(batch, in: features.onlineTable)
        }
        return OnlineWriteResult(
            view: view.name, written: count.put, skipped: count.skipped, ignored: parsed.ignored)
    }
}

extension FeatureStore {
    /// A writer for a view.
    public func onlineWriter(_ view: String) async throws -> OnlineWriter {
        try await OnlineWriter(try catalogue.view(view), in: self)
    }

    /// Writes pushed rows online: to a view, or to all views that hold the newest event of an event source.
    /// - Parameter name: a view or an event source.
    public func pushOnline(_ name: String, _ rows: FeatureRows) async throws -> [OnlineWriteResult] {
        let catalogue = catalogue
        guard catalogue.views[name] == nil, let source = catalogue.events[name] else {
            guard catalogue.views[name] != nil else {
                throw FeaturesFailure.unknown(
                    kind: "view or event source", name: name, known: Array(catalogue.views.keys) + catalogue.events.keys
                )
            }
            return [try await onlineWriter(name).write(rows)]
        }
        let views = catalogue.views.values.filter {
            $0.content == .latest && $0.sources == [name] && $0.isOnline
        }.sorted { $0.name < $1.name }
        guard !views.isEmpty else {
            throw FeaturesFailure.request(
                "no online view holds the newest events of '\(name)'",
                remedy: "Push to a view, or define one with this source and 'features'.")
        }
        var results: [OnlineWriteResult] = []
        for view in views {
            results.append(try await OnlineWriter(view, in: self).write(rows, eventTime: source.eventTime))
        }
        return results
    }
}
