import Basics

/// Where a PostgreSQL database is and how to sign in to it, as its address says:
/// `postgresql://user@host:5432/database?sslmode=verify-full&sslrootcert=ca.pem&password_env=PGPASSWORD`.
///
/// Settings of our own, in whole seconds where they are times:
/// - `schema`: holds all tables and is created when missing; `modelworks` where nothing is said.
/// - `pool`: how many reads run at the same time, 1 to 64; 4.
/// - `connect_timeout`: how long one connection may take to come about; 5.
/// - `patience`: how long a call tries to get a lost connection back; 15.
/// - `statement_timeout`: how long one statement may take; 30.
///
/// Settings of libpq that are passed on are in `passed`; `host` there names the folder of a Unix socket.
struct PostgresAddress: Sendable, CustomStringConvertible {
    /// libpq's connection parameters, without the password.
    let parameters: [String: String]
    let password: Secret?
    let database: String
    let schema: String
    let pool: Int
    let connectSeconds: Double
    let patienceSeconds: Double
    let statementSeconds: Int
    /// The address without secrets.
    let description: String

    private static let passed: Set<String> = [
        "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "ssl_min_protocol_version", "channel_binding",
        "target_session_attrs", "application_name", "host",
    ]
    private static let own: Set<String> = ["schema", "pool", "connect_timeout", "patience", "statement_timeout"]

    init(_ url: StoreURL) throws {
        try url.allow(PostgresAddress.passed.union(PostgresAddress.own))
        database = String(url.path.drop { $0 == "/" })
        guard !database.isEmpty, !database.contains("/") else {
            throw StoreURLFailure.malformed(
                url.description, reason: "it names no database, such as postgresql://user@host/database")
        }
        schema = url.settings["schema"] ?? "modelworks"
        let isName = schema.utf8.allSatisfy { byte in
            (97...122).contains(byte) || (48...57).contains(byte) || byte == UInt8(ascii: "_")
        }
        guard isName, (1...63).contains(schema.utf8.count), !schema.hasPrefix("pg_") else {
            throw StoreURLFailure.setting(
                "schema", in: url.description,
                reason: "it must be 1 to 63 lower-case letters, digits and underscores, not starting with pg_")
        }
        pool = try url.integer("pool", in: 1...64) ?? 4
        connectSeconds = Double(try url.integer("connect_timeout", in: 1...300) ?? 5)
        patienceSeconds = Double(try url.integer("patience", in: 0...3600) ?? 15)
        statementSeconds = try url.integer("statement_timeout", in: 1...86_400) ?? 30
        password = url.secret("password")
        description = url.description
        var parameters = url.settings.filter { PostgresAddress.passed.contains($0.key) }
        if let host = url.host { parameters["host"] = host }
        if let port = url.port { parameters["port"] = String(port) }
        if let user = url.user { parameters["user"] = user }
        parameters["dbname"] = database
        parameters["client_encoding"] = "UTF8"
        if parameters["application_name"] == nil { parameters["application_name"] = "modelworks" }
        // A peer that vanished without a word is noticed within about 11 s.
        parameters["keepalives_idle"] = "5"
        parameters["keepalives_interval"] = "2"
        parameters["keepalives_count"] = "3"
        parameters["tcp_user_timeout"] = "11000"
        self.parameters = parameters
    }

    /// The key of the lock that all writers of this schema take, in any process.
    var lockKey: Int64 { Int64(bitPattern: SplitMix.hash("modelworks.sql.\(schema)")) }

    /// What every connection starts with.
    var settings: [String] {
        [
            "SET search_path TO \"\(schema)\"",
            "SET client_min_messages TO warning",
            "SET standard_conforming_strings TO on",
            "SET extra_float_digits TO 1",
            "SET bytea_output TO hex",
            "SET statement_timeout TO '\(statementSeconds)s'",
            "SET lock_timeout TO '\(max(1, Int(patienceSeconds)))s'",
            // A process that stopped in the middle of a change must not hold up all others for longer.
            "SET idle_in_transaction_session_timeout TO '\(max(30, 2 * statementSeconds))s'",
            "SET tcp_keepalives_idle TO 5",
            "SET tcp_keepalives_interval TO 2",
            "SET tcp_keepalives_count TO 3",
            // What is acknowledged is on the disk, whatever the server's own setting is.
            """
            SELECT set_config('synchronous_commit', 'on', false)
            WHERE current_setting('synchronous_commit') = 'off'
            """,
        ]
    }
}
