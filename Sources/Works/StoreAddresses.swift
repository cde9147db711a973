import Basics
import Configuration
import Foundation
import ObjectStorage

/// Where a factory's stores are: one address each. What is not said is embedded under the root.
public struct StoreAddresses: Sendable, Hashable, Codable {
    /// Metadata, journal and queue: `sqlite:PATH` or `postgresql://…`.
    public var sql: String?
    /// Artifacts, datasets and reports by digest: `file:PATH` or `s3://BUCKET/PREFIX?…`.
    public var objects: String?
    /// Online features: `lmdb:PATH` or `redis://…`, `redis+cluster://…`, with TLS `rediss://…`.
    public var online: String?
    /// Predictions, labels and events: `log:PATH` or `kafka://…`.
    public var streams: String?
    /// Where jobs run: `local:`, `ray://…` or `slurm:`.
    public var jobs: String?

    public init() {}

    /// The name of a store in YAML, on the command line and, as `MODELWORKS_SQL` and so on, in the environment.
    public enum Store: String, CaseIterable, Sendable {
        case sql, objects, online, streams, jobs

        /// The environment variable that names it.
        public var variable: String { "MODELWORKS_\(rawValue.uppercased())" }

        /// The store whose addresses have this scheme, of those that can be moved.
        public init?(scheme: String) {
            switch scheme {
            case "sqlite", "postgresql", "postgres": self = .sql
            case "file", "s3": self = .objects
            case "lmdb", "redis", "rediss", "redis+cluster", "rediss+cluster": self = .online
            default: return nil
            }
        }

        /// The embedded default, under the root.
        var embedded: String {
            switch self {
            case .sql: "sqlite:works.db"
            case .objects: "file:objects"
            // What is online can be computed again from the histories, so it need not reach the disk at every turn.
            case .online: "lmdb:online?durable=false"
            case .streams: "log:streams"
            case .jobs: "local:"
            }
        }
    }

    public subscript(store: Store) -> String? {
        get { self[keyPath: Self.path(store)] }
        set { self[keyPath: Self.path(store)] = newValue }
    }

    private static func path(_ store: Store) -> WritableKeyPath<StoreAddresses, String?> {
        switch store {
        case .sql: \.sql
        case .objects: \.objects
        case .online: \.online
        case .streams: \.streams
        case .jobs: \.jobs
        }
    }

    /// These addresses, and for what they leave out the others'.
    public func over(_ others: StoreAddresses) -> StoreAddresses {
        var merged = self
        for store in Store.allCases where merged[store] == nil { merged[store] = others[store] }
        return merged
    }

    /// The addresses that a root remembers.
    public init(rememberedBy root: String) throws { self = try RememberedStores.read(root: root) }

    /// The addresses that the environment names.
    public init(environment: [String: String]) {
        for store in Store.allCases { self[store] = environment[store.variable].flatMap { $0.isEmpty ? nil : $0 } }
    }

    /// The `stores` of a `works.yaml`, with `${NAME}` left as it stands: what a root remembers must hold no secret.
    /// - Throws: `ConfigurationFailure` for keys that are no store and for a password that stands in the file.
    public init(manifest text: String) throws {
        let file = FactoryDocuments.manifestName
        guard let manifest = try YAMLParser.parse(text, file: file).first,
            let node = try manifest.mapping().node("stores")
        else { return }
        let stores = try node.mapping(allowing: Store.allCases.map(\.rawValue))
        for store in Store.allCases {
            guard let address = try stores.optionalString(store.rawValue) else { continue }
            if let password = URLComponents(string: address)?.password, !password.isEmpty, !address.contains("${") {
                throw ConfigurationFailure(
                    try stores.required(store.rawValue).place, "the address of '\(store.rawValue)' holds a password",
                    remedy: "Name where it is instead: ?password_env=NAME or ?password_file=PATH.")
            }
            self[store] = address
        }
    }

    /// Refuses definitions that name other stores than the ones in use: a factory changes its stores when it starts.
    /// - Throws: ``WorksFailure/otherStore(_:named:running:)``.
    func check(_ named: StoreAddresses) throws {
        for store in Store.allCases {
            guard let name = named[store], name != self[store] ?? store.embedded else { continue }
            throw WorksFailure.otherStore(store.rawValue, named: name, running: self[store] ?? store.embedded)
        }
    }

    /// The addresses with `${NAME}` and `${NAME:-default}` replaced, the defaults filled in and paths under the root.
    /// - Throws: `ConfigurationFailure` for a variable without a value, `StoreURLFailure` or `SecretFailure`.
    public func resolved(root: String, environment: [String: String]) throws -> [Store: StoreURL] {
        let secrets = SecretSource(environment: environment)
        var urls: [Store: StoreURL] = [:]
        for store in Store.allCases {
            let text = try FactoryDocuments.substitute(
                self[store] ?? store.embedded, environment, file: "the address of '\(store.rawValue)'")
            urls[store] = try StoreURL(text, secrets: secrets).rooted(at: root)
        }
        return urls
    }
}

/// What a root remembers of its stores, so that every verb on the root opens the same ones.
enum RememberedStores {
    private static func path(_ root: String) -> String { "\(root)/stores.json" }

    static func read(root: String) throws -> StoreAddresses {
        guard FileManager.default.fileExists(atPath: path(root)) else { return StoreAddresses() }
        return try JSON.decode(StoreAddresses.self, from: try AtomicFile.read(path(root)))
    }

    /// Keeps the addresses where they are not the ones kept already.
    static func write(_ addresses: StoreAddresses, root: String) throws {
        guard try read(root: root) != addresses else { return }
        try AtomicFile.write(path(root), try JSON.canonical(addresses))
    }
}
