import Basics
import Foundation
import Sealing
import Synchronization
import TestSupport
import Testing

@testable import Journal

/// A store of named documents in memory whose versions count up.
final class DocumentShelf: Sendable {
    private let documents = Mutex<[String: (bytes: [UInt8], version: Int)]>([:])
    /// Runs once, before the next write.
    let interruption = Mutex<(@Sendable () async throws -> Void)?>(nil)

    func get(_ name: String) -> DocumentAnchor.Document? {
        documents.withLock { $0[name].map { .init(bytes: $0.bytes, version: "\($0.version)") } }
    }

    func put(_ name: String, _ bytes: [UInt8], _ replacing: String?) async throws -> Bool {
        let interruption = interruption.withLock { body in
            defer { body = nil }
            return body
        }
        try await interruption?()
        return documents.withLock { documents in
            guard documents[name].map({ "\($0.version)" }) == replacing else { return false }
            documents[name] = (bytes, (documents[name]?.version ?? 0) + 1)
            return true
        }
    }

    func anchor() -> DocumentAnchor {
        DocumentAnchor(name: "journal/checkpoint.json", place: "memory", get: { self.get($0) }) {
            try await self.put($0, $1, $2)
        }
    }
}

enum AnchorKind: String, CaseIterable, Sendable { case file, documents }

@Suite struct AnchorTests {
    private func anchor(_ kind: AnchorKind, in folder: TemporaryFolder) -> any JournalAnchor {
        switch kind {
        case .file: FileAnchor(path: folder("elsewhere/journal.jsonl"))
        case .documents: DocumentShelf().anchor()
        }
    }

    private func checkpoint(_ sequence: Int64, _ word: String = "") throws -> Checkpoint {
        Checkpoint(
            sequence: sequence, hash: Digest(of: "entry \(sequence)\(word)"), time: Timestamp(seconds: sequence),
            signedBy: try signer())
    }

    @Test(arguments: AnchorKind.allCases) func anAnchorRemembersTheLatestAndNeverGoesBack(kind: AnchorKind) async throws
    {
        let folder = try TemporaryFolder()
        let anchor = anchor(kind, in: folder)
        #expect(try await anchor.latest() == nil)
        #expect(try await anchor.history().isEmpty)
        for sequence in [3, 5, 900] as [Int64] {
            try await anchor.store(try checkpoint(sequence))
            try await anchor.store(try checkpoint(sequence))
            #expect(try await anchor.latest() == (try checkpoint(sequence)))
        }
        let place = anchor.place
        await #expect(throws: JournalFailure.anchorAhead(place: place, anchored: 900, offered: 899)) {
            try await anchor.store(try checkpoint(899))
        }
        await #expect(throws: JournalFailure.forked(sequence: 900, place: place)) {
            try await anchor.store(try checkpoint(900, "other"))
        }
        #expect(try await anchor.latest() == (try checkpoint(900)))
        #expect(try await anchor.history().last?.sequence == 900)
    }

    @Test(arguments: AnchorKind.allCases) func manyAtOnceEndAtTheHighest(kind: AnchorKind) async throws {
        let folder = try TemporaryFolder()
        let anchor = anchor(kind, in: folder)
        await withTaskGroup(of: Void.self) { group in
            for sequence in 1...8 as ClosedRange<Int64> {
                group.addTask { try? await anchor.store(try checkpoint(sequence)) }
            }
        }
        #expect(try await anchor.latest()?.sequence == 8)
        let known = try await anchor.history().map(\.sequence)
        #expect(known == known.sorted())
    }

    @Test func aFileKeepsEveryCheckpointAndIsReadAgain() async throws {
        let folder = try TemporaryFolder()
        let path = folder("a/b/journal.jsonl")
        for sequence in 1...500 as ClosedRange<Int64> {
            try await FileAnchor(path: path).store(try checkpoint(sequence))
        }
        #expect(try await FileAnchor(path: path).latest()?.sequence == 500)
        #expect(try await FileAnchor(path: path).history().map(\.sequence) == Array(1...500))
    }

    @Test func aLineCutShortByACrashIsPassedOverWhereverItWasCut() async throws {
        let folder = try TemporaryFolder()
        let path = folder("journal.jsonl")
        try await FileAnchor(path: path).store(try checkpoint(1))
        let first = try #require(FileManager.default.contents(atPath: path))
        try await FileAnchor(path: path).store(try checkpoint(2))
        let both = try #require(FileManager.default.contents(atPath: path))
        for count in first.count..<both.count {
            try both.prefix(count).write(to: URL(fileURLWithPath: path))
            // Without its line end, the last line is whole already.
            let known: Int64 = count == both.count - 1 ? 2 : 1
            #expect(try await FileAnchor(path: path).latest()?.sequence == known, "cut to \(count) bytes")
            try await FileAnchor(path: path).store(try checkpoint(3))
            #expect(try await FileAnchor(path: path).history().map(\.sequence) == (known == 2 ? [1, 2, 3] : [1, 3]))
        }
    }

    @Test func aDamagedLineIsToldNotPassedOver() async throws {
        let folder = try TemporaryFolder()
        let path = folder("journal.jsonl")
        try await FileAnchor(path: path).store(try checkpoint(1))
        try Data("{\"sequence\":2}\n".utf8).append(to: path)
        await #expect(throws: JournalFailure.self) { try await FileAnchor(path: path).latest() }
        await #expect(throws: JournalFailure.self) { try await FileAnchor(path: path).store(try checkpoint(3)) }
    }

    @Test func aFileThatCanNotBeMadeIsNamed() async throws {
        let folder = try TemporaryFolder()
        try folder.write("no folder", to: "file")
        let anchor = FileAnchor(path: folder("file/journal.jsonl"))
        await #expect(throws: JournalFailure.anchor(place: anchor.place, reason: "Not a directory")) {
            try await anchor.store(try checkpoint(1))
        }
    }

    @Test func aDocumentThatAnotherReplacedMeanwhileIsReadAgain() async throws {
        let shelf = DocumentShelf()
        let (ours, theirs) = (shelf.anchor(), shelf.anchor())
        try await ours.store(try checkpoint(1))
        shelf.interruption.withLock { $0 = { try await theirs.store(try checkpoint(9)) } }
        await #expect(throws: JournalFailure.anchorAhead(place: ours.place, anchored: 9, offered: 5)) {
            try await ours.store(try checkpoint(5))
        }
        #expect(try await ours.latest()?.sequence == 9)
        shelf.interruption.withLock { $0 = { try await theirs.store(try checkpoint(10)) } }
        try await ours.store(try checkpoint(11))
        #expect(try await ours.latest()?.sequence == 11)
    }

    @Test func aStoreThatFailsIsTold() async throws {
        let anchor = DocumentAnchor(name: "n", place: "a bucket", get: { _ in throw Refused() }) { _, _, _ in true }
        await #expect(throws: JournalFailure.self) { try await anchor.latest() }
        await #expect(throws: JournalFailure.self) { try await anchor.store(try checkpoint(1)) }
    }
}

extension Data {
    fileprivate func append(to path: String) throws {
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try file.seekToEnd()
        try file.write(contentsOf: self)
        try file.close()
    }
}
