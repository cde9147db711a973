import Basics
import Journal
import SQL

/// What is told to webhooks: made from the journal, claimed by who sends it, and kept for a while.
extension WebhookStore {
    private static let batch = 500
    /// How long who sends it has it to itself, in seconds.
    private static let claimSeconds: Int64 = 60
    private static let attemptsMax = 12
    private static let pauseMax: Int64 = 3600
    /// How long what was delivered is listed, in seconds.
    private static let keptSeconds: Int64 = 7 * 86_400

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

    /// Takes of each webhook that is active the delivery that is due longest; nobody else gets it for a minute.
    /// - Parameters:
    ///   - limit: of webhooks; those that wait longest come first.
    ///   - busy: the ids of webhooks that are passed over.
    public func claim(limit: Int, besides busy: Set<String> = []) async throws -> [WebhookRequest] {
        let now = time.now
        let due = try await database.read { transaction in
            try transaction.query(
                """
                SELECT w.id, (SELECT MIN(d.next) FROM webhook_deliveries AS d WHERE d.webhook = w.id
                  AND d.state = 'waiting') AS due FROM webhooks AS w WHERE w.active = 1
                """, []
            ).compactMap { row -> (id: String, since: Timestamp)? in
                guard let since = try row.optionalTimestamp("due"), since <= now else { return nil }
                return (try row.string("id"), since)
            }
        }.filter { !busy.contains($0.id) }.sorted { $0.since < $1.since }.prefix(max(0, limit)).map { $0.id }
        if due.isEmpty { return [] }
        let hosts = registry.policy.webhookHosts
        return try await database.write { transaction in
            try due.compactMap { webhook in
                let row = try transaction.first(
                    """
                    SELECT d.id, d.body, w.url, w.secret FROM webhook_deliveries AS d
                    JOIN webhooks AS w ON w.id = d.webhook
                    WHERE d.webhook = ? AND d.state = 'waiting' AND d.next <= ? AND w.active = 1
                    ORDER BY d.next, d.sequence LIMIT 1
                    """, [.text(webhook), .init(now)])
                guard let row else { return nil }
                let id = try row.string("id")
                let taken = try transaction.execute(
                    "UPDATE webhook_deliveries SET next = ? WHERE id = ? AND next <= ?",
                    [.init(now.advanced(bySeconds: Self.claimSeconds)), .text(id), .init(now)])
                guard taken == 1 else { return nil }
                let url = try row.string("url")
                let sealed = try row.optionalString("secret")
                do {
                    try Webhook.check(url: url, hosts: hosts)
                    return WebhookRequest(
                        id: id, webhook: webhook, url: url, body: Array(try row.string("body").utf8),
                        secret: try sealed.map { try seal.open($0, of: webhook) })
                } catch let refusal as any Failure {
                    try Self.fail(id, refusal.message, at: now, in: transaction)
                    return nil
                }
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

    /// Removes what was delivered more than a week ago.
    public func sweep() async throws {
        let now = time.now
        try await database.write { transaction in
            _ = try transaction.execute(
                "DELETE FROM webhook_deliveries WHERE state = 'delivered' AND created < ?",
                [.init(now.advanced(bySeconds: -Self.keptSeconds))])
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
                id: Self.id(id, trial), webhook: id, url: hook.url, body: try JSON.canonical(body),
                secret: try row.optionalString("secret").map { try seal.open($0, of: id) })
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

    private static func delivery(_ row: Row) throws -> WebhookDelivery {
        WebhookDelivery(
            id: try row.string("id"), webhook: try row.string("webhook"), sequence: try row.integer("sequence"),
            event: try row.string("event"), state: WebhookDelivery.State(rawValue: try row.string("state")) ?? .dead,
            attempts: try row.int("attempts"), next: try row.optionalTimestamp("next"),
            error: try row.optionalString("error"), created: try row.timestamp("created"))
    }
}
