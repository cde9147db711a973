import Basics
import Columnar
import Configuration
import Datasets
import Features
import HTTP
import Inference
import Journal
import KeyValue
import ObjectStorage
import SQL
import TestSupport
import Works

/// The same definitions over the same raw rows in stores of their own, joined for training: what a served value must
/// equal bit for bit.
public enum Offline {
    /// The rows of the population with a time in a range, each joined as of its own time.
    public static func trainingSet(in folder: TemporaryFolder, from: Timestamp, to: Timestamp) async throws
        -> TrainingSet
    {
        let path = "\(folder.path)/offline"
        for name in ["objects", "online", "scratch"] { try folder.write("", to: "offline/\(name)/.keep") }
        let database = try await Database.open(at: "\(path)/works.db")
        _ = try await database.migrate(Journal.migrations + DatasetStore.migrations + FeatureStore.migrations)
        let online = try LMDBStore(path: "\(path)/online", durable: false)
        let store = FeatureStore(
            database: database, objects: try FileObjectStore(root: "\(path)/objects"),
            engine: ColumnarEngine(ColumnarOptions(temporaryDirectory: "\(path)/scratch")), online: online,
            onlineTable: try await online.table("features"), time: ManualTime(Timestamp(seconds: 0)),
            random: SystemRandom(), scratch: "\(path)/scratch")
        let documents = try FactoryDocuments(files: Blueprint.files, environment: [:])
        store.use(try Catalogue(documents), dataFolder: "\(folder.path)/data")
        _ = try await store.ingest(by: "user:test")
        let set = try await store.trainingSet(
            Population(
                sql: Blueprint.files["training/population.sql"] ?? "", id: "order_id", time: "placed", label: "failed",
                labelTime: "settled"), service: "orders", from: from, to: to, knownBy: nil)
        await database.close()
        return set
    }
}

extension Workshop {
    /// A version's bundle, as the registry keeps it.
    public func bundle(of version: Int) async throws -> (manifest: BundleManifest, files: [String: [UInt8]]) {
        let manifest = try BundleManifest(
            decoding: try await get("/models/\(Blueprint.model)/versions/\(version)/bundle").body)
        var files: [String: [UInt8]] = [:]
        for (path, digest) in manifest.files { files[path] = try await get("/objects/\(digest.hex)").body }
        return (manifest, files)
    }

    /// A version's model, loaded apart from the factory.
    public func model(of version: Int) async throws -> LightGBMModel {
        try LightGBMModel(text: try await bundle(of: version).files[LightGBMRuntime.modelPath] ?? [])
    }

    /// Registers files as the next version of the model; returns `model/number`.
    public func register(
        _ files: [String: [UInt8]], kind: String? = nil, like manifest: BundleManifest, reason: String = "a drill"
    ) async throws -> String {
        let bundle = try ModelBundle.encode(
            kind: kind ?? manifest.kind, files: files, signature: manifest.signature,
            sampleRows: manifest.sample.inputs.map { row in row.map { $0 ?? .nan } },
            featureService: manifest.featureService, runtimes: .all)
        for bytes in Array(files.values) + [bundle.manifestBytes] {
            _ = try await works.dispatch(.post, "/api/works/v1/objects", headers: [:], body: bytes)
        }
        let version = try await post(
            "/models/\(Blueprint.model)/versions",
            ["bundle": .string(bundle.digest.description), "reason": .string(reason)])
        guard let number = version["id"]?["version"]?.integer else { throw Surprise(description: "\(version)") }
        return "\(Blueprint.model)/\(number)"
    }
}
