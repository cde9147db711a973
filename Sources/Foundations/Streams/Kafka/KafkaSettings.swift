import Basics

/// What an address of the form `kafka://host:port` says, as the settings of librdkafka.
struct KafkaSettings: Sendable {
    /// What every message names the store by; no secret stands in it.
    let name: String
    /// Put before the names of topics, groups and transactions.
    let prefix: String
    let clientID: String
    /// How long one call may take.
    let callMilliseconds: Int32
    /// How long one connection may take to come about.
    let connectMilliseconds: Int32
    /// How long a record may take to be acknowledged.
    let deliveryMilliseconds: Int
    let recordBytes: Int
    let sessionMilliseconds: Int
    /// How long a broker that has nothing may hold a consumer's request.
    let fetchMilliseconds: Int
    /// Copies of each partition of topics made here; -1 is the broker's own number.
    let replicas: Int32
    private let shared: [String: String]
    private let secrets: [String: Secret]

    static let known: Set<String> = [
        "brokers", "security", "mechanism", "user", "ca", "cert", "client_key", "client_id", "prefix", "acks",
        "timeout_ms", "connect_timeout_ms", "delivery_timeout_ms", "session_timeout_ms", "max_record_bytes", "replicas",
        "fetch_wait_ms",
    ]

    /// - Parameters:
    ///   - url: the address.
    ///   - hostName: this machine's, for the client id where the address gives none.
    init(_ url: StoreURL, hostName: String) throws {
        try url.allow(KafkaSettings.known)
        name = url.description
        let brokers: String
        if let listed = url.settings["brokers"], !listed.isEmpty {
            brokers = listed
        } else if let host = url.host {
            brokers = "\(host.contains(":") ? "[\(host)]" : host):\(url.port ?? 9092)"
        } else {
            throw StoreURLFailure.malformed(url.description, reason: "it names no broker, as in kafka://host:9092")
        }
        prefix = url.settings["prefix"] ?? ""
        clientID = url.settings["client_id"] ?? "modelworks-\(hostName)"
        if let acks = url.settings["acks"], acks != "all" {
            throw StoreURLFailure.setting("acks", in: url.description, reason: "only 'all' loses nothing")
        }
        callMilliseconds = Int32(clamping: try url.integer("timeout_ms", in: 100...300_000) ?? 10_000)
        deliveryMilliseconds = try url.integer("delivery_timeout_ms", in: 1000...600_000) ?? 30_000
        recordBytes = try url.integer("max_record_bytes", in: 1024...(16 << 20)) ?? 1_000_000
        sessionMilliseconds = try url.integer("session_timeout_ms", in: 1000...1_800_000) ?? 30_000
        fetchMilliseconds = try url.integer("fetch_wait_ms", in: 1...30_000) ?? 100
        replicas = Int32(clamping: try url.integer("replicas", in: 1...32) ?? -1)
        let connect = try url.integer("connect_timeout_ms", in: 1000...300_000) ?? 5000
        connectMilliseconds = Int32(clamping: connect)
        let security = try KafkaSettings.choice(
            "security", in: url, of: ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"])
        let mechanism = try KafkaSettings.choice(
            "mechanism", in: url, of: ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
        let user = url.settings["user"] ?? url.user
        if security?.hasPrefix("sasl") == true, user == nil || url.secret("password") == nil {
            throw StoreURLFailure.setting(
                "security", in: url.description, reason: "'sasl' needs a user and a password, as in password_env=NAME")
        }
        let copies = max(recordBytes, 1_000_000) + 65_536
        var shared: [String: String] = [
            "bootstrap.servers": brokers, "client.id": clientID, "message.max.bytes": String(copies),
            "socket.connection.setup.timeout.ms": String(connect), "socket.keepalive.enable": "true",
            "reconnect.backoff.ms": "50", "reconnect.backoff.max.ms": "1000", "log.connection.close": "false",
            "statistics.interval.ms": "5000",
        ]
        shared["security.protocol"] = security
        if security?.hasPrefix("sasl") == true {
            shared["sasl.mechanisms"] = mechanism ?? "PLAIN"
            shared["sasl.username"] = user
        }
        shared["ssl.ca.location"] = url.settings["ca"]
        shared["ssl.certificate.location"] = url.settings["cert"]
        shared["ssl.key.location"] = url.settings["client_key"]
        self.shared = shared
        var secrets: [String: Secret] = [:]
        if security?.hasPrefix("sasl") == true { secrets["sasl.password"] = url.secret("password") }
        secrets["ssl.key.password"] = url.secret("client_key_password")
        self.secrets = secrets
    }

    /// Hands over each setting of a client; the values must not be kept or shown.
    func forEach(with own: [String: String], _ body: (_ name: String, _ value: String) throws -> Void) rethrows {
        for (name, value) in shared.merging(own, uniquingKeysWith: { $1 }) { try body(name, value) }
        for (name, secret) in secrets { try body(name, secret.revealed) }
    }

    /// What makes a producer keep every record, once and in order.
    var producer: [String: String] {
        [
            "enable.idempotence": "true", "acks": "all", "linger.ms": "5", "compression.type": "lz4",
            "delivery.timeout.ms": String(deliveryMilliseconds), "queue.buffering.max.messages": "500000",
            "queue.buffering.max.kbytes": "262144",
        ]
    }

    /// What a consumer that commits by itself only when told to needs.
    func consumer(group: String, start: StreamStart) -> [String: String] {
        [
            "group.id": group, "enable.auto.commit": "false", "enable.auto.offset.store": "false",
            "auto.offset.reset": start == .oldest ? "earliest" : "latest", "isolation.level": "read_committed",
            "enable.partition.eof": "true", "allow.auto.create.topics": "false",
            "fetch.wait.max.ms": String(fetchMilliseconds),
            "session.timeout.ms": String(sessionMilliseconds),
            "heartbeat.interval.ms": String(max(100, min(3000, sessionMilliseconds / 4))),
            "max.poll.interval.ms": String(max(300_000, sessionMilliseconds)),
        ]
    }

    private static func choice(_ name: String, in url: StoreURL, of known: [String]) throws -> String? {
        guard let value = url.settings[name] else { return nil }
        guard known.contains(value) else {
            throw StoreURLFailure.setting(
                name, in: url.description, reason: "it must be one of \(known.joined(separator: ", "))")
        }
        return value
    }
}
