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
    /// What histories of features are joined on: `duckdb:`, or `spark://…`.
    public var offline: String?
    /// Where checkpoints of the journal are anchored: `file:PATH` or `s3://BUCKET/PREFIX?…`. Not said, it is a file under
    /// the root for a factory of one process, and the object store for one that several processes share.
    public var anchor: String?

    /// The environment variable that names the anchor.
    static let anchorVariable = "MODELWORKS_ANCHOR"
    private static let anchorKey = "anchor"

    public init() {}

    /// The name of a store in YAML, on the command line and, as `MODELWORKS_SQL` and so on, in the environment.
    public enum Store: String, CaseIterable, Sendable {
        case sql, objects, online, streams, jobs, offline

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
            case .offline: "duckdb:"
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
        case .offline: \.offline
        }
    }

    /// These addresses, and for what they leave out the others'.
    public func over(_ others: StoreAddresses) -> StoreAddresses {
        var merged = self
        for store in Store.allCases where merged[store] == nil { merged[store] = others[store] }
        merged.anchor = merged.anchor ?? others.anchor
        return merged
    }

    /// The addresses that a root remembers.
    public init(rememberedBy root: String) throws { self = try RememberedStores.read(root: root) }

    /// The addresses that the environment names.
    public init(environment: [String: String]) {
        for store in Store.allCases { self[store] = environment[store.variable].flatMap { $0.isEmpty ? nil : $0 } }
        anchor = environment[Self.anchorVariable].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// The `stores` of a `works.yaml`, with `${NAME}` left as it stands: what a root remembers must hold no secret.
    /// - Throws: `ConfigurationFailure` for keys that are no store and for a password that stands in the file.
    public init(manifest text: String) throws {
        let file = FactoryDocuments.manifestName
        guard let manifest = try YAMLParser.parse(text, file: file).first,
            let node = try manifest.mapping().node("stores")
        else { return }
        let stores = try node.mapping(allowing: Store.allCases.map(\.rawValue) + [Self.anchorKey])
        func address(_ name: String) throws -> String? {
            guard let address = try stores.optionalString(name) else { return nil }
            guard try Self.withoutSecrets(address) == address else {
                throw ConfigurationFailure(
                    try stores.required(name).place, "the address of '\(name)' holds a password",
                    remedy: "Name where it is instead: ?password_env=NAME or ?password_file=PATH.")
            }
            return address
        }
        for store in Store.allCases { self[store] = try address(store.rawValue) }
        anchor = try address(Self.anchorKey)
    }

    /// Refuses definitions that name other stores than the ones in use: a factory changes its stores when it starts.
    /// - Throws: ``WorksFailure/otherStore(_:named:running:)``.
    func check(_ named: StoreAddresses) throws {
        for store in Store.allCases {
            guard let name = named[store], name != self[store] ?? store.embedded else { continue }
            throw WorksFailure.otherStore(store.rawValue, named: name, running: self[store] ?? store.embedded)
        }
        if let name = named.anchor, name != anchor {
            throw WorksFailure.otherStore(Self.anchorKey, named: name, running: anchor ?? "its default")
        }
    }

    /// The addresses with `${NAME}` and `${NAME:-default}` replaced, the defaults filled in and paths under the root.
    /// - Throws: ``WorksFailure/storeUnusable(_:cause:)`` for the first that can not be read, or whose secret can not be
    ///   had.
    public func resolved(root: String, environment: [String: String]) throws -> [Store: StoreURL] {
        var urls: [Store: StoreURL] = [:]
        for store in Store.allCases { urls[store] = try resolved(store, root: root, environment: environment) }
        return urls
    }

    /// The address of one store, as ``resolved(root:environment:)`` has it.
    public func resolved(_ store: Store, root: String, environment: [String: String]) throws -> StoreURL {
        try Self.url(self[store] ?? store.embedded, of: store.rawValue, root: root, environment: environment)
    }

    /// The address of the anchor; nil where none is said.
    func resolvedAnchor(root: String, environment: [String: String]) throws -> StoreURL? {
        try anchor.map { try Self.url($0, of: Self.anchorKey, root: root, environment: environment) }
    }

    private static func url(
        _ address: String, of name: String, root: String, environment: [String: String]
    ) throws -> StoreURL {
        try WorksFailure.naming(name) {
            let text = try FactoryDocuments.substitute(address, environment, file: "the address of '\(name)'")
            return try StoreURL(text, secrets: SecretSource(environment: environment)).rooted(at: root)
        }
    }

    /// These addresses as they may be written down: passwords that stand in them are left out.
    func withoutSecrets() throws -> StoreAddresses {
        var addresses = self
        for store in Store.allCases { addresses[store] = try self[store].map(Self.withoutSecrets) }
        addresses.anchor = try anchor.map(Self.withoutSecrets)
        return addresses
    }

    private static func withoutSecrets(_ address: String) throws -> String {
        // What a variable stands for is not in the text.
        guard !address.contains("${"), var parts = URLComponents(string: address) else { return address }
        let items = parts.queryItems ?? []
        let open = items.filter { $0.name != "password" }
        guard parts.password?.isEmpty == false || open.count < items.count else { return address }
        parts.password = nil
        parts.queryItems = open.isEmpty ? nil : open
        return parts.string ?? ""
    }
}

extension WorksFailure {
    /// Runs what is about one store, so that its failure says which.
    static func naming<Value>(_ store: String, _ body: () throws -> Value) throws -> Value {
        do { return try body() } catch let failure as any Failure {
            throw named(store, failure)
        }
    }

    /// The same for what suspends.
    static func naming<Value: Sendable>(
        _ store: String, _ body: @Sendable () async throws -> Value
    ) async throws -> Value {
        do { return try await body() } catch let failure as any Failure {
            throw named(store, failure)
        }
    }

    private static func named(_ store: String, _ failure: any Failure) -> WorksFailure {
        (failure as? WorksFailure) ?? .storeUnusable(store, cause: failure)
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
        let open = try addresses.withoutSecrets()
        guard try read(root: root) != open else { return }
        try AtomicFile.write(path(root), try JSON.canonical(open))
    }
}
