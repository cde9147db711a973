import Basics
import Engines
import Foundation
import SQL
import TestSupport
import Testing

/// A server whose disk is full.
@Suite struct PostgresDiskTests {
    @Test(.enabled(if: SmallDisk.isPermitted, "mounting a tmpfs is not permitted"))
    func aFullDiskIsNamedAndLeavesTheDatabaseUsable() async throws {
        let server = try await SharedPostgres.only.server()
        let disk = try SmallDisk(kilobytes: 24 << 10)
        let name = "disk\(UUID().uuidString.prefix(8).lowercased())"
        let place = "\(disk.path)/\(name)"
        try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
        try Self.giveToServer(disk.path)
        try server.query("CREATE TABLESPACE \(name) LOCATION '\(place)'")
        try server.query("CREATE DATABASE \(name) TABLESPACE \(name)")
        defer {
            _ = try? server.query("DROP DATABASE \(name) WITH (FORCE)")
            _ = try? server.query("DROP TABLESPACE \(name)")
            withExtendedLifetime(disk) {}
        }
        let database = try await Database.open(try server.url(schema: "works", database: name))
        try await database.write {
            try $0.script(
                "CREATE TABLE items (id INTEGER PRIMARY KEY, body BLOB NOT NULL); CREATE TABLE room (n INTEGER)")
        }
        var acknowledged: [Int64] = []
        var failure: SQLFailure?
        // Random bytes, for the server stores others more tightly.
        let random = SeededRandom(seed: 5)
        for id in 0..<Int64(1000) where failure == nil {
            let body = (0..<16_384).flatMap { _ in withUnsafeBytes(of: random.next()) { Array($0) } }
            do {
                try await database.write {
                    try $0.execute("INSERT INTO items (id, body) VALUES (?, ?)", [.integer(id), .blob(body)])
                }
                acknowledged.append(id)
            } catch let error as SQLFailure { failure = error }
        }
        guard case .diskFull? = failure else {
            Issue.record("\(acknowledged.count) rows, then \(String(describing: failure))")
            return
        }
        let found = try await database.read {
            try $0.query("SELECT id FROM items ORDER BY id").map { try $0.integer("id") }
        }
        #expect(found == acknowledged)
        #expect(!acknowledged.isEmpty)
        try await database.write { try $0.execute("DROP TABLE items") }
        try await database.write { try $0.execute("INSERT INTO room (n) VALUES (1)") }
        await database.close()
    }

    private static func giveToServer(_ path: String) throws {
        guard getuid() == 0 else { return }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["chown", "-R", "postgres:postgres", path]
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw EngineUnavailable("'\(path)' can not be given to postgres") }
    }
}
