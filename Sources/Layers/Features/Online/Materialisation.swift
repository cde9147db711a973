import Basics
import Columnar
import KeyValue
import ObjectStorage
import SQL
import Synchronization

/// Moves the rows of view histories into the online store as the factory's clock passes them.
///
/// Guarantees: after `advance(to: t)` returns, the online store holds, for every entity, the newest row whose event time
/// is not after t; rows and watermark move in one transaction, so a crash repeats work but loses and doubles nothing;
/// within one history no value is replaced by an older one, not even by a process that stood still while another went on:
/// it finds the watermark moved, writes nothing and reads anew. When data or definitions change, the newest row of every
/// entity is written anew.
public actor Materialisation {
    private let features: FeatureStore
    private var cursors: [String: Cursor] = [:]
    /// The generation of the feature store that the cursors belong to.
    private var generation = 0
    /// How far ahead rows are read from a history at once, in seconds.
    private static let windowSeconds: Int64 = 10 * 86_400

    private struct Cursor {
        var key: Digest
        var prefix: [UInt8]
        /// Rows with a time after the watermark, in time order, that have been read but not yet written.
        var times: [Int64] = []
        var keys: [[UInt8]] = []
        var values: [[UInt8]] = []
        var next = 0
        var watermark: Int64
        /// The watermark as the online store holds it; nil where it has none.
        var stored: [UInt8]?
        /// Everything up to here has been read.
        var readThrough: Int64
    }

    public init(features: FeatureStore) { self.features = features }

    /// Reads the watermarks anew at the next call: another process may have moved them.
    public func forget() { cursors = [:] }

    /// Brings every view of the given services up to `moment`; returns how many values were written.
    @discardableResult
    public func advance(services: Set<String>, to moment: Timestamp) async throws -> Int {
        if generation != features.generation {
            generation = features.generation
            cursors = [:]
        }
        let catalogue = features.catalogue
        var views: Set<String> = []
        for name in services { views.formUnion(try catalogue.viewNames(ofService: name)) }
        var puts: [(key: [UInt8], value: [UInt8])] = []
        var changed: [(name: String, cursor: Cursor, before: [UInt8]?)] = []
        for name in views.sorted() {
            let view = try catalogue.view(name)
            var cursor = try await cursor(for: view)
            let target = (view.everySeconds.map { moment.floored(toSeconds: $0) } ?? moment).microseconds
            guard target > cursor.watermark else { continue }
            try await collect(&cursor, view, through: target, into: &puts)
            let before = cursor.stored
            cursor.watermark = target
            cursor.stored = Self.mark(cursor)
            changed.append((name, cursor, before))
        }
        guard !changed.isEmpty else { return 0 }
        let writes = puts
        let table = features.onlineTable
        let marks = changed.map { (Self.watermarkKey($0.cursor.prefix), $0.before, Self.mark($0.cursor)) }
        let isOurs = try await features.online.write { transaction in
            for (key, before, _) in marks where try transaction.value(key, in: table) != before { return false }
            for (key, value) in writes { try transaction.put(key, value, in: table) }
            for (key, _, mark) in marks { try transaction.put(key, mark, in: table) }
            return true
        }
        guard isOurs else {
            forget()
            return 0
        }
        for change in changed { cursors[change.name] = change.cursor }
        return writes.count
    }

    /// A watermark counts only for the history it was reached in: another may hold rows that are older than it.
    private static func watermark(_ bytes: [UInt8], of history: Digest) -> Int64? {
        guard bytes.count > 8, bytes.dropFirst(8).elementsEqual(history.hex.utf8) else { return nil }
        return bytes.withUnsafeBytes { Int64(littleEndian: $0.loadUnaligned(as: Int64.self)) }
    }

    private static func mark(_ cursor: Cursor) -> [UInt8] {
        withUnsafeBytes(of: cursor.watermark.littleEndian) { Array($0) } + cursor.key.hex.utf8
    }

    private static func watermarkKey(_ prefix: [UInt8]) -> [UInt8] { Array("watermark:".utf8) + prefix }

    private func cursor(for view: FeatureView) async throws -> Cursor {
        if let cursor = cursors[view.name] { return cursor }
        let history = try await features.history(of: view.name)
        let prefix = OnlineCodec.prefix(try features.catalogue.digest(ofView: view.name))
        let stored = try features.online.read { try $0.value(Self.watermarkKey(prefix), in: features.onlineTable) }
        let mark = stored.flatMap { Self.watermark($0, of: history.digest) } ?? .min
        let cursor = Cursor(key: history.digest, prefix: prefix, watermark: mark, stored: stored, readThrough: mark)
        cursors[view.name] = cursor
        return cursor
    }

    private func collect(
        _ cursor: inout Cursor, _ view: FeatureView, through target: Int64,
        into puts: inout [(key: [UInt8], value: [UInt8])]
    ) async throws {
        while true {
            while cursor.next < cursor.times.count, cursor.times[cursor.next] <= target {
                puts.append((cursor.keys[cursor.next], cursor.values[cursor.next]))
                cursor.next += 1
            }
            guard cursor.readThrough < target else { return }
            try await read(&cursor, view, through: target)
        }
    }

    /// Reads the next stretch of the history. A first read, with nothing stored, takes only the newest row per entity.
    private func read(_ cursor: inout Cursor, _ view: FeatureView, through target: Int64) async throws {
        let file = "read_parquet(\(SQLText.literal(try await features.objects.localPath(cursor.key))))"
        let eventTime = SQLText.identifier(view.eventTime)
        let keys = view.joinKeys.map(SQLText.identifier).joined(separator: ", ")
        let end: Int64
        let query: String
        if cursor.readThrough == .min {
            end = target
            query = """
                SELECT * FROM \(file) WHERE epoch_us(\(eventTime)) <= \(target)
                QUALIFY row_number() OVER (PARTITION BY \(keys) ORDER BY \(eventTime) DESC) = 1 ORDER BY \(eventTime)
                """
        } else {
            end = max(target, cursor.readThrough + Self.windowSeconds * 1_000_000)
            query = """
                SELECT * FROM \(file) WHERE \(eventTime) > make_timestamp(\(cursor.readThrough))
                  AND \(eventTime) <= make_timestamp(\(end)) ORDER BY \(eventTime)
                """
        }
        let table = try await features.engine.query(query, context: "features/\(view.name)")
        let times = try table.timestamps(view.eventTime)
        let keyColumns = try view.joinKeys.map { try table.texts($0) }
        let columns = try view.featureNames.map { try table.doubles($0) }
        cursor.times = []
        cursor.keys = []
        cursor.values = []
        cursor.next = 0
        for row in 0..<table.rowCount {
            guard let time = times[row] else { continue }
            cursor.times.append(time.microseconds)
            cursor.keys.append(OnlineCodec.key(prefix: cursor.prefix, values: keyColumns.map { $0[row] ?? "" }))
            cursor.values.append(
                OnlineCodec.value(eventTime: time.microseconds, features: columns.map { $0[row] }))
        }
        cursor.readThrough = end
    }
}
