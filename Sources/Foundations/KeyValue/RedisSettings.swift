import Basics

/// Where a server listens.
struct RedisAddress: Hashable, Sendable, Comparable, CustomStringConvertible {
    let host: String
    let port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`, `[address]:port`, or a host alone.
    init?(_ text: Substring, defaultPort: Int) {
        var host = text
        var port = defaultPort
        if let colon = text.lastIndex(of: ":"), text.hasPrefix("[") ? text[..<colon].hasSuffix("]") : true {
            guard let number = Int(text[text.index(after: colon)...]), (1...65535).contains(number) else { return nil }
            host = text[..<colon]
            port = number
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard !host.isEmpty else { return nil }
        self.init(host: String(host), port: port)
    }

    var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    static func < (left: RedisAddress, right: RedisAddress) -> Bool {
        (left.host, left.port) < (right.host, right.port)
    }
}

/// How a store in Redis is reached and used, read from its address.
struct RedisSettings: Sendable {
    /// The address without secrets, for messages.
    let name: String
    let isCluster: Bool
    let usesTLS: Bool
    /// The server, or the nodes of a cluster that are asked first.
    let seeds: [RedisAddress]
    let database: Int
    let user: String?
    let password: Secret?
    let authorities: String?
    let certificate: String?
    let clientKey: Secret?
    /// Goes before the names of all tables.
    let namespace: String
    /// Connections to one server that readers may use at once.
    let pool: Int
    let connectMilliseconds: Int
    /// For a read as a whole, and for each step of a change.
    let readMilliseconds: Int
    let writeMilliseconds: Int
    let replyLimitBytes: Int

    static let schemes = ["redis", "rediss", "redis+cluster", "rediss+cluster"]

    /// - Throws: `StoreURLFailure`, `KeyValueFailure.misconfigured`.
    init(_ url: StoreURL) throws {
        guard Self.schemes.contains(url.scheme) else {
            throw StoreURLFailure.unknownScheme(url.description, store: "key-value", known: Self.schemes)
        }
        try url.allow([
            "namespace", "pool", "connect_timeout_ms", "timeout_ms", "write_timeout_ms", "reply_limit_mb", "seeds",
            "ca", "cert",
        ])
        name = url.description
        isCluster = url.scheme.hasSuffix("+cluster")
        usesTLS = url.scheme.hasPrefix("rediss")
        seeds = try Self.seeds(url)
        let digits = url.path.drop { $0 == "/" }
        guard let database = digits.isEmpty ? 0 : Int(digits), (0...65535).contains(database) else {
            throw KeyValueFailure.misconfigured(
                store: name, reason: "its path must be the number of a database, such as /0")
        }
        guard !isCluster || database == 0 else {
            throw KeyValueFailure.misconfigured(store: name, reason: "a cluster has database 0 only")
        }
        self.database = database
        user = url.user
        password = url.secret("password")
        guard user == nil || password != nil else {
            throw KeyValueFailure.misconfigured(store: name, reason: "it names a user and no password")
        }
        authorities = url.settings["ca"]
        certificate = url.settings["cert"]
        clientKey = url.secret("client_key")
        guard usesTLS || (authorities == nil && certificate == nil && clientKey == nil) else {
            throw KeyValueFailure.misconfigured(
                store: name,
                reason: "ca, cert and client_key need the scheme \(isCluster ? "rediss+cluster" : "rediss")")
        }
        guard (certificate == nil) == (clientKey == nil) else {
            throw KeyValueFailure.misconfigured(
                store: name, reason: "cert and client_key_file must be given together")
        }
        namespace = url.settings["namespace"] ?? "works"
        guard !namespace.isEmpty, namespace.utf8.count <= 128, !namespace.contains(":") else {
            throw StoreURLFailure.setting(
                "namespace", in: name, reason: "it must have 1 to 128 bytes and no colon")
        }
        pool = try url.integer("pool", in: 1...4096) ?? 64
        connectMilliseconds = try url.integer("connect_timeout_ms", in: 1...600_000) ?? 2000
        readMilliseconds = try url.integer("timeout_ms", in: 1...600_000) ?? 2000
        writeMilliseconds = try url.integer("write_timeout_ms", in: 1...3_600_000) ?? 30_000
        replyLimitBytes = try (url.integer("reply_limit_mb", in: 1...65_536) ?? 256) << 20
    }

    private static func seeds(_ url: StoreURL) throws -> [RedisAddress] {
        var seeds: [RedisAddress] = []
        if let host = url.host {
            let port = url.port ?? 6379
            guard (1...65535).contains(port) else {
                throw StoreURLFailure.malformed(url.description, reason: "its port must be 1 to 65535")
            }
            seeds.append(RedisAddress(host: host, port: port))
        }
        if let more = url.settings["seeds"] {
            guard url.scheme.hasSuffix("+cluster") else {
                throw StoreURLFailure.setting("seeds", in: url.description, reason: "only a cluster has several")
            }
            for text in more.split(separator: ",") {
                guard let seed = RedisAddress(text, defaultPort: 6379) else {
                    throw StoreURLFailure.setting(
                        "seeds", in: url.description, reason: "'\(text)' is not of the form host:port")
                }
                seeds.append(seed)
            }
        }
        guard !seeds.isEmpty else {
            throw StoreURLFailure.malformed(url.description, reason: "it names no host")
        }
        return seeds
    }
}
