import Basics
import Configuration
import Foundation
import TestSupport
import Testing

@testable import Works

@Suite struct StoreAddressTests {
    private typealias Store = StoreAddresses.Store

    @Test func whatIsNotSaidIsEmbeddedUnderTheRoot() throws {
        let urls = try StoreAddresses().resolved(root: "/srv/works", environment: [:])
        #expect(
            urls.mapValues(\.description) == [
                .sql: "sqlite:///srv/works/works.db", .objects: "file:///srv/works/objects",
                .online: "lmdb:///srv/works/online?durable=false", .streams: "log:///srv/works/streams",
                .jobs: "local:", .offline: "duckdb:",
            ])
    }

    @Test func aManifestNamesStoresAndTheEnvironmentFillsIn() throws {
        let addresses = try StoreAddresses(
            manifest: """
                name: flights
                stores:
                  sql: postgresql://works:${PG_PASSWORD}@${PG_HOST:-localhost}/factory
                  online: redis://cache.internal:6379/2?password_env=REDIS_PASSWORD
                """)
        #expect(addresses.sql == "postgresql://works:${PG_PASSWORD}@${PG_HOST:-localhost}/factory")
        let urls = try addresses.resolved(
            root: "/r", environment: ["PG_PASSWORD": "hush", "REDIS_PASSWORD": "quiet"])
        let sql = try #require(urls[.sql])
        #expect(sql.host == "localhost" && sql.user == "works" && sql.path == "/factory")
        #expect(sql.secret("password")?.revealed == "hush")
        #expect(urls[.online]?.secret("password")?.revealed == "quiet")
        #expect(!"\(urls)".contains("hush") && !"\(urls)".contains("quiet"))
        let failure = #expect(throws: WorksFailure.self) {
            try addresses.resolved(root: "/r", environment: ["PG_PASSWORD": "hush"])
        }
        #expect(failure?.message.contains("the 'online' store can not be used") == true)
        #expect(failure?.message.contains("REDIS_PASSWORD") == true)
    }

    @Test func aPasswordInAFileIsRefused() throws {
        let failure = #expect(throws: ConfigurationFailure.self) {
            try StoreAddresses(manifest: "name: a\nstores:\n  sql: postgresql://works:hush@db/factory\n")
        }
        #expect(failure?.description.contains("works.yaml:3") == true)
        #expect(failure?.description.contains("hush") == false)
    }

    @Test func anUnknownStoreIsNamedWithTheNearest() throws {
        let failure = #expect(throws: ConfigurationFailure.self) {
            try StoreAddresses(manifest: "name: a\nstores:\n  object: file:x\n")
        }
        #expect(failure?.description.contains("did you mean 'objects'") == true)
    }

    @Test func aRootRemembersItsStoresAndTheEnvironmentComesFirst() async throws {
        let folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: folder("root"), withIntermediateDirectories: true)
        var addresses = StoreAddresses()
        addresses.objects = "file:elsewhere"
        try RememberedStores.write(addresses, root: folder("root"))
        #expect(try RememberedStores.read(root: folder("root")) == addresses)
        let works = try await Works.open(WorksOptions(root: folder("root"), environment: [:]))
        await works.close()
        #expect(FileManager.default.fileExists(atPath: folder("root/elsewhere")))
        let named = StoreAddresses(environment: ["MODELWORKS_OBJECTS": "file:/other", "MODELWORKS_SQL": ""])
        #expect(named.over(addresses).objects == "file:/other" && named.over(addresses).sql == nil)
    }

    @Test(arguments: [
        ("postgresql://u:p%40ss@h:1/d?sslmode=require", "postgresql://u@h:1/d?sslmode=require"),
        ("redis://[::1]:6379/2", "redis://[::1]:6379/2"),
        (
            "s3://bucket/prefix?region=eu-west-1&endpoint=http://127.0.0.1:9",
            "s3://bucket/prefix?endpoint=http://127.0.0.1:9&region=eu-west-1"
        ),
        ("local:?slots=2", "local:?slots=2"),
    ]) func addressesAreToldWithoutSecrets(_ text: String, _ told: String) throws {
        #expect(try StoreURL(text, secrets: SecretSource(environment: [:])).description == told)
    }

    @Test(arguments: ["", "no scheme", "postgresql://a b/c", "s3://b?x=1&x=2", "://x"])
    func whatIsNoAddressIsRefused(_ text: String) {
        #expect(throws: StoreURLFailure.self) { try StoreURL(text, secrets: SecretSource(environment: [:])) }
    }
}
