import Basics
import Columnar
import Foundation
import KeyValue
import ObjectStorage
import Records
import SQL
import Serving
import Streams
import Telemetry

/// The stores on one side of a move.
struct MoveSide: Sendable {
    private let urls: [StoreAddresses.Store: StoreURL]
    private let options: WorksOptions
    private let opener: StoreOpener

    /// - Parameter urls: of every store.
    init(_ urls: [StoreAddresses.Store: StoreURL], options: WorksOptions, cache: String) {
        self.urls = urls
        self.options = options
        opener = StoreOpener(
            options: options, cache: cache, metrics: MetricsRegistry(),
            logger: Logger(sink: options.logSink, level: options.logLevel, time: options.time))
    }

    func database() async throws -> Database {
        try await opened(.sql) { try await opener.database($0) }
    }

    func objects() async throws -> any ObjectStore {
        try await opened(.objects) { url in
            let objects = try await opener.objects(url)
            if url.scheme != "file" { _ = try await objects.check() }
            return objects
        }
    }

    func online() async throws -> any KeyValueStore {
        try await opened(.online) { try await opener.online($0) }
    }

    private func opened<Opened: Sendable>(
        _ store: StoreAddresses.Store, _ open: @Sendable (StoreURL) async throws -> Opened
    ) async throws -> Opened {
        guard let url = urls[store] else {
            throw WorksFailure.rootUnusable(root: options.root, reason: "the '\(store)' store has no address")
        }
        return try await WorksFailure.naming(store.rawValue) { try await open(url) }
    }

    /// Whether records are in stores that processes share, and not in folders of the root.
    var sharesRecords: Bool { urls[.sql]?.scheme != "sqlite" || urls[.streams]?.scheme != "log" }

    /// Refuses a side that processes work on now; the lock of a root keeps out only those of this machine.
    func refuseLiving() async throws {
        guard urls[.sql]?.scheme != "sqlite" else { return }
        let database = try await database()
        let result: Result<Int, any Error>
        do {
            let leases = Leases(database, time: options.time, holder: "move")
            result = .success(try await leases.held(prefix: ControlDuty.lifePrefix).count)
        } catch { result = .failure(error) }
        await database.close()
        guard case .success(let living) = result, living == 0 else {
            throw WorksFailure.storeBusy(database.path, processes: try result.get())
        }
    }

    /// Archives what the spools of this root hold.
    func drainRecords(random: any RandomSource) async throws {
        try await withRecords(random) { channels in try await channels.shipAll() }
    }

    /// Writes the archive into logs under the root, in place of its spools.
    func bringBackRecords(
        random: any RandomSource, progress: @escaping @Sendable (String, Int64) -> Void
    ) async throws -> [RecordChannels.Returned] {
        try await withRecords(random) { try await $0.bringBack(random: random, progress: progress) }
    }

    private func withRecords<Result: Sendable>(
        _ random: any RandomSource, _ body: (RecordChannels) async throws -> Result
    ) async throws -> Result {
        let database = try await database()
        do {
            try await database.migrate(Works.migrations)
            let objects = try await objects()
            var streams: (any EventStreams)?
            do {
                if let url = urls[.streams], url.scheme != "log" {
                    streams = try await WorksFailure.naming("streams") { try await opener.streams(url) }
                }
                let channels = try RecordChannels(
                    sharedBy: database, objects: objects, streams: streams,
                    at: urls[.streams]?.description ?? "streams", spoolsIn: "\(options.root)/records",
                    histories: ParquetHistory.histories(
                        in: "\(options.root)/history",
                        engine: ColumnarEngine(
                            ColumnarOptions(threads: 1, temporaryDirectory: "\(options.root)/scratch", connections: 1))),
                    random: random)
                let result = try await body(channels)
                await streams?.close()
                await objects.close()
                await database.close()
                return result
            } catch {
                await streams?.close()
                await objects.close()
                throw error
            }
        } catch {
            await database.close()
            throw error
        }
    }
}
