import Basics
import Foundation
import KeyValue
import ObjectStorage
import Records
import SQL
import Sealing
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

    /// Opens every store of a root.
    /// - Throws: the failure of the first store that can not be opened; it names the store and what to do.
    static func open(_ options: WorksOptions, metrics: MetricsRegistry, logger: Logger) async throws -> Stores {
        let root = options.root
        let addresses = options.stores.over(try RememberedStores.read(root: root))
        let opener = StoreOpener(
            urls: try addresses.resolved(root: root, environment: options.environment), options: options,
            metrics: metrics, logger: logger)
        let database = try await opener.database()
        let objects = try await opener.objects()
        let online = try await opener.online()
        let isShared = database.engine != .sqlite
        let streams = try await opener.sharedStreams()
        let records =
            isShared || streams != nil
            ? try RecordChannels(
                sharedBy: database, objects: objects, streams: streams, spoolsIn: "\(root)/records",
                random: options.random)
            : RecordChannels(localIn: "\(root)/records")
        try RememberedStores.write(addresses, root: root)
        return Stores(
            addresses: addresses, urls: opener.urls, database: database, objects: objects, online: online,
            streams: streams, records: records, isShared: isShared)
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
    let urls: [StoreAddresses.Store: StoreURL]
    let options: WorksOptions
    let metrics: MetricsRegistry
    let logger: Logger

    private func url(_ store: StoreAddresses.Store) throws -> StoreURL {
        guard let url = urls[store] else {
            throw WorksFailure.rootUnusable(root: options.root, reason: "the '\(store)' store has no address")
        }
        return url
    }

    func database() async throws -> Database {
        try await Database.open(url(.sql), time: options.time, random: options.random, metrics: metrics)
    }

    func objects() async throws -> any ObjectStore {
        let url = try url(.objects)
        return try await ObjectStores.open(
            url, cache: "\(options.root)/cache",
            sealer: try url.secret("seal").map {
                KeyringSealer(try SealingKeyring($0, origin: "the seal keys of \(url)"))
            },
            environment: options.environment, metrics: metrics, time: options.time, random: options.random)
    }

    func online() async throws -> any KeyValueStore {
        try await KeyValueStores.open(url(.online), metrics: metrics)
    }

    func streams() async throws -> any EventStreams {
        try await Streams.open(url(.streams), time: options.time, logger: logger, metrics: metrics)
    }

    /// The streams where they are ones that several processes can share.
    func sharedStreams() async throws -> (any EventStreams)? {
        try url(.streams).scheme == "log" ? nil : try await streams()
    }
}
