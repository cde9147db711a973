import Basics
import Foundation
import ObjectStorage

/// A channel that several processes append to and any of them reads.
///
/// A record is spooled in a file of this machine before `append` returns, so that a store that is slow or away delays
/// nobody; a shipper brings spooled records to the archive. Each arrives once: its place in the spool is recorded with
/// it, so a crash at any point repeats work and no effect.
final class SharedRecords: RecordChannel {
    private let spool: RecordLog
    private let shipper: RecordShipper

    init(spool: RecordLog, shipper: RecordShipper) {
        self.spool = spool
        self.shipper = shipper
    }

    func append(_ record: UnsafeRawBufferPointer) throws { _ = try spool.append(record) as RecordPosition }

    func reader(from position: RecordPosition) async throws -> RecordReader {
        try await shipper.ship()
        let files = try await shipper.files(from: position)
        return RecordReader { _, body in
            for file in files { try file.forEach(from: position, body) }
        }
    }

    /// Brings what was spooled so far to the archive.
    func ship() async throws { try await shipper.ship() }

    func close() async {
        try? await spool.sync()
        try? await shipper.ship()
        spool.release()
    }
}

/// Carries the spool of one channel to the archive, one batch after another.
actor RecordShipper {
    private let spool: RecordLog
    private let channel: String
    /// Names the spool among all that feed the channel.
    private let source: String
    private let archive: RecordArchive
    private let relay: (any RecordRelay)?
    /// What was taken out of the spool while it was a log of this machine alone.
    private let history: (any RecordHistory)?
    private let thread: BlockingThread
    private var underWay: Task<Void, any Error>?
    private static let batchBytes = 1 << 20

    init(
        spool: RecordLog, channel: String, source: String, archive: RecordArchive, relay: (any RecordRelay)?,
        history: (any RecordHistory)?, thread: BlockingThread
    ) {
        self.history = history
        self.spool = spool
        self.channel = channel
        self.source = source
        self.archive = archive
        self.relay = relay
        self.thread = thread
    }

    /// Archives everything that was spooled before the call, and what other processes have sent.
    func ship() async throws {
        // A turn under way may have begun before the caller's last record.
        while let running = underWay { _ = await running.result }
        let turn = Task { try await self.turn() }
        underWay = turn
        defer { underWay = nil }
        try await turn.value
    }

    func files(from position: RecordPosition) async throws -> [RecordFile] {
        try await archive.files(of: channel, from: position)
    }

    private func turn() async throws {
        let end = spool.end.offset
        var position = try await archive.positions(of: channel)[source] ?? 0
        while position < end {
            let batch = try await read(from: position)
            if let relay {
                try await relay.send(batch.records, from: source, over: channel)
                try await relay.collect(channel, into: archive)
                position = batch.end
            } else {
                position = try await archiveDirectly(batch, from: position)
            }
        }
        if let relay {
            try await relay.collect(channel, into: archive)
            position = try await archive.positions(of: channel)[source] ?? 0
        }
        let reached = RecordPosition(offset: position)
        try await thread.run { [spool] in _ = try spool.removeSegments(before: reached) }
    }

    private func archiveDirectly(_ spooled: Spooled, from position: Int64) async throws -> Int64 {
        var batch = RecordArchive.Batch(source: source, from: position, to: spooled.end)
        for record in spooled.records {
            try record.bytes.withUnsafeBytes { try RecordFile.append($0, to: &batch.bytes) }
            batch.records += 1
        }
        if try await archive.append(batch, to: channel) { return spooled.end }
        return try await archive.positions(of: channel)[source] ?? 0
    }

    private struct Spooled: Sendable {
        var records: [SpooledRecord] = []
        var end: Int64
    }

    private struct Enough: Error {}

    private func read(from position: Int64) async throws -> Spooled {
        try await thread.run { [spool, history] in
            var found = Spooled(end: position)
            var bytes = 0
            do {
                func add(_ record: LoggedRecord) throws {
                    guard bytes < Self.batchBytes else { throw Enough() }
                    bytes += record.bytes.count
                    found.records.append(
                        SpooledRecord(
                            start: record.position.offset, end: record.next.offset, bytes: [UInt8](record.bytes)))
                    found.end = record.next.offset
                }
                var start = RecordPosition(offset: position)
                if let history, history.end > start {
                    start = try history.read(.all, from: start, upTo: spool.end, add)
                }
                try spool.forEach(from: max(start, spool.start), add)
            } catch is Enough {}
            return found
        }
    }
}

/// A record, where it lies in its spool and where the spool goes on after it.
struct SpooledRecord: Sendable {
    var start: Int64
    var end: Int64
    var bytes: [UInt8]
}

/// What carries records between processes on their way to the archive.
protocol RecordRelay: Sendable {
    /// Sends records in order; they are safe with the relay on return.
    /// - Parameter source: the spool they come from.
    func send(_ records: [SpooledRecord], from source: String, over channel: String) async throws

    /// Archives everything that was sent before the call, by any process, each record once.
    func collect(_ channel: String, into archive: RecordArchive) async throws
}
