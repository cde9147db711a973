import Basics
import Journal
import SQL

/// Webhooks, and what has yet to be sent to them.
///
/// The journal, which is written in the transaction of each change, is the list of what there is to tell: a consumer with a
/// durable cursor makes deliveries of it. Guarantees: each change is told to each webhook that was there before it and asks
/// for it, whatever crashes between; what is sent again has the same id.
public struct WebhookStore: Sendable {
    private let database: Database
    private let registry: ModelRegistry
    private let time: any TimeSource
    private let random: any RandomSource
    /// The name of the journal's cursor.
    private static let consumer = "webhooks"
    private static let batch = 500
    /// How long who sends it has it to itself, in seconds.
    private static let claimSeconds: Int64 = 60
    private static let attemptsMax = 12
    private static let pauseMax: Int64 = 3600

    /// - Parameter time: the system's, which what is sent is dated by.
    public init(database: Database, registry: ModelRegistry, time: any TimeSource, random: any RandomSource) {
        self.database = database
        self.registry = registry
        self.time = time
        self.random = random
    }

    static let migration = Migration(
        room: "registry", version: 4,
        sql: """
            CREATE TABLE webhooks (
              id TEXT PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL, url TEXT NOT NULL, events TEXT NOT NULL,
              secret TEXT, active INTEGER NOT NULL, since INTEGER NOT NULL, created INTEGER NOT NULL,
              updated INTEGER NOT NULL);
            CREATE TABLE webhook_deliveries (
              webhook TEXT NOT NULL, sequence INTEGER NOT NULL, id TEXT NOT NULL UNIQUE, event TEXT NOT NULL,
              body TEXT NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, next INTEGER, error TEXT,
              created INTEGER NOT NULL, PRIMARY KEY (webhook, sequence));
            CREATE INDEX webhook_deliveries_due ON webhook_deliveries (state, next);
            """)

    /// Makes a webhook that is told of what happens from now on, and journals it.
    /// - Throws: ``RegistryFailure/invalid(_:)``, ``RegistryFailure/badAddress(_:reason:)``.
    public func create(
        name: String, description: String, url: String, events: [WebhookEvent], secret: Secret?, isActive: Bool,
        by principal: String
    ) async throws -> Webhook {
        try Webhook.check(name: name)
        try Webhook.check(url: url, hosts: registry.policy.webhookHosts)
        let events = try Self.text(events)
        let (id, now) = (random.identifier(), time.now)
        return try await database.write { transaction in
            let seen = try Journal.append(
                JournalDraft(
                    principal: principal, type: "webhook.created", subject: "webhook/\(id)",
                    body: ["name": .string(name), "url": .string(url)]), in: transaction, at: now
            ).sequence
            // Where there was none nobody read along.
            if try transaction.first("SELECT id FROM webhooks LIMIT 1") == nil {
                try Journal.move(Self.consumer, to: seen, in: transaction)
            }
            try transaction.execute(
                "INSERT INTO webhooks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    .text(id), .text(name), .text(description), .text(url), .text(events), .init(secret?.revealed),
                    .init(isActive), .integer(seen), .init(now), .init(now),
                ])
            return try Self.webhook(id, in: transaction)
        }
    }

    /// Webhooks in the order they were made.
    public func all() async throws -> [Webhook] {
        try await database.read { try $0.query("SELECT * FROM webhooks ORDER BY created, id").map(Self.webhook) }
    }

    /// - Throws: ``RegistryFailure/unknownWebhook(_:)``.
    public func webhook(_ id: String) async throws -> Webhook {
        try await database.read { try Self.webhook(id, in: $0) }
    }

    /// Changes what is given, and journals it.
    /// - Throws: what ``create(name:description:url:events:secret:isActive:by:)`` throws, or `.unknownWebhook(_:)`.
    public func update(
        _ id: String, name: String?, description: String?, url: String?, events: [WebhookEvent]?, secret: Secret?,
        isActive: Bool?, by principal: String
    ) async throws -> Webhook {
        if let name { try Webhook.check(name: name) }
        if let url { try Webhook.check(url: url, hosts: registry.policy.webhookHosts) }
        let changes: [(String, SQLValue)] = [
            ("name", .init(name)), ("description", .init(description)), ("url", .init(url)),
            ("events", .init(try events.map(Self.text))), ("secret", .init(secret?.revealed)),
            ("active", .init(isActive)),
        ].filter { $0.1 != .null }
        let now = time.now
        return try await database.write { transaction in
            _ = try Self.webhook(id, in: transaction)
            for (column, value) in changes {
                try transaction.execute("UPDATE webhooks SET \(column) = ? WHERE id = ?", [value, .text(id)])
            }
            try transaction.execute("UPDATE webhooks SET updated = ? WHERE id = ?", [.init(now), .text(id)])
            try ModelRegistry.journal(
                "webhook.changed", "webhook/\(id)", ["changed": .array(changes.map { .string($0.0) })], by: principal,
                at: now, in: transaction)
            return try Self.webhook(id, in: transaction)
        }
    }

    /// Removes a webhook with what has not been sent to it, and journals it.
    /// - Throws: ``RegistryFailure/unknownWebhook(_:)``.
    public func delete(_ id: String, by principal: String) async throws {
        let now = time.now
        try await database.write { transaction in
            _ = try Self.webhook(id, in: transaction)
            try transaction.execute("DELETE FROM webhook_deliveries WHERE webhook = ?", [.text(id)])
            try transaction.execute("DELETE FROM webhooks WHERE id = ?", [.text(id)])
            try ModelRegistry.journal(
                "webhook.deleted", "webhook/\(id)", [:], by: principal, at: now, in: transaction)
        }
    }

    /// Deliveries, the newest first.
    /// - Parameter state: in this state; nil for any.
    public func deliveries(in state: WebhookDelivery.State? = nil, limit: Int = 100) async throws -> [WebhookDelivery] {
        try await database.read { transaction in
            try transaction.query(
                "SELECT * FROM webhook_deliveries \(state == nil ? "" : "WHERE state = ?") ORDER BY sequence DESC LIMIT ?",
                (state.map { [.text($0.rawValue)] } ?? []) + [.init(limit)]
            ).map(Self.delivery)
        }
    }

    /// Sends a delivery again that was given up, and journals it.
    /// - Throws: ``RegistryFailure/unknownDelivery(_:)`` where there is no such one, or it was not given up.
    public func retry(_ id: String, by principal: String) async throws {
        let now = time.now
        try await database.write { transaction in
            let count = try transaction.execute(
                "UPDATE webhook_deliveries SET state = 'waiting', attempts = 0, next = ? WHERE id = ? AND state = 'dead'",
                [.init(now), .text(id)])
            guard count == 1 else { throw RegistryFailure.unknownDelivery(id) }
            try ModelRegistry.journal(
                "webhook.retried", "webhook-delivery/\(id)", [:], by: principal, at: now, in: transaction)
        }
    }

    /// Makes deliveries of what the journal has that is new.
    /// - Returns: whether there may be more.
    public func collect() async throws -> Bool {
        let now = time.now
        let isIdle = try await database.read { transaction in
            try transaction.first("SELECT id FROM webhooks LIMIT 1") == nil
                || Journal.position(of: Self.consumer, in: transaction) >= Journal.end(in: transaction).sequence
        }
        if isIdle { return false }
        return try await database.write { transaction in
            let hooks = try transaction.query("SELECT * FROM webhooks WHERE active = 1").map { row in
                (hook: try Self.webhook(row), since: try row.integer("since"))
            }
            let entries = try Journal.consume(Self.consumer, limit: Self.batch, in: transaction)
            for entry in entries {
                guard let news = try WebhookNews(entry, in: transaction) else { continue }
                let body = try JSON.string(
                    [
                        "entity": .string(news.event.entity), "action": .string(news.event.action),
                        "timestamp": .string(entry.time.description), "data": news.data,
                    ] as JSONValue)
                for (hook, since) in hooks where entry.sequence > since && hook.events.contains(news.event) {
                    try transaction.execute(
                        "INSERT INTO webhook_deliveries VALUES (?, ?, ?, ?, ?, 'waiting', 0, ?, NULL, ?)",
                        [
                            .text(hook.id), .integer(entry.sequence), .text(Self.id(hook.id, entry.sequence)),
                            .text(news.event.description), .text(body), .init(now), .init(now),
                        ])
                }
            }
            return entries.count == Self.batch
        }
    }

    /// Takes deliveries that are due; nobody else gets them for a minute.
    public func claim(limit: Int) async throws -> [WebhookRequest] {
        let now = time.now
        let isIdle = try await database.read { transaction in
            try transaction.first(
                "SELECT id FROM webhook_deliveries WHERE state = 'waiting' AND next <= ? LIMIT 1", [.init(now)]) == nil
        }
        if isIdle { return [] }
        let hosts = registry.policy.webhookHosts
        return try await database.write { transaction in
            try transaction.query(
                """
                SELECT d.id, d.body, w.url, w.secret FROM webhook_deliveries AS d JOIN webhooks AS w ON w.id = d.webhook
                WHERE d.state = 'waiting' AND d.next <= ? AND w.active = 1 ORDER BY d.next, d.sequence LIMIT ?
                """, [.init(now), .init(limit)]
            ).compactMap { row in
                let id = try row.string("id")
                let taken = try transaction.execute(
                    "UPDATE webhook_deliveries SET next = ? WHERE id = ? AND next <= ?",
                    [.init(now.advanced(bySeconds: Self.claimSeconds)), .text(id), .init(now)])
                guard taken == 1 else { return nil }
                let url = try row.string("url")
                do { try Webhook.check(url: url, hosts: hosts) } catch {
                    try Self.fail(id, "\(error)", at: now, in: transaction)
                    return nil
                }
                return WebhookRequest(
                    id: id, url: url, body: Array(try row.string("body").utf8),
                    secret: try row.optionalString("secret").map { Secret($0) })
            }
        }
    }

    /// What became of an attempt.
    /// - Parameter error: nil where it was received.
    public func note(_ id: String, error: String?) async throws {
        let now = time.now
        try await database.write { transaction in
            if let error { return try Self.fail(id, error, at: now, in: transaction) }
            try transaction.execute(
                """
                UPDATE webhook_deliveries SET state = 'delivered', attempts = attempts + 1, next = NULL, error = NULL
                WHERE id = ?
                """, [.text(id)])
        }
    }

    /// A request that tells of nothing, to see whether an address answers.
    /// - Parameter event: nil for the first that the webhook asks for.
    public func example(for id: String, event: WebhookEvent?) async throws -> WebhookRequest {
        let now = time.now
        let trial = random.identifier()
        let hosts = registry.policy.webhookHosts
        return try await database.read { transaction in
            guard let row = try transaction.first("SELECT * FROM webhooks WHERE id = ?", [.text(id)]) else {
                throw RegistryFailure.unknownWebhook(id)
            }
            let hook = try Self.webhook(row)
            try Webhook.check(url: hook.url, hosts: hosts)
            guard let event = event ?? hook.events.first else { throw RegistryFailure.unknownWebhook(id) }
            let body: JSONValue = [
                "entity": .string(event.entity), "action": .string(event.action),
                "timestamp": .string(now.description),
                "data": ["name": "example_model", "version": "1", "description": "An example"],
            ]
            return WebhookRequest(
                id: Self.id(id, trial), url: hook.url, body: try JSON.canonical(body),
                secret: try row.optionalString("secret").map { Secret($0) })
        }
    }

    /// Sets the next attempt twice as far away as the last, or gives up.
    private static func fail(_ id: String, _ error: String, at now: Timestamp, in transaction: Transaction) throws {
        guard
            let row = try transaction.first("SELECT attempts FROM webhook_deliveries WHERE id = ?", [.text(id)])
        else { return }
        let attempts = try row.int("attempts") + 1
        let isDead = attempts >= attemptsMax
        let pause = min(Int64(1) << Int64(min(attempts - 1, 20)), pauseMax)
        try transaction.execute(
            "UPDATE webhook_deliveries SET state = ?, attempts = ?, next = ?, error = ? WHERE id = ?",
            [
                .text(isDead ? "dead" : "waiting"), .init(attempts),
                isDead ? .null : .init(now.advanced(bySeconds: pause)), .text(String(error.prefix(500))), .text(id),
            ])
    }

    /// In the form of a UUID, as receivers know it.
    private static func id(_ webhook: String, _ what: some CustomStringConvertible) -> String {
        var hex = Array(Digest(of: "\(webhook)/\(what)").hex.prefix(32))
        for place in [20, 16, 12, 8] { hex.insert("-", at: place) }
        return String(hex)
    }

    private static func text(_ events: [WebhookEvent]) throws -> String {
        guard !events.isEmpty else { throw RegistryFailure.invalid("Webhook events must be a non-empty list.") }
        return Set(events.map(\.description)).sorted().joined(separator: ",")
    }

    private static func webhook(_ id: String, in transaction: Transaction) throws -> Webhook {
        guard let row = try transaction.first("SELECT * FROM webhooks WHERE id = ?", [.text(id)]) else {
            throw RegistryFailure.unknownWebhook(id)
        }
        return try webhook(row)
    }

    private static func webhook(_ row: Row) throws -> Webhook {
        Webhook(
            id: try row.string("id"), name: try row.string("name"), description: try row.string("description"),
            url: try row.string("url"),
            events: try row.string("events").split(separator: ",").map { try WebhookEvent(String($0)) },
            isActive: try row.bool("active"), created: try row.timestamp("created"),
            updated: try row.timestamp("updated"))
    }

    private static func delivery(_ row: Row) throws -> WebhookDelivery {
        WebhookDelivery(
            id: try row.string("id"), webhook: try row.string("webhook"), sequence: try row.integer("sequence"),
            event: try row.string("event"), state: WebhookDelivery.State(rawValue: try row.string("state")) ?? .dead,
            attempts: try row.int("attempts"), next: try row.optionalTimestamp("next"),
            error: try row.optionalString("error"), created: try row.timestamp("created"))
    }
}
