import Basics
import Engines
import Foundation
import SQL
import TestSupport
import Testing

/// What opening and `check` say about stores that can not be used: which store, what is wrong, what to do.
@Suite struct OpeningTests {
    private func refusal(_ url: StoreURL) async throws -> SQLFailure {
        let start = SystemTime.monotonicNanoseconds
        defer { #expect(SystemTime.monotonicNanoseconds - start < 4_000_000_000) }
        do {
            let database = try await Database.open(url)
            await database.close()
        } catch let failure as SQLFailure {
            #expect(failure.message.contains(url.description))
            #expect(failure.remedy != nil)
            #expect(!failure.description.contains("only for tests"))
            return failure
        }
        throw EngineUnavailable("\(url) was opened")
    }

    @Test func addressesThatCanNotBeAreRefused() async throws {
        let none = SecretSource(environment: [:])
        for text in [
            "mysql://a@b/c", "postgresql://a@b", "postgresql://a@b/c/d", "postgresql://a@b/c?schema=A",
            "postgresql://a@b/c?schema=pg_x", "postgresql://a@b/c?pool=0", "postgresql://a@b/c?options=-c",
            "postgresql://a@b/c?connect_timeout=x", "sqlite://host/x", "sqlite:x.db?schema=a",
        ] {
            let url = try StoreURL(text, secrets: none)
            await #expect(throws: StoreURLFailure.self, "\(text)") { _ = try await Database.open(url) }
        }
    }

    @Test func aWrongPasswordIsNamed() async throws {
        let server = try await SharedPostgres.only.server()
        guard case .signInRefused = try await refusal(server.url(schema: "a", password: "wrong")) else {
            throw EngineUnavailable("another failure")
        }
        guard case .signInRefused = try await refusal(server.url(schema: "a", user: "nobody")) else {
            throw EngineUnavailable("another failure")
        }
    }

    @Test func anUnknownDatabaseIsNamed() async throws {
        let url = try await SharedPostgres.only.server().url(schema: "a", database: "nowhere")
        #expect(try await refusal(url) == .unknownDatabase(path: url.description, name: "nowhere"))
    }

    @Test func anUnreachableServerIsNamedInTime() async throws {
        let none = SecretSource(environment: [:])
        let closed = try StoreURL("postgresql://a@127.0.0.1:\(try freePort())/works", secrets: none)
        guard case .unavailable = try await refusal(closed) else { throw EngineUnavailable("another failure") }
        // One that takes connections and says nothing.
        let silent = try SilentServer()
        let url = try StoreURL("postgresql://a@127.0.0.1:\(silent.port)/works?connect_timeout=1", secrets: none)
        let failure = try await refusal(url)
        #expect(failure == .unavailable(path: url.description, reason: "no connection came about within 1 s"))
        #expect(failure.code == .unavailable)
    }

    @Test func missingRightsAreNamed() async throws {
        let server = try await SharedPostgres.only.server()
        guard case .missingRights = try await refusal(server.url(schema: "of_guest", user: "guest")) else {
            throw EngineUnavailable("another failure")
        }
        try server.query("CREATE SCHEMA looked_at; GRANT USAGE ON SCHEMA looked_at TO guest")
        guard case .missingRights = try await refusal(server.url(schema: "looked_at", user: "guest")) else {
            throw EngineUnavailable("another failure")
        }
        try server.query("GRANT CREATE ON SCHEMA looked_at TO guest")
        let database = try await Database.open(server.url(schema: "looked_at", user: "guest"))
        _ = try await database.check()
        await database.close()
    }

    @Test func tlsIsUsedAndItsRefusalNamed() async throws {
        let server = try await SharedPostgres.only.server()
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        func url(_ settings: String...) throws -> StoreURL {
            try server.url(schema: "tls", user: "works", settings: settings)
        }
        let root = "sslrootcert=\(server.folder)/server.crt"
        let database = try await Database.open(try url("sslmode=verify-full", root))
        let encrypted = try await database.read {
            try $0.first("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")?.bool("ssl")
        }
        #expect(encrypted == true)
        await database.close()
        let other = try folder.write(
            try String(contentsOfFile: "\(server.folder)/server.crt", encoding: .utf8), to: "c")
        try Data("-----BEGIN CERTIFICATE-----\n".utf8).write(to: URL(fileURLWithPath: other))
        for wrong in ["sslrootcert=\(other)", "sslrootcert=/nowhere/ca.pem"] {
            guard case .encryptionRefused = try await refusal(try url("sslmode=verify-full", wrong)) else {
                throw EngineUnavailable("another failure")
            }
        }
        let plain = try server.url(schema: "tls", user: "sealed")
        guard case .signInRefused = try await refusal(plain) else { throw EngineUnavailable("another failure") }
    }

    @Test func aDamagedPageIsFound() async throws {
        let folder = try TemporaryFolder()
        defer { withExtendedLifetime(folder) {} }
        let database = try await SQLEngine.sqlite.database(in: folder)
        try await database.write { transaction in
            try transaction.execute("CREATE TABLE items (id INTEGER PRIMARY KEY, text TEXT)")
            for index in 0..<2000 {
                try transaction.execute(
                    "INSERT INTO items (id, text) VALUES (?, ?)", [.init(index), .text("\(index) and some more text")])
            }
        }
        await database.close()
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: folder("works.db")))
        try file.seek(toOffset: 5 * 4096)
        try file.write(contentsOf: Data(repeating: 0xA5, count: 4096))
        try file.close()
        let damaged = try await SQLEngine.sqlite.database(in: folder)
        await #expect {
            _ = try await damaged.check()
        } throws: {
            guard case .corrupt(folder("works.db"), _)? = $0 as? SQLFailure else { return false }
            return true
        }
    }

    @Test func aServerThatForgetsIsWarnedOf() async throws {
        let server = try PostgresServer()
        defer { server.remove() }
        try server.query("ALTER SYSTEM SET fsync = off")
        try server.query("ALTER ROLE works SET synchronous_commit = off")
        try server.stop()
        try server.start()
        let database = try await Database.open(try server.url(schema: "a"))
        #expect(try await database.check().warnings.count == 1)
        let durable = try await database.write {
            try $0.first("SELECT current_setting('synchronous_commit') AS s")?.string("s")
        }
        #expect(durable == "on")
        guard case .encryptionRefused = try await refusal(server.url(schema: "a", settings: ["sslmode=require"])) else {
            throw EngineUnavailable("another failure")
        }
        await database.close()
    }
}

/// Listens and never answers.
private final class SilentServer: Sendable {
    let port: Int
    private let descriptor: Int32

    init() throws {
        port = try freePort()
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, size) }
        }
        guard status == 0, listen(descriptor, 5) == 0 else { throw EngineUnavailable("no silent server") }
    }

    deinit { close(descriptor) }
}
