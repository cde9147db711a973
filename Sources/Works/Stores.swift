import Basics
import Foundation
import KeyValue
import ObjectStorage
import Records
import SQL
import Telemetry

/// The stores of a factory: opened in order, closed in the opposite order.
struct Stores: Sendable {
    let addresses: StoreAddresses
    let urls: [StoreAddresses.Store: StoreURL]
    let database: Database
    let objects: any ObjectStore
    let online: any KeyValueStore
    /// Whether reading online features never waits for a network.
    let onlineIsLocal: Bool
    let records: RecordChannels
    /// Whether other processes may work on the same stores now.
    let isShared: Bool

    /// Opens every store of a root.
    /// - Throws: the failure of the first store that can not be opened; it names the store and what to do.
    static func open(_ options: WorksOptions, metrics: MetricsRegistry) async throws -> Stores {
        let root = options.root
        let addresses = options.stores.over(try RememberedStores.read(root: root))
        let urls = try addresses.resolved(root: root, environment: options.environment)
        func url(_ store: StoreAddresses.Store) throws -> StoreURL {
            guard let url = urls[store] else {
                throw WorksFailure.rootUnusable(root: root, reason: "no \(store) store")
            }
            return url
        }
        let database = try await Database.open(at: url(.sql).path)
        let objects = try FileObjectStore(root: url(.objects).path)
        let online = try LMDBStore(path: url(.online).path, durable: false)
        let isShared = try url(.sql).scheme != "sqlite"
        let records =
            isShared
            ? try RecordChannels(
                sharedBy: database, objects: objects, spoolsIn: "\(root)/records", random: options.random)
            : RecordChannels(localIn: "\(root)/records")
        try RememberedStores.write(addresses, root: root)
        return Stores(
            addresses: addresses, urls: urls, database: database, objects: objects, online: online,
            onlineIsLocal: try url(.online).scheme == "lmdb", records: records,
            isShared: isShared)
    }

    func close() async {
        await records.close()
        await database.close()
    }
}
