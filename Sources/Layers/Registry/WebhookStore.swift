import Basics
import Journal
import SQL
import Sealing

/// Webhooks, and what has yet to be sent to them.
///
/// The journal, which is written in the transaction of each change, is the list of what there is to tell: a consumer with a
/// durable cursor makes deliveries of it. Guarantees: each change is told to each webhook that was there before it and asks
/// for it, whatever crashes between; what is sent again has the same id.
public struct WebhookStore: Sendable {
    let database: Database
    let registry: ModelRegistry
    let time: any TimeSource
    let random: any RandomSource
    let seal: SecretSeal
    /// The name of the journal's cursor.
    static let consumer = "webhooks"

    /// - Parameters:
    ///   - time: the system's, which what is sent is dated by.
    ///   - keyring: what secrets are sealed with.
    public init(
        database: Database, registry: ModelRegistry, time: any TimeSource, random: any RandomSource,
        keyring: SealingKeyring
    ) {
        self.database = database
        self.registry = registry
        self.time = time
        self.random = random
        seal = SecretSeal(keyring: keyring)
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

    static let dueMigration = Migration(
        room: "registry", version: 5,
        sql: "CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook, state, next);")

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
        let sealed = try secret.map { try seal.close($0, of: id) }
        return try await database.write { transaction in
            let seen = try Journal.append(
                JournalDraft(
                    principal: principal, type: "webhook.created", subject: "webhook/\(id)",
                    body: .object(Webhook.journaled(url: url).merging(["name": .string(name)]) { $1 })),
                in: transaction, at: now
            ).sequence
            // Where there was none nobody read along.
            if try transaction.first("SELECT id FROM webhooks LIMIT 1") == nil {
                try Journal.move(Self.consumer, to: seen, in: transaction)
            }
            try transaction.execute(
                "INSERT INTO webhooks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    .text(id), .text(name), .text(description), .text(url), .text(events), .init(sealed),
                    .init(isActive), .integer(seen), .init(now), .init(now),
                ])
            return try Self.webhook(id, in: transaction)
        }
    }

    /// Seals secrets that a database of before they were sealed has as plain text, and journals it. To be called before
    /// anything is sent; where there are none it changes nothing.
    public func sealPlainSecrets() async throws {
        let (now, seal) = (time.now, seal)
        try await database.write { transaction in
            for row in try transaction.query("SELECT id, secret FROM webhooks WHERE secret IS NOT NULL ORDER BY id") {
                let (id, text) = (try row.string("id"), try row.string("secret"))
                guard !seal.isSealed(text) else { continue }
                try transaction.execute(
                    "UPDATE webhooks SET secret = ? WHERE id = ?",
                    [.text(try seal.close(Secret(text), of: id)), .text(id)])
                try ModelRegistry.journal(
                    "webhook.changed", "webhook/\(id)", ["changed": ["secret"], "sealed": true],
                    by: "system:webhooks", at: now, in: transaction)
            }
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
            ("events", .init(try events.map(Self.text))),
            ("secret", .init(try secret.map { try seal.close($0, of: id) })),
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

    private static func text(_ events: [WebhookEvent]) throws -> String {
        guard !events.isEmpty else { throw RegistryFailure.invalid("Webhook events must be a non-empty list.") }
        return Set(events.map(\.description)).sorted().joined(separator: ",")
    }

    static func webhook(_ id: String, in transaction: Transaction) throws -> Webhook {
        guard let row = try transaction.first("SELECT * FROM webhooks WHERE id = ?", [.text(id)]) else {
            throw RegistryFailure.unknownWebhook(id)
        }
        return try webhook(row)
    }

    static func webhook(_ row: Row) throws -> Webhook {
        Webhook(
            id: try row.string("id"), name: try row.string("name"), description: try row.string("description"),
            url: try row.string("url"),
            events: try row.string("events").split(separator: ",").map { try WebhookEvent(String($0)) },
            isActive: try row.bool("active"), created: try row.timestamp("created"),
            updated: try row.timestamp("updated"))
    }
}
