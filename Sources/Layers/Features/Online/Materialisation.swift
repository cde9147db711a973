import Basics
import Columnar
import KeyValue
import ObjectStorage
import Telemetry

/// Moves the rows of view histories into the online store as the factory's clock passes them.
///
/// Guarantees: after `advance(to: t)` returns, the online store holds, for every entity, the newest row that could be known
/// at t, or a newer one that another has written; rows are written before the mark that tells so, so a crash repeats work
/// but loses nothing; no value is ever replaced by an older one. When data or definitions change, the newest row of every
/// entity is written anew, so that rows which arrive late come online too.
public actor Materialisation {
    private let features: FeatureStore
    private let upkeep: OnlineUpkeep
    private let logger: Logger
    /// Blocked histories that the log has told of.
    private var blocked: Set<DriftFinding> = []
    private var cursors: [String: Cursor] = [:]
    /// The generation of the feature store that the cursors belong to.
    private var generation = 0
    /// How far ahead rows are read from a history at once, in microseconds, and how many.
    private static let windowMicroseconds: Int64 = 10 * 86_400_000_000
    private static let windowRows = 200_000

    private struct Cursor {
        var source: OnlineHistory
        /// Rows after the watermark, in the order they became known, that have been read but not yet written.
        var rows = BufferedRows()
        var watermark: Int64
        /// How far the mark in the online store says that rows have been written, and how much further they may be.
        var noted: Int64
        var noteSeconds: Double
        /// The mark as the online store holds it.
        var stored: [UInt8]?
        /// Everything up to here has been read.
        var readThrough: Int64

        var isNoteDue: Bool {
            Timestamp(microseconds: watermark).seconds(since: Timestamp(microseconds: noted)) >= noteSeconds
        }
    }

    /// - Parameters:
    ///   - metrics: where the age of the values is told; nil for nowhere.
    ///   - logger: where a breach of freshness is told.
    public init(features: FeatureStore, metrics: MetricsRegistry? = nil, logger: Logger = .silent) {
        self.features = features
        self.logger = logger
        upkeep = OnlineUpkeep(features: features, metrics: metrics, logger: logger)
    }

    /// Reads the watermarks anew at the next call: another process may have moved them.
    public func forget() { cursors = [:] }

    /// Measures freshness, tells of breaches and now and then removes rows that are long past their ttl.
    public func keepUp(at moment: Timestamp) async throws { try await upkeep.run(at: moment) }

    /// Brings every view of the given services up to `moment`; returns how many rows were written.
    @discardableResult
    public func advance(services: Set<String>, to moment: Timestamp) async throws -> Int {
        if generation != features.generation {
            generation = features.generation
            cursors = [:]
        }
        let catalogue = features.catalogue
        var views: Set<String> = []
        for name in services { views.formUnion(try catalogue.viewNames(ofService: name)) }
        var written = 0
        var batch = KeyValueBatch()
        var changed: [String: Cursor] = [:]
        for name in views.sorted() {
            let view = try catalogue.view(name)
            guard !catalogue.isStreamed(view), view.isOnline else { continue }
            let target = (view.everySeconds.map { moment.floored(toSeconds: $0) } ?? moment).microseconds
            guard var cursor = try await cursor(for: view, through: target, &written), target > cursor.watermark else {
                continue
            }
            try await collect(&cursor, through: target, into: &batch)
            cursor.watermark = target
            changed[name] = cursor
        }
        if batch.isEmpty {
            for (name, cursor) in changed where !cursor.isNoteDue {
                cursors[name] = cursor
                changed[name] = nil
            }
        }
        guard !changed.isEmpty else { return written }
        for cursor in changed.values where try await !isOurs(cursor) {
            forget()
            return written
        }
        if !batch.isEmpty { written += try await features.online.putNewer(batch, in: features.onlineTable).put }
        for (name, var cursor) in changed {
            let through = cursor.watermark
            let newest = cursor.rows.newest?.numbers.first
            cursor.stored = try await features.moveMark(
                cursor.source.prefix, of: cursor.source.digest, keyTypes: cursor.source.keyTypes
            ) {
                $0.through = max($0.through ?? .min, through)
                $0.saw(newest)
            }
            cursor.noted = through
            cursors[name] = cursor
        }
        return written
    }

    /// Whether no other has moved a view's mark since it was read.
    private func isOurs(_ cursor: Cursor) async throws -> Bool {
        let table = features.onlineTable
        let key = OnlineMark.key(cursor.source.prefix)
        return try await features.readOnline { try $0.value(key, in: table) } == cursor.stored
    }

    /// The cursor of a view. Where nothing has been written of its history, that is done first, and counted.
    private func cursor(for view: FeatureView, through target: Int64, _ written: inout Int) async throws -> Cursor? {
        if let cursor = cursors[view.name] { return cursor }
        let history: ViewHistory
        do {
            history = try await features.usableHistory(of: view.name)
        } catch FeaturesFailure.drifted(let finding) {
            // What is online stays; the other views go on.
            if blocked.insert(finding).inserted {
                logger.warning(
                    "a view is not brought online", ["reason": .string("\(FeaturesFailure.drifted(finding))")])
            }
            return nil
        }
        let definition = try features.catalogue.digest(ofView: view.name)
        let prefix = OnlineKey.prefix(definition)
        var (stored, mark) = try await features.mark(prefix, of: history.digest)
        if mark?.through == nil {
            let outcome = try await ViewMaterialisation(features: features, view: view).run(
                through: target, incremental: true)
            written += outcome.count.put
            (stored, mark) = try await features.mark(prefix, of: history.digest)
        }
        guard let through = mark?.through else { return nil }
        let path = try await features.objects.localPath(history.digest)
        let source = try await features.engine.run { connection in
            try OnlineHistory(view, definition: definition, history: history.digest, path: path, on: connection)
        }
        features.onlineState.learn(source.keyTypes, of: prefix)
        // Often enough that nobody who looks takes a quiet stretch for stale values.
        let noteSeconds = Double(view.freshness.withinMilliseconds) / 4000
        let cursor = Cursor(
            source: source, watermark: through, noted: through, noteSeconds: noteSeconds, stored: stored,
            readThrough: through)
        cursors[view.name] = cursor
        return cursor
    }

    private func collect(_ cursor: inout Cursor, through target: Int64, into batch: inout KeyValueBatch) async throws {
        cursor.rows.newest = nil
        while true {
            try cursor.rows.take(through: target, into: &batch)
            guard cursor.readThrough < target else { return }
            try await read(&cursor, through: target)
        }
    }

    /// Reads the next stretch of the history.
    private func read(_ cursor: inout Cursor, through target: Int64) async throws {
        let source = cursor.source
        let after = cursor.readThrough
        let ahead = after.addingReportingOverflow(Self.windowMicroseconds)
        let end = max(target, ahead.overflow ? .max : ahead.partialValue)
        let newest = cursor.rows.newest
        (cursor.rows, cursor.readThrough) = try await features.engine.run { connection in
            func rows(_ sql: String) throws -> BufferedRows {
                var reader = OnlineRowReader(source)
                var rows = BufferedRows()
                try connection.chunks(sql, context: "features/\(source.view.name)") { chunk in
                    rows.read += chunk.rowCount
                    try reader.read(chunk) { rows.append($0, $1, $2) }
                }
                return rows
            }
            var found = try rows(source.rows(after: after, through: end, limit: Self.windowRows))
            var through = end
            if found.read >= Self.windowRows, let last = found.lastKnowable {
                // The last moment may have more rows than were read.
                through = last - 1
                if through > after {
                    found.removeLast(after: through)
                } else {
                    through = last
                    found = try rows(source.rows(after: after, through: last))
                }
            }
            return (found, through)
        }
        cursor.rows.newest = newest
    }
}

/// Rows of a history in the order they became known, in one buffer.
private struct BufferedRows: Sendable {
    private struct Row {
        var start: Int
        var keyEnd: Int
        var end: Int
        var knowable: Int64
        var stamp: KeyValueStamp
    }

    private var bytes: [UInt8] = []
    private var rows: [Row] = []
    private var next = 0
    /// Rows read, with those that were left out.
    var read = 0
    /// The largest stamp of the rows taken.
    var newest: KeyValueStamp?

    var lastKnowable: Int64? { rows.last?.knowable }

    mutating func append(
        _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ place: OnlineRowReader.Place
    ) {
        let start = bytes.count
        bytes.append(contentsOf: key)
        bytes.append(contentsOf: value)
        rows.append(
            Row(
                start: start, keyEnd: start + key.count, end: bytes.count, knowable: place.knowable,
                stamp: place.stamp))
    }

    /// Removes the rows that became known after a moment.
    mutating func removeLast(after moment: Int64) {
        while let last = rows.last, last.knowable > moment { rows.removeLast() }
    }

    /// Adds to a batch the rows that became known by a moment.
    mutating func take(through moment: Int64, into batch: inout KeyValueBatch) throws {
        try bytes.withUnsafeBytes { bytes in
            while next < rows.count, rows[next].knowable <= moment {
                let row = rows[next]
                try batch.append(
                    key: UnsafeRawBufferPointer(rebasing: bytes[row.start..<row.keyEnd]),
                    value: UnsafeRawBufferPointer(rebasing: bytes[row.keyEnd..<row.end]))
                newest = max(newest ?? row.stamp, row.stamp)
                next += 1
            }
        }
    }
}
