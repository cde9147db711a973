import Basics
import Engines
import Journal
import SQL
import Sealing
import Telemetry
import TestSupport
import Testing

@testable import Registry

/// What waits to be sent to webhooks, and what is kept of it.
@Suite(.serialized) struct WebhookStoreTests {
    private struct Desk {
        let folder: TemporaryFolder
        let metrics = MetricsRegistry()
        let time = ManualTime(Timestamp(seconds: 100))
        let database: Database
        let registry: ModelRegistry
        let webhooks: WebhookStore

        init(_ engine: SQLEngine) async throws {
            folder = try TemporaryFolder()
            database = try await engine.database(in: folder, metrics: metrics)
            try await database.migrate(Journal.migrations + ModelRegistry.migrations)
            registry = ModelRegistry(database: database, time: time)
            webhooks = WebhookStore(
                database: database, registry: registry, time: time, random: SeededRandom(seed: 5),
                keyring: try Self.keyring("a"))
        }

        static func keyring(_ id: String) throws -> SealingKeyring {
            try SealingKeyring(try SealingKeyring.freshLine(id: id), origin: "a test")
        }

        func hook(_ name: String, url: String = "http://127.0.0.1/x", secret: String? = nil) async throws -> String {
            try await webhooks.create(
                name: name, description: "", url: url, events: [try WebhookEvent("registered_model.created")],
                secret: secret.map { Secret($0) }, isActive: true, by: "user:test"
            ).id
        }

        func models(_ names: String...) async throws {
            for name in names {
                _ = try await registry.createModel(named: name, description: "", tags: [], by: "user:test")
            }
            while try await webhooks.collect() {}
        }

        var writes: [String] {
            metrics.prometheusText().split(separator: "\n").map(String.init).filter {
                $0.hasPrefix("modelworks_sql_writes_total")
            }
        }
    }

    @Test(arguments: SQLEngine.allCases) func eachWebhookIsToldOneThingAtATime(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let (first, second) = (try await desk.hook("first"), try await desk.hook("second"))
        try await desk.models("a", "b")
        let taken = try await desk.webhooks.claim(limit: 16)
        #expect(Set(taken.map(\.webhook)) == [first, second] && taken.count == 2)
        // One of them is slow, and holds up only itself.
        for request in taken where request.webhook == second { try await desk.webhooks.note(request.id, error: nil) }
        let next = try await desk.webhooks.claim(limit: 15, besides: [first])
        #expect(next.map(\.webhook) == [second])
        #expect(!taken.map(\.id).contains(next.first?.id ?? ""))
        #expect(try await desk.webhooks.claim(limit: 0).isEmpty)
        await desk.database.close()
    }

    @Test func whatADisabledWebhookWaitsForCausesNoWrite() async throws {
        let desk = try await Desk(.sqlite)
        let id = try await desk.hook("off")
        try await desk.models("a")
        _ = try await desk.webhooks.update(
            id, name: nil, description: nil, url: nil, events: nil, secret: nil, isActive: false, by: "user:test")
        while try await desk.webhooks.collect() {}
        let before = desk.writes
        #expect(!before.isEmpty)
        #expect(try await desk.webhooks.claim(limit: 16).isEmpty)
        #expect(desk.writes == before)
        _ = try await desk.webhooks.update(
            id, name: nil, description: nil, url: nil, events: nil, secret: nil, isActive: true, by: "user:test")
        #expect(try await desk.webhooks.claim(limit: 16).count == 1)
        await desk.database.close()
    }

    @Test(arguments: SQLEngine.allCases) func whatWasDeliveredIsKeptAWeek(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        _ = try await desk.hook("a")
        try await desk.models("a", "b")
        for request in try await desk.webhooks.claim(limit: 1) { try await desk.webhooks.note(request.id, error: nil) }
        desk.time.advance(to: Timestamp(seconds: 100 + 7 * 86_400))
        try await desk.webhooks.sweep()
        #expect(try await desk.webhooks.deliveries().count == 2)
        desk.time.advance(to: Timestamp(seconds: 101 + 7 * 86_400))
        try await desk.webhooks.sweep()
        #expect(try await desk.webhooks.deliveries().map(\.state) == [.waiting])
        await desk.database.close()
    }

    @Test func secretsAreSealed() async throws {
        let desk = try await Desk(.sqlite)
        let ids = [try await desk.hook("a", secret: "hush"), try await desk.hook("b", secret: "hush")]
        func stored() async throws -> [String] {
            try await desk.database.read {
                try $0.query("SELECT secret FROM webhooks ORDER BY name", []).map { try $0.string("secret") }
            }
        }
        let before = try await stored()
        #expect(Set(before).count == 2 && !before.contains("hush"))
        #expect(try await desk.webhooks.example(for: ids[0], event: nil).secret?.revealed == "hush")
        _ = try await desk.webhooks.update(
            ids[1], name: nil, description: nil, url: nil, events: nil, secret: Secret("other"), isActive: nil,
            by: "user:test")
        #expect(try await !stored().contains("other"))
        try await desk.models("m")
        let taken = try await desk.webhooks.claim(limit: 1, besides: [ids[1]])
        #expect(taken.first?.webhook == ids[0] && taken.first?.secret?.revealed == "hush")
        // One webhook's secret is of no use to another, nor without its key; what can not be signed is not sent.
        try await desk.database.write {
            _ = try $0.execute("UPDATE webhooks SET secret = ? WHERE id = ?", [.text(before[0]), .text(ids[1])])
        }
        #expect(try await desk.webhooks.claim(limit: 16, besides: [ids[0]]).isEmpty)
        let refused = try await desk.webhooks.deliveries(in: .waiting).first { $0.webhook == ids[1] }
        #expect(
            refused?.attempts == 1 && refused?.error?.contains("secret of the webhook") == true, "\(refused as Any)")
        let stranger = WebhookStore(
            database: desk.database, registry: desk.registry, time: desk.time, random: SeededRandom(seed: 6),
            keyring: try Desk.keyring("b"))
        await #expect(throws: SealingFailure.self) { try await stranger.example(for: ids[0], event: nil) }
        await desk.database.close()
    }

    @Test func theJournalDoesNotTellWhatAnAddressKeepsSecret() async throws {
        let desk = try await Desk(.sqlite)
        let id = try await desk.hook("chat", url: "https://Hooks.acme.com:8443/services/T0AB?token=s3cret")
        let entry = try #require(try await Journal(desk.database).entries(type: "webhook.created").first)
        #expect(
            try entry.body() == [
                "name": "chat", "scheme": "https", "host": "hooks.acme.com",
                "path": .string(Digest(of: "/services/T0AB").description),
            ])
        #expect(try await desk.webhooks.webhook(id).url.contains("s3cret"))
        await desk.database.close()
    }

    /// As in a database of before secrets were sealed.
    @Test(arguments: SQLEngine.allCases) func plainSecretsAreSealedOnce(_ engine: SQLEngine) async throws {
        let desk = try await Desk(engine)
        let ids = [try await desk.hook("a"), try await desk.hook("b", secret: "kept"), try await desk.hook("c")]
        func stored(_ id: String) async throws -> String? {
            try await desk.database.read {
                try $0.first("SELECT secret FROM webhooks WHERE id = ?", [.text(id)])?.optionalString("secret")
            }
        }
        // One that could be Base64 too.
        try await desk.database.write {
            _ = try $0.execute("UPDATE webhooks SET secret = 'c2VjcmV0' WHERE id = ?", [.text(ids[0])])
        }
        let sealed = try await stored(ids[1])
        try await desk.webhooks.sealPlainSecrets()
        let text = try #require(try await stored(ids[0]))
        #expect(try desk.webhooks.seal.open(text, of: ids[0]).revealed == "c2VjcmV0")
        #expect(try await stored(ids[1]) == sealed)
        #expect(try await stored(ids[2]) == nil)
        try await desk.webhooks.sealPlainSecrets()
        #expect(try await stored(ids[0]) == text)
        let entries = try await desk.database.read { try Journal.entries(in: $0, limit: 10, type: "webhook.changed") }
        #expect(entries.map(\.subject) == ["webhook/\(ids[0])"])
        // Another's key is none of ours to judge by.
        let other = WebhookStore(
            database: desk.database, registry: desk.registry, time: desk.time, random: SeededRandom(seed: 6),
            keyring: try Desk.keyring("z"))
        try await other.sealPlainSecrets()
        #expect(try await stored(ids[0]) == text)
        await desk.database.close()
    }
}
