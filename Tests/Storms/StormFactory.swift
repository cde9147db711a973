import Basics
import Columnar
import Configuration
import Datasets
import Features
import Foundation
import Journal
import KeyValue
import ObjectStorage
import SQL

/// A feature store in a folder, which every process of a storm opens anew.
struct StormFactory {
    let features: FeatureStore
    private let database: Database
    private let online: any KeyValueStore

    /// - Parameter batchRows: how many rows are brought online in one change, at most.
    init(folder: String, definitions: [String: String], batchRows: Int = FeatureStore.batchRows) async throws {
        for name in ["objects", "scratch", "data"] {
            try FileManager.default.createDirectory(
                atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
        }
        database = try await Database.open(at: "\(folder)/works.db")
        _ = try await database.migrate(Journal.migrations + DatasetStore.migrations + FeatureStore.migrations)
        let environment = SecretSource(environment: [:])
        online = try await KeyValueStores.open(StoreURL("lmdb:\(folder)/online", secrets: environment), metrics: nil)
        features = FeatureStore(
            database: database, objects: try FileObjectStore(root: "\(folder)/objects"),
            engine: ColumnarEngine(ColumnarOptions(temporaryDirectory: "\(folder)/scratch")), online: online,
            onlineTable: try await online.table("features"), time: SystemTime(), random: SystemRandom(),
            scratch: "\(folder)/scratch", batchRows: batchRows)
        features.use(
            try Catalogue(FactoryDocuments(files: definitions, environment: [:])), dataFolder: "\(folder)/data")
    }

    func close() async {
        await database.close()
        try? await online.close()
    }
}
