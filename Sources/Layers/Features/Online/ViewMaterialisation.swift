import Basics
import Columnar
import Datasets
import Foundation
import KeyValue
import ObjectStorage

/// Brings rows of one view's history into the online store: the newest row of each entity, each where nothing newer is
/// stored.
///
/// It reads in the order of the store's keys and writes down how far it has come, so that after a kill it goes on from there;
/// doing a part again does no harm. Memory holds a few batches and what the engine needs for the keys.
struct ViewMaterialisation: Sendable {
    let features: FeatureStore
    let view: FeatureView

    struct Outcome: Sendable {
        var count = KeyValuePutCount()
        var keyless = 0
        var resumed = false
        /// The mark as it is stored now.
        var mark: [UInt8]?
    }

    private struct Filled: Sendable {
        var batch = KeyValueBatch()
        var newest: KeyValueStamp?
        /// Rows read by the end of the batch.
        var examined = 0
        var total = 0
    }

    /// What the reading thread has found when it is through.
    private struct Read: Sendable {
        var keyless: Int
        var total: Int
    }

    /// Writes all that became known by `through` and was not written before.
    /// - Parameter from: leaves out rows with an earlier event time, and starts anew whatever was written before.
    func run(
        from: Int64? = nil, through: Int64, incremental: Bool,
        progress: @escaping @Sendable (_ done: Int, _ total: Int) -> Void = { _, _ in }
    ) async throws -> Outcome {
        let thread = BlockingThread(name: "features.materialise")
        let connection = try await thread.run { try features.engine.connect() }
        let source = try await source(thread, connection)
        let prefix = source.prefix
        features.onlineState.learn(source.keyTypes, of: prefix)
        var (stored, mark) = try await features.mark(prefix, of: source.digest)
        var outcome = Outcome(mark: stored)
        if let pending = mark?.pending, pending.through <= through {
            try await write(source, pending, thread, connection, &outcome, progress)
            outcome.resumed = true
            (stored, mark) = try await features.mark(prefix, of: source.digest)
        }
        let reached = incremental ? mark?.through : nil
        if let reached, reached >= through { return outcome }
        // What a window of event times leaves out may not count as written, unless it had been before.
        let isWhole = from.map { from in (mark?.through).map { $0 >= from } == true && !source.hasLateRows } ?? true
        let pending = OnlineMark.Pending(
            from: from, after: reached, through: through, done: 0, movesMark: isWhole)
        try await write(source, pending, thread, connection, &outcome, progress)
        return outcome
    }

    private func source(_ thread: BlockingThread, _ connection: ColumnarConnection) async throws -> OnlineHistory {
        let history = try await features.usableHistory(of: view.name)
        let path = try await features.objects.localPath(history.digest)
        let definition = try features.catalogue.digest(ofView: view.name)
        return try await thread.run {
            try OnlineHistory(view, definition: definition, history: history.digest, path: path, on: connection)
        }
    }

    private func write(
        _ source: OnlineHistory, _ pending: OnlineMark.Pending, _ thread: BlockingThread,
        _ connection: ColumnarConnection, _ outcome: inout Outcome, _ progress: @Sendable (Int, Int) -> Void
    ) async throws {
        let handoff = Handoff<Filled>(capacity: 2)
        try await withTaskCancellationHandler {
            async let reading = thread.run {
                do {
                    let read = try Self.read(source, pending, connection, batchRows: features.batchRows, into: handoff)
                    handoff.finish()
                    return read
                } catch {
                    handoff.finish(error)
                    throw error
                }
            }
            do {
                try await receive(handoff, source, pending, &outcome, progress)
            } catch {
                connection.cancel()
                _ = try? await reading
                throw error
            }
            let read = try await reading
            outcome.keyless += read.keyless
            progress(read.total, read.total)
            outcome.mark = try await features.moveMark(source.prefix, of: source.digest, keyTypes: source.keyTypes) {
                mark in
                mark.pending = nil
                if pending.movesMark { mark.through = max(mark.through ?? .min, pending.through) }
            }
        } onCancel: {
            connection.cancel()
        }
    }

    private func receive(
        _ handoff: Handoff<Filled>, _ source: OnlineHistory, _ pending: OnlineMark.Pending, _ outcome: inout Outcome,
        _ progress: @Sendable (Int, Int) -> Void
    ) async throws {
        var count = outcome.count
        try await handoff.receive { filled in
            count += try await features.online.putNewer(filled.batch, in: features.onlineTable)
            progress(filled.examined, filled.total)
            var reached = pending
            reached.done = pending.done + Int64(filled.examined)
            let position = reached
            let newest = filled.newest?.numbers.first
            try await features.moveMark(source.prefix, of: source.digest, keyTypes: source.keyTypes) {
                $0.pending = position
                $0.saw(newest)
            }
        }
        outcome.count = count
    }

    /// On the connection's thread: fills batches and passes them on.
    private static func read(
        _ source: OnlineHistory, _ pending: OnlineMark.Pending, _ connection: ColumnarConnection, batchRows: Int,
        into handoff: Handoff<Filled>
    ) throws -> Read {
        let context = "features/\(source.view.name)"
        try connection.execute(source.newestRows(as: "newest_rows", pending), context: context)
        let total = Int(
            clamping: try connection.query("SELECT count(*) AS n FROM newest_rows", context: context).count("n"))
        var reader = OnlineRowReader(source)
        var filled = Filled()
        filled.total = total
        try connection.chunks(source.rows(in: "newest_rows", skipping: pending.done), context: context) { chunk in
            try reader.read(chunk) { key, value, place in
                try filled.batch.append(key: key, value: value)
                filled.newest = max(filled.newest ?? place.stamp, place.stamp)
            }
            filled.examined += chunk.rowCount
            guard filled.batch.count >= batchRows else { return }
            let examined = filled.examined
            let room = filled.batch.byteCount
            try handoff.send(filled)
            filled = Filled()
            filled.batch.reserve(rows: batchRows + chunk.rowCount, bytes: room + room / 10)
            filled.examined = examined
            filled.total = total
        }
        if !filled.batch.isEmpty { try handoff.send(filled) }
        try connection.execute("DROP TABLE newest_rows")
        return Read(keyless: reader.keyless, total: total)
    }
}
