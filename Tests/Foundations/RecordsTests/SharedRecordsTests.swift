import Basics
import Engines
import Foundation
import ObjectStorage
import SQL
import TestSupport
import Testing

@testable import Records

@Suite struct SharedRecordsTests {
    /// What several processes share, and roots of their own.
    private struct Site {
        let folder: TemporaryFolder
        let database: Database
        let objects: FileObjectStore

        init(_ engine: SQLEngine) async throws {
            folder = try TemporaryFolder()
            database = try await engine.database(in: folder)
            _ = try await database.migrate(RecordChannels.migrations)
            objects = try FileObjectStore(root: folder("objects"))
        }

        func process(_ name: String) throws -> RecordChannels {
            try RecordChannels(
                sharedBy: database, objects: objects, spoolsIn: folder(name), random: SystemRandom())
        }
    }

    private func append(_ text: String, to channel: any RecordChannel) throws {
        try Array(text.utf8).withUnsafeBytes { try channel.append($0) }
    }

    private func texts(_ channel: any RecordChannel, from position: RecordPosition = .start) async throws -> [String] {
        var texts: [String] = []
        try await channel.reader(from: position).read { texts.append(String(decoding: $0.bytes, as: UTF8.self)) }
        return texts
    }

    @Test(arguments: SQLEngine.allCases) func eachProcessReadsWhatAllHaveAppended(_ engine: SQLEngine) async throws {
        let site = try await Site(engine)
        let first = try site.process("first").channel("predictions", "delay")
        let second = try site.process("second").channel("predictions", "delay")
        let other = try site.process("first").channel("labels", "delay")
        for number in 0..<50 {
            try append("a\(number)", to: first)
            try append("b\(number)", to: second)
        }
        try append("label", to: other)
        await second.close()
        let seen = try await texts(first)
        #expect(seen.filter { $0.hasPrefix("a") } == (0..<50).map { "a\($0)" })
        #expect(seen.filter { $0.hasPrefix("b") } == (0..<50).map { "b\($0)" })
        #expect(try await texts(other) == ["label"])
    }

    @Test func positionsHoldAcrossProcessesAndBatches() async throws {
        let site = try await Site(.sqlite)
        let first = try site.process("first").channel("predictions", "delay")
        var positions: [RecordPosition] = []
        for number in 0..<10 {
            try append("r\(number)", to: first)
            if number % 3 == 0 { _ = try await texts(first) }
        }
        try await first.reader(from: .start).read { positions.append($0.position) }
        let second = try site.process("second").channel("predictions", "delay")
        for (index, position) in positions.enumerated() {
            #expect(try await texts(second, from: position) == (index..<10).map { "r\($0)" })
        }
    }

    /// A process that dies between archiving a batch and forgetting it sends the batch again; so does one that another
    /// overtook.
    @Test(arguments: SQLEngine.allCases) func aBatchSentAgainCountsOnce(_ engine: SQLEngine) async throws {
        let site = try await Site(engine)
        let archive = RecordArchive(database: site.database, objects: site.objects)
        var batch = RecordArchive.Batch(source: "spool", from: 0, to: 30)
        try Array("once".utf8).withUnsafeBytes { try RecordFile.append($0, to: &batch.bytes) }
        batch.records = 1
        let sent = batch
        let outcomes = try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<8 { group.addTask { try await archive.append(sent, to: "predictions/delay") } }
            return try await group.reduce(into: [Bool]()) { $0.append($1) }
        }
        #expect(outcomes.count { $0 } == 1)
        #expect(try await archive.positions(of: "predictions/delay") == ["spool": 30])
        let reader = try site.process("reader").channel("predictions", "delay")
        #expect(try await texts(reader) == ["once"])
    }

    @Test func aProcessThatComesBackGoesOnWhereItsSpoolWas() async throws {
        let site = try await Site(.sqlite)
        do {
            let channel = try site.process("first").channel("predictions", "delay")
            try append("before", to: channel)
            #expect(try await texts(channel) == ["before"])
            try append("spooled", to: channel)
        }
        // The thread that read last lets go of the spool a moment later.
        var back: (any RecordChannel)?
        let deadline = ContinuousClock.now + .seconds(30)
        while back == nil, ContinuousClock.now < deadline {
            back = try? site.process("first").channel("predictions", "delay")
            await Task.yield()
        }
        let channel = try #require(back)
        try append("after", to: channel)
        #expect(try await texts(channel) == ["before", "spooled", "after"])
    }

    /// More than one batch holds, in records that do not divide a batch.
    @Test func moreThanABatchArrivesWhole() async throws {
        let site = try await Site(.sqlite)
        let channel = try site.process("first").channel("predictions", "delay")
        let texts = (0..<900).map { "\($0)-" + String(repeating: "x", count: 3001) }
        for text in texts { try append(text, to: channel) }
        #expect(try await self.texts(channel) == texts)
    }
}
