import Basics
import Datasets
import Foundation
import Journal
import ObjectStorage
import SQL
import TestSupport
import Testing

@Suite struct VersionTests {
    private let lines = """
        path: s.csv
        nulls: [NA]
        columns: {id: integer, shop: string, at: timestamp, amount: double}
        key: [id]
        expectations:
          - {name: amount_known, severity: quarantine, not_null: [amount]}
        """
    private let first = "id,shop,at,amount\n1,a,2020-01-01,5\n2,b,2020-01-02,7\n3,c,2020-01-03,NA\n4,d,2020-01-05,1\n"
    private let second = "id,shop,at,amount\n4,d,2020-01-05,1\n1,a,2020-01-01,6\n5,e,2020-01-06,NA\n6,f,2020-01-07,2\n"

    @Test func aVersionTellsWhereItComesFromAndWhatCameBefore() async throws {
        let small = try await SmallDatasets()
        try small.folder.write(first, to: "data/s.csv")
        let one = try await small.ingest(lines)
        #expect(one.number == 1)
        #expect((one.rows, one.quarantined) == (3, 1))
        #expect(one.range?.to == Timestamp("2020-01-05"))
        #expect(one.schema.map(\.name) == ["id", "shop", "at", "amount"])
        #expect(
            one.lineage.files.map { "\($0.path) \($0.bytes) \($0.digest?.hex ?? "")" } == [
                "s.csv \(first.utf8.count) \(Digest(of: first).hex)"
            ])
        #expect(one.source == Digest(of: first))
        #expect(one.lineage.parent == nil)
        try small.folder.write(second, to: "data/s.csv")
        let two = try await small.ingest(lines)
        #expect((two.number, two.lineage.parent) == (2, one.digest))
        // The rows of the first again, in another file: its content is that of version 1, and it is a version of its own.
        try small.folder.write(first.replacingOccurrences(of: "\n", with: "\r\n"), to: "data/s.csv")
        let three = try await small.ingest(lines)
        #expect((three.number, three.digest) == (3, one.digest))
        try small.folder.write(first, to: "data/s.csv")
        #expect(try await small.ingest(lines) == three, "the same rows in another file are no new version")
        #expect(try await small.store.versions(of: "sales").map(\.number) == [3, 2, 1])
        #expect(try await small.store.latest()["sales"] == three)
        #expect(try await Journal(small.database).entries(type: "dataset.published").count == 3)
        await small.database.close()
    }

    @Test func versionsAreFoundByNumberAndDigest() async throws {
        let small = try await SmallDatasets()
        await #expect { try await small.store.version(DatasetReference("sales")) } throws: {
            if case DatasetsFailure.notIngested = $0 { true } else { false }
        }
        try small.folder.write(first, to: "data/s.csv")
        let one = try await small.ingest(lines)
        try small.folder.write(second, to: "data/s.csv")
        let two = try await small.ingest(lines)
        for (text, wanted) in [
            ("sales", two), ("sales@latest", two), ("sales@1", one), ("sales@2", two), ("sales@\(one.digest)", one),
            ("sales@\(one.digest.hex.prefix(6))", one),
        ] {
            #expect(try await small.store.version(DatasetReference(text)) == wanted, "\(text)")
        }
        for text in ["sales@3", "sales@ffffffff"] {
            await #expect("\(text)") { try await small.store.version(DatasetReference(text)) } throws: {
                ($0 as? any Failure)?.code == .notFound && "\($0)".contains("sales@1")
            }
        }
        for text in ["", "@1", "sales@", "sales@0", "sales@x", "sales@abc", "sales@-1"] {
            #expect(throws: DatasetsFailure.self, "\(text)") { try DatasetReference(text) }
        }
        await small.database.close()
    }

    @Test func theBytesOfAVersionComeInPiecesAndAreTheObjectsOwn() async throws {
        let small = try await SmallDatasets()
        try small.folder.write(first, to: "data/s.csv")
        let version = try await small.ingest(lines)
        var bytes: [UInt8] = []
        while true {
            let piece = try await small.store.bytes(of: version, at: Int64(bytes.count), count: 100)
            if piece.isEmpty { break }
            bytes += piece
        }
        #expect(Digest(of: bytes) == version.digest)
        #expect(try await small.objects.get(version.digest) == bytes)
        await small.database.close()
    }

    @Test func aDifferenceByKeyTellsWhatCameWentAndChanged() async throws {
        let small = try await SmallDatasets()
        try small.folder.write(first, to: "data/s.csv")
        try await small.ingest(lines)
        try small.folder.write(second, to: "data/s.csv")
        try await small.ingest(lines)
        let diff = try await small.store.diff(DatasetReference("sales@1"), DatasetReference("sales@2"))
        #expect((diff.added, diff.removed, diff.changed) == (1, 1, 1))
        #expect(diff.key == ["id"])
        #expect(diff.changesByColumn == ["amount": 1])
        #expect(
            diff.examples.map { "\($0.kind) \($0.before?["id"]?.integer ?? 0) \($0.after?["id"]?.integer ?? 0)" } == [
                "added 0 6", "removed 2 0", "changed 1 1",
            ])
        #expect(try await small.store.diff(DatasetReference("sales@1"), DatasetReference("sales@1")).isEmpty)
        // Without a key, and with another schema: whole rows by the columns of both.
        let other = lines.replacingOccurrences(of: "key: [id]\n", with: "").replacingOccurrences(
            of: "shop: string, ", with: "")
        try await small.ingest(other)
        let rows = try await small.store.diff(DatasetReference("sales@2"), DatasetReference("sales"))
        #expect(rows.columns.map(\.name) == ["shop"])
        #expect((rows.columns.first?.before, rows.columns.first?.after) == (.string, nil))
        #expect((rows.key, rows.added, rows.removed) == ([], 0, 0))
        await #expect(throws: DatasetsFailure.self) {
            try await small.store.diff(DatasetReference("sales"), DatasetReference("other"))
        }
        await small.database.close()
    }

    @Test func rowsThatOccurSeveralTimesAreCounted() async throws {
        let small = try await SmallDatasets()
        let lines = "path: s.csv\ncolumns: {n: integer}\nkey: [n]"
        try small.folder.write("n\n1\n1\n2\n", to: "data/s.csv")
        try await small.ingest(lines)
        try small.folder.write("n\n1\n2\n2\n3\n", to: "data/s.csv")
        try await small.ingest(lines)
        let diff = try await small.store.diff(DatasetReference("sales@1"), DatasetReference("sales@2"))
        #expect((diff.key, diff.added, diff.removed, diff.changed) == ([], 2, 1, 0))
        await small.database.close()
    }

    @Test func twoIngestsAtOnceDoNotSeeEachOther() async throws {
        let small = try await SmallDatasets()
        try small.folder.write(first, to: "data/s.csv")
        let lines = lines
        let versions = try await withThrowingTaskGroup(of: DatasetVersion.self) { group in
            for _ in 0..<6 { group.addTask { try await small.ingest(lines) } }
            return try await group.reduce(into: [DatasetVersion]()) { $0.append($1) }
        }
        #expect(Set(versions.map(\.number)) == [1])
        #expect(try await small.store.versions(of: "sales").count == 1)
        #expect(try await small.leftovers() == [])
        await small.database.close()
    }

    @Test func aRecordOfAnEarlierReleaseIsRead() throws {
        let record = """
            {"created":"2020-01-01T00:00:00Z","definition":"\(Digest(of: "d"))","digest":"\(Digest(of: "x"))",
            "quarantined":0,"results":[],"rows":3,"source":"\(Digest(of: "s"))","table":"sales"}
            """
        let version = try JSON.decode(DatasetVersion.self, from: record)
        #expect((version.rows, version.schema, version.lineage.kind) == (3, [], "files"))
    }
}
