import Basics
import Engines
import ObjectStorage
import TestSupport
import Testing

/// What every store of documents does.
@Suite struct DocumentStoreContractTests {
    static let engines: [ObjectEngine] = [.file, .s3]

    @Test(arguments: engines)
    func documentsAreReplacedOnlyByWhoKnowsThem(_ engine: ObjectEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.documents(in: folder)
        #expect(try await store.get("journal/anchor.json") == nil)
        await #expect(throws: StorageFailure.conflict(document: "journal/anchor.json")) {
            try await store.put("journal/anchor.json", [1], when: .matches("\"00\""))
        }
        let first = try await store.put("journal/anchor.json", [1], when: .absent)
        #expect(try await store.get("journal/anchor.json")?.bytes == [1])
        #expect(try await store.get("journal/anchor.json")?.tag == first)
        await #expect(throws: StorageFailure.conflict(document: "journal/anchor.json")) {
            try await store.put("journal/anchor.json", [2], when: .absent)
        }
        let second = try await store.put("journal/anchor.json", [2], when: .matches(first))
        #expect(second != first)
        await #expect(throws: StorageFailure.conflict(document: "journal/anchor.json")) {
            try await store.put("journal/anchor.json", [3], when: .matches(first))
        }
        #expect(try await store.get("journal/anchor.json")?.bytes == [2])
        let third = try await store.put("journal/anchor.json", [], when: .always)
        #expect(try await store.get("journal/anchor.json")?.bytes == [])
        #expect(try await store.get("journal/anchor.json")?.tag == third)
    }

    @Test(arguments: engines)
    func namesAndSizesAreBounded(_ engine: ObjectEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.documents(in: folder)
        for name in ["", "/a", "a/", "a//b", "..", "a/../b", ".lock", "a b", "ä", String(repeating: "a", count: 201)] {
            await #expect(throws: StorageFailure.documentName(name)) { try await store.get(name) }
            await #expect(throws: StorageFailure.documentName(name)) { try await store.put(name, [], when: .always) }
        }
        await #expect(throws: StorageFailure.recordTooLarge(bytes: 1 << 20 | 1, limit: 1 << 20)) {
            try await store.put("long", [UInt8](repeating: 0, count: 1 << 20 | 1), when: .always)
        }
        _ = try await store.put("long", [UInt8](repeating: 0, count: 1 << 20), when: .always)
        #expect(try await store.get("long")?.bytes.count == 1 << 20)
    }

    /// A counter that many raise at once, each only from the value it saw: no raise may be lost.
    @Test(arguments: engines)
    func noWriteIsLostBetweenReaders(_ engine: ObjectEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.documents(in: folder)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var raised = 0
                    while raised < 5 {
                        let found = try await store.get("counter")
                        let value = found?.bytes.first ?? 0
                        do {
                            _ = try await store.put(
                                "counter", [value + 1], when: found.map { .matches($0.tag) } ?? .absent)
                            raised += 1
                        } catch StorageFailure.conflict {}
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try await store.get("counter")?.bytes == [40])
    }

    @Test(arguments: engines)
    func aCheckTells(_ engine: ObjectEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.documents(in: folder)
        #expect(try await store.check().replacesConditionally)
        await store.close()
        await #expect { try await store.get("a") } throws: { error in
            if case StorageFailure.closed = error { true } else { false }
        }
    }
}
