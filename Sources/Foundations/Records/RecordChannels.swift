import Basics
import Foundation
import ObjectStorage
import SQL
import Streams
import Synchronization
import Telemetry

/// The record channels of a process, each opened once.
public final class RecordChannels: Sendable {
    private enum Place: Sendable {
        /// In folders of this machine.
        case local
        /// By way of a spool of this machine into stores that others share.
        case shared(RecordArchive, source: String, relay: (any RecordRelay)?)
    }

    private let root: String
    private let place: Place
    private let histories: RecordHistories?
    private let thread = BlockingThread(name: "records")
    private let compacting = BlockingThread(name: "records.compaction")
    private let open = Mutex<[String: any RecordChannel]>([:])

    /// What the archive keeps in SQL.
    public static let migrations = [RecordArchive.migration]

    /// Channels for one process, in folders under `root`.
    /// - Parameter histories: where records go that are taken out of the logs; nil where they stay.
    /// - Throws: where the disk does not let a bringing back that was broken off be mended.
    public init(localIn root: String, histories: RecordHistories? = nil) throws {
        try RecordReturn.mend(root)
        self.root = root
        self.histories = histories
        place = .local
    }

    /// Channels for several processes.
    /// - Parameters:
    ///   - streams: what carries the records between processes; nil archives them straight from the spool.
    ///   - address: where the streams are.
    ///   - root: holds the spools of this process and the name they are known by; never shared with another process.
    ///   - histories: what was taken out of the spools while they were logs of this machine alone.
    ///   - random: names the spools when there is no name yet.
    /// - Throws: `StorageFailure` where the root can not be used.
    public init(
        sharedBy database: Database, objects: any ObjectStore, streams: (any EventStreams)? = nil,
        at address: String = "streams",
        spoolsIn root: String, histories: RecordHistories? = nil,
        random: any RandomSource
    ) throws {
        self.root = root
        self.histories = histories
        place = .shared(
            RecordArchive(database: database, objects: objects), source: try Self.name(in: root, random),
            relay: streams.map { StreamRelay(streams: $0, place: Digest(of: address).short) })
    }

    private static func name(in root: String, _ random: any RandomSource) throws -> String {
        try RecordReturn.mend(root)
        let path = "\(root)/name"
        if let bytes = try? AtomicFile.read(path), !bytes.isEmpty { return String(decoding: bytes, as: UTF8.self) }
        let name = random.identifier()
        try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
        try AtomicFile.write(path, Array(name.utf8))
        return name
    }

    /// The channel of a kind (`predictions`, `labels`) for an endpoint.
    /// - Throws: `StorageFailure` where its folder can not be used or holds damaged records.
    public func channel(_ kind: String, _ endpoint: String) throws -> any RecordChannel {
        let safe = endpoint.addingPercentEncoding(
            withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "-_")))
        return try channel(named: "\(kind)/\(safe ?? Digest(of: endpoint).hex)")
    }

    private func channel(named name: String) throws -> any RecordChannel {
        try open.withLock { channels in
            if let channel = channels[name] { return channel }
            let folder = "\(root)/\(name)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            let channel: any RecordChannel
            switch place {
            case .local: channel = try LocalRecords(folder: folder, history: try histories?.history(of: name))
            case .shared(let archive, let source, let relay):
                let spool = try RecordLog(folder: folder)
                channel = SharedRecords(
                    spool: spool,
                    shipper: RecordShipper(
                        spool: spool, channel: name, source: source, archive: archive, relay: relay,
                        history: try histories?.history(of: name), thread: thread))
            }
            channels[name] = channel
            return channel
        }
    }

    /// The names of the channels of a kind that anything was kept in, in order.
    /// - Throws: what a store throws.
    public func names(of kind: String) async throws -> [String] {
        var names = Set((try? FileManager.default.contentsOfDirectory(atPath: "\(root)/\(kind)")) ?? [])
        if case .shared(let archive, _, _) = place {
            for channel in try await archive.channels() where channel.hasPrefix("\(kind)/") {
                names.insert(String(channel.dropFirst(kind.utf8.count + 1)))
            }
        }
        return names.compactMap(\.removingPercentEncoding).sorted()
    }

    /// Takes whole segments out of the logs of this machine into their histories, and deletes what is too old; of channels
    /// that processes share, nothing.
    /// - Parameters:
    ///   - all: also what lies in the segments that are being written.
    ///   - expiry: before which moment what was kept in a channel of that kind and name is deleted; nil for never.
    /// - Throws: what a store throws; what was taken over before stays so.
    public func compact(
        _ kinds: [String], all: Bool, expiry: @Sendable (_ kind: String, _ name: String) -> Timestamp?
    ) async throws -> LocalRecords.Compacted {
        var compacted = LocalRecords.Compacted()
        guard case .local = place, histories != nil else { return compacted }
        for kind in kinds {
            for name in try await names(of: kind) {
                guard let channel = try channel(kind, name) as? LocalRecords else { continue }
                compacted.add(
                    try await channel.compact(all: all, expiringBefore: expiry(kind, name), on: compacting))
            }
        }
        return compacted
    }

    /// Brings spooled records to the archive every now and then, until the task is cancelled. What can not be shipped now
    /// stays spooled.
    public func shipContinually(every interval: Duration = .milliseconds(500), log: Logger) async {
        guard case .shared = place else { return }
        while !Task.isCancelled {
            for case let channel as SharedRecords in open.withLock({ Array($0.values) }) {
                let impatience = Task {
                    guard (try? await Task.sleep(for: .seconds(2))) != nil else { return }
                    log.warning("records wait in their spool: a store that they go to does not answer")
                }
                defer { impatience.cancel() }
                do { try await channel.ship() } catch {
                    log.warning("records wait in their spool", ["error": .string("\(error)")])
                }
            }
            try? await Task.sleep(for: interval)
        }
    }

    /// What was brought back of a channel.
    public struct Returned: Sendable, Hashable {
        /// Such as `predictions/delay`.
        public let channel: String
        public let records: Int64
        /// Over the positions and bytes of all records: of the log as of the archive.
        public let digest: Digest
    }

    /// Brings everything that is spooled under the root to the archive, and what other processes have sent.
    /// - Throws: what a store throws; what was not shipped stays spooled.
    public func shipAll() async throws {
        guard case .shared(let archive, _, _) = place else { return }
        let manager = FileManager.default
        var names = Set(try await archive.channels())
        for kind in (try? manager.contentsOfDirectory(atPath: root)) ?? [] {
            for name in (try? manager.contentsOfDirectory(atPath: "\(root)/\(kind)")) ?? [] {
                names.insert("\(kind)/\(name)")
            }
        }
        for name in names.sorted() { try await (try channel(named: name) as? SharedRecords)?.ship() }
    }

    /// Writes the whole archive into logs under the root, in place of the spools there: ``init(localIn:)`` opens them.
    /// These channels are used no more afterwards.
    /// - Parameters:
    ///   - random: names the logs among all that feed the archive.
    ///   - progress: told of a channel how many of its records are there.
    /// - Throws: what a store throws, or `StorageFailure.damaged`; the spools are then as they were.
    public func bringBack(
        random: any RandomSource, progress: @escaping @Sendable (String, Int64) -> Void = { _, _ in }
    ) async throws -> [Returned] {
        guard case .shared(let archive, _, _) = place else { return [] }
        try await shipAll()
        await close()
        // The archive has all of it, and gives its own positions to what comes back.
        if let folder = histories?.root, FileManager.default.fileExists(atPath: folder) {
            try FileManager.default.removeItem(atPath: folder)
        }
        return try await RecordReturn(archive: archive, root: root)
            .run(name: random.identifier(), thread: thread, progress: progress)
    }

    /// Closes every channel, all at the same time; closing twice changes nothing.
    public func close() async {
        let channels = open.withLock { channels in
            defer { channels = [:] }
            return Array(channels.values)
        }
        await withTaskGroup(of: Void.self) { group in
            for channel in channels { group.addTask { await channel.close() } }
        }
    }
}
