import Basics
import Foundation
import SQL
import TestSupport
import Testing

/// What only a database in a file can do.
@Suite struct SQLiteFileTests {
    private func open(_ folder: TemporaryFolder) async throws -> Database {
        let database = try await Database.open(at: folder("works.db"))
        try await database.write { try $0.script("CREATE TABLE items (id INTEGER PRIMARY KEY, value BLOB)") }
        return database
    }

    @Test func otherFilesAndFoldersAreRefused() async throws {
        let folder = try TemporaryFolder()
        await #expect { _ = try await Database.open(at: folder("none/works.db")) } throws: {
            ($0 as? SQLFailure)?.code == .failedPrecondition
        }
        try Data(repeating: 65, count: 8192).write(to: URL(fileURLWithPath: folder("text.db")))
        await #expect { _ = try await Database.open(at: folder("text.db")) } throws: {
            ($0 as? SQLFailure)?.code == .dataLoss
        }
    }

    @Test func anotherHolderOfTheLockIsNamed() async throws {
        let folder = try TemporaryFolder()
        let first = try await open(folder)
        let held = DispatchSemaphore(value: 0)
        let release = DispatchSemaphore(value: 0)
        async let holding: Void = first.write { _ in
            held.signal()
            release.wait()
        }
        await Task.detached { wait(held) }.value
        await #expect(throws: SQLFailure.locked(path: folder("works.db"))) {
            _ = try await Database.open(at: folder("works.db"), busyMilliseconds: 10)
        }
        release.signal()
        try await holding
    }

    @Test(.enabled(if: SmallDisk.isPermitted, "mounting a tmpfs is not permitted"))
    func aFullDiskIsNamedAndLeavesTheDatabaseUsable() async throws {
        let disk = try SmallDisk(kilobytes: 1024)
        let database = try await Database.open(at: "\(disk.path)/works.db")
        try await database.write { try $0.script("CREATE TABLE items (id INTEGER PRIMARY KEY, value BLOB)") }
        try await database.write { try $0.execute("INSERT INTO items (id, value) VALUES (1, x'01')") }
        await #expect(throws: SQLFailure.diskFull(path: "\(disk.path)/works.db")) {
            try await database.write {
                try $0.execute("INSERT INTO items (value) VALUES (?)", [.blob([UInt8](repeating: 7, count: 2 << 20))])
            }
        }
        try await database.write { try $0.execute("INSERT INTO items (id, value) VALUES (2, x'02')") }
        #expect(try await count(database) == 2)
    }
}

/// Outside an asynchronous context, where waiting is allowed.
private func wait(_ semaphore: DispatchSemaphore) { semaphore.wait() }
