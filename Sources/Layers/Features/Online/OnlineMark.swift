import Basics
import KeyValue

/// How far a view has been materialised; it lies in the online store beside the rows.
struct OnlineMark: Codable, Equatable, Sendable {
    /// The history it was reached in: another may hold rows that are older than it.
    var history: Digest
    /// Every row that could be known by then has been written, in microseconds since 1970; nil where that is not so.
    var through: Int64?
    /// A materialisation that is under way, or was when its process ended.
    var pending: Pending?
    /// Types of the view's join keys, in order; nil for those that keys do not tell.
    var keyTypes: [ScalarType?]
    /// The newest event time that was written from any history, in microseconds since 1970.
    var newest: Int64?

    struct Pending: Codable, Equatable, Sendable {
        /// Rows with an earlier event time are left out.
        var from: Int64?
        /// Rows that could be known by this moment are left out, because they have been written.
        var after: Int64?
        /// Rows that became known later are left out.
        var through: Int64
        /// How many of the rows have been written, in the order of their keys.
        var done: Int64
        /// Whether all that could be known by ``through`` has been written once this is done.
        var movesMark: Bool
    }

    static func key(_ prefix: [UInt8]) -> [UInt8] { Array("watermark:".utf8) + prefix }

    /// Where the newest event time that was pushed to a view stands: a row with that stamp.
    static func newestKey(_ prefix: [UInt8]) -> [UInt8] { Array("newest:".utf8) + prefix }

    init(history: Digest, keyTypes: [ScalarType?]) {
        self.history = history
        self.keyTypes = keyTypes
    }

    /// - Returns: nil for bytes that are no mark.
    init?(_ bytes: [UInt8]) {
        guard let mark = try? JSON.decode(OnlineMark.self, from: bytes) else { return nil }
        self = mark
    }

    /// Takes note of the newest event time among rows that were written.
    mutating func saw(_ eventTime: Int64?) {
        if let eventTime { newest = max(newest ?? eventTime, eventTime) }
    }

    func bytes() throws -> [UInt8] { try JSON.canonical(self) }
}

extension FeatureStore {
    /// A view's mark, as it lies in the store and as it counts for a history.
    func mark(_ prefix: [UInt8], of history: Digest) async throws -> (stored: [UInt8]?, mark: OnlineMark?) {
        let table = onlineTable
        let stored = try await readOnline { try $0.value(OnlineMark.key(prefix), in: table) }
        let mark = stored.flatMap(OnlineMark.init)
        return (stored, mark?.history == history ? mark : nil)
    }

    /// Changes a view's mark by what it is now, so that of several writers none takes back what another has reached.
    /// - Returns: the mark as it is stored now.
    @discardableResult
    func moveMark(
        _ prefix: [UInt8], of history: Digest, keyTypes: [ScalarType?],
        _ change: @escaping @Sendable (inout OnlineMark) -> Void
    ) async throws -> [UInt8] {
        let table = onlineTable
        return try await online.write { transaction in
            let key = OnlineMark.key(prefix)
            let stored = try transaction.value(key, in: table).flatMap(OnlineMark.init)
            var mark =
                stored.flatMap { $0.history == history ? $0 : nil } ?? OnlineMark(history: history, keyTypes: keyTypes)
            mark.keyTypes = keyTypes
            mark.saw(stored?.newest)
            change(&mark)
            let bytes = try mark.bytes()
            try transaction.put(key, bytes, in: table)
            return bytes
        }
    }
}
