import Basics
import Columnar
import Foundation
import Journal
import KeyValue
import ObjectStorage
import Records
import SQL
import Sealing
import Serving
import Streams
import Telemetry

/// The stores of a factory: opened in order, closed in the opposite order.
struct Stores: Sendable {
    let addresses: StoreAddresses
    let urls: [StoreAddresses.Store: StoreURL]
    let database: Database
    let objects: any ObjectStore
    let online: any KeyValueStore
    /// Nil where records stay in folders of this machine.
    let streams: (any EventStreams)?
    let records: RecordChannels
    /// Whether other processes may work on the same stores now.
    let isShared: Bool

    /// The table of the online store that feature values are in.
    static let onlineTable = "features"

    /// How large a database file may be to be read through at each start.
    private static let fileBytesChecked: Int64 = 32 << 20

    /// Opens every store of a root, and finds out of each whether it can be used as it is.
    /// - Throws: ``WorksFailure/storeUnusable(_:cause:)`` for the first that can not be opened: it names the store, and
    ///   says what to do.
    static func open(_ options: WorksOptions, metrics: MetricsRegistry, logger: Logger) async throws -> Stores {
        let root = options.root
        let addresses = options.stores.over(try RememberedStores.read(root: root))
        let urls = try addresses.resolved(root: root, environment: options.environment)
        let opener = StoreOpener(options: options, cache: "\(root)/cache", metrics: metrics, logger: logger)
        func url(_ store: StoreAddresses.Store) throws -> StoreURL {
            guard let url = urls[store] else {
                throw WorksFailure.rootUnusable(root: root, reason: "the '\(store)' store has no address")
            }
            return url
        }
        let (sql, objectsAt, onlineAt, streamsAt) = (
            try url(.sql), try url(.objects), try url(.online), try url(.streams)
        )
        var opened: [@Sendable () async -> Void] = []
        do {
            let database = try await WorksFailure.naming("sql") {
                let database = try await opener.database(sql)
                if Self.isSmallFile(sql) { _ = try await database.check(changing: false) }
                return database
            }
            opened.append { await database.close() }
            let objects = try await WorksFailure.naming("objects") {
                let objects = try await opener.objects(objectsAt)
                // A service elsewhere is not spoken to before it is needed, which is late to find it missing.
                if objectsAt.scheme != "file" {
                    for warning in try await objects.check().warnings {
                        logger.warning("the object store has a flaw", ["detail": .string(warning)])
                    }
                }
                return objects
            }
            opened.append { await objects.close() }
            let online = try await WorksFailure.naming("online") { try await opener.online(onlineAt) }
            opened.append { try? await online.close() }
            let streams = try await WorksFailure.naming("streams") { () -> (any EventStreams)? in
                guard streamsAt.scheme != "log" else { return nil }
                let streams = try await opener.streams(streamsAt)
                _ = try await streams.check()
                return streams
            }
            if let streams { opened.append { await streams.close() } }
            let isShared = database.engine != .sqlite
            let histories = ParquetHistory.histories(
                in: "\(root)/history",
                engine: ColumnarEngine(
                    ColumnarOptions(
                        memoryLimitBytes: 200 << 20, threads: 1, temporaryDirectory: "\(root)/scratch", connections: 1))
            )
            let records =
                isShared || streams != nil
                ? try RecordChannels(
                    sharedBy: database, objects: objects, streams: streams, at: streamsAt.description,
                    spoolsIn: "\(root)/records", histories: histories,
                    random: options.random)
                : try RecordChannels(localIn: "\(root)/records", histories: histories)
            try RememberedStores.write(addresses, root: root)
            return Stores(
                addresses: addresses, urls: urls, database: database, objects: objects, online: online,
                streams: streams, records: records, isShared: isShared)
        } catch {
            for close in opened.reversed() { await close() }
            throw error
        }
    }

    /// Where checkpoints of the journal are anchored: in the file under the root, or, of a factory that several processes
    /// share, in its object store, where the addresses do not say otherwise.
    func anchor(_ options: WorksOptions, metrics: MetricsRegistry, logger: Logger) async throws -> AnchorPlace {
        let opener = StoreOpener(options: options, cache: "\(options.root)/cache", metrics: metrics, logger: logger)
        if let url = try addresses.resolvedAnchor(root: options.root, environment: options.environment) {
            return try await WorksFailure.naming("anchor") { try await AnchorPlace.open(url, opener: opener) }
        }
        guard isShared, let url = urls[.objects] else {
            return AnchorPlace(anchor: JournalOptions.standard(root: options.root).anchor)
        }
        return try await WorksFailure.naming("anchor") { try await AnchorPlace.documents(at: url, opener: opener) }
    }

    private static func isSmallFile(_ url: StoreURL) -> Bool {
        guard url.scheme == "sqlite" else { return false }
        let size = (try? FileManager.default.attributesOfItem(atPath: url.path))?[.size] as? NSNumber
        return size.map { $0.int64Value <= fileBytesChecked } ?? false
    }

    /// The address of a store.
    func url(_ store: StoreAddresses.Store) throws -> StoreURL {
        guard let url = urls[store] else {
            throw StoreURLFailure.malformed("", reason: "the '\(store)' store has no address")
        }
        return url
    }

    func close() async {
        await records.close()
        await streams?.close()
        try? await online.close()
        await objects.close()
        await database.close()
    }
}

/// Opens stores by their addresses.
struct StoreOpener: Sendable {
    let options: WorksOptions
    /// A folder for local copies of objects.
    let cache: String
    let metrics: MetricsRegistry
    let logger: Logger

    func database(_ url: StoreURL) async throws -> Database {
        try await Database.open(url, time: options.time, random: options.random, metrics: metrics)
    }

    func objects(_ url: StoreURL) async throws -> any ObjectStore {
        try await ObjectStores.open(
            url, cache: cache,
            sealer: try url.secret("seal").map {
                KeyringSealer(try SealingKeyring($0, origin: "the seal keys of \(url)"))
            },
            environment: options.environment, metrics: metrics, time: options.time, random: options.random)
    }

    func documents(_ url: StoreURL) async throws -> any DocumentStore {
        try await ObjectStores.openDocuments(
            url, environment: options.environment, metrics: metrics, time: options.time, random: options.random)
    }

    func online(_ url: StoreURL) async throws -> any KeyValueStore {
        try await KeyValueStores.open(url, metrics: metrics)
    }

    func streams(_ url: StoreURL) async throws -> any EventStreams {
        try await Streams.open(url, time: options.time, logger: logger, metrics: metrics)
    }
}
