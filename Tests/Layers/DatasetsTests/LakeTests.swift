import Basics
import Columnar
import Datasets
import Foundation
import SQL
import TestSupport
import Testing

/// Tables that deltalake 1.6 and pyiceberg 0.12 wrote (`Tests/Fixtures/lakes/make.py`), with the rows that these read.
@Suite struct LakeTests {
    private static let fixtures = (0..<3).reduce(URL(fileURLWithPath: #filePath)) { url, _ in
        url.deletingLastPathComponent()
    }.appendingPathComponent("Fixtures/lakes").path
    private let columns = "columns: {id: integer, at: timestamp, amount: double, year: integer}\nkey: [id]"

    private func copy(_ small: SmallDatasets, _ name: String) throws {
        try FileManager.default.copyItem(atPath: "\(Self.fixtures)/\(name)", toPath: small.data(name))
    }

    private func ids(_ small: SmallDatasets, _ version: DatasetVersion) async throws -> [Int64] {
        try await small.rows(version).compactMap { try JSON.decode(JSONValue.self, from: $0)["id"]?.integer }.sorted()
    }

    /// Counts on the rows of one id: a column's value from the file, from the partition, or absent in an old file.
    private func row(_ id: Int, year: Int, column: String = "amount") -> String {
        let amount = "\(Double(id) / 2)"
        return #"{"id":\#(id),"at":"\#(year)-01-01 0\#(id):00:00","\#(column)":\#(amount),"year":\#(year)"#
    }

    // MARK: Delta

    @Test func aDeltaTableIsReadAsOfEveryVersion() async throws {
        let small = try await SmallDatasets()
        try copy(small, "delta")
        let wanted: [[Int64]] = [[1, 2], [1, 2, 3, 4], [2, 3, 4], [2, 3, 4, 5], [2, 3, 4, 5, 6]]
        for (number, ids) in wanted.enumerated() {
            let version = try await small.ingest("from: {delta: delta, version: \(number)}\n\(columns)")
            #expect(try await self.ids(small, version) == ids)
            #expect(version.lineage.tableVersion == Int64(number))
            #expect(version.lineage.files.allSatisfy { $0.digest != nil && $0.path.hasPrefix("delta/year=") })
            for row in try await small.rows(version) {
                let id = Int(try JSON.decode(JSONValue.self, from: row)["id"]?.integer ?? 0)
                #expect(row == self.row(id, year: id < 3 ? 2020 : id < 6 ? 2021 : 2022) + "}")
            }
        }
        let latest = try await small.ingest("from: {delta: delta}\n\(columns)")
        #expect(try await ids(small, latest) == [2, 3, 4, 5, 6])
        #expect(try await small.ingest("from: {delta: delta}\n\(columns)") == latest)
        #expect(try await small.leftovers() == [])
        await small.database.close()
    }

    @Test func aDeltaTableIsReadAsOfATime() async throws {
        let small = try await SmallDatasets()
        try copy(small, "delta")
        // The commits are of 953, 964, 973, 977 and 988 ms after this second.
        for (moment, ids) in [
            ("2026-11-21T11:43:07.953Z", [1, 2]), ("2026-11-21T11:43:07.972Z", [1, 2, 3, 4]),
            ("2026-11-21T11:43:07.973Z", [2, 3, 4]), ("2027-01-01", [2, 3, 4, 5, 6]),
        ] as [(String, [Int64])] {
            let version = try await small.ingest("from: {delta: delta, as_of: \"\(moment)\"}\n\(columns)")
            #expect(try await self.ids(small, version) == ids, "\(moment)")
        }
        await #expect { try await small.ingest("from: {delta: delta, as_of: 2026-11-21}\n\(columns)") } throws: {
            ($0 as? any Failure)?.code == .notFound && "\($0)".contains("2026-11-21T11:43:07.953")
        }
        await small.database.close()
    }

    @Test func aCheckpointStandsForTheCommitsBeforeItAndOldFilesLackNewColumns() async throws {
        let small = try await SmallDatasets()
        try copy(small, "delta")
        let log = small.data("delta/_delta_log")
        for number in 0..<3 { try FileManager.default.removeItem(atPath: "\(log)/0000000000000000000\(number).json") }
        let version = try await small.ingest(
            "from: {delta: delta, version: 3}\n\(columns.replacingOccurrences(of: "year:", with: "note: string, year:"))"
        )
        let notes = try await small.rows(version).map { try JSON.decode(JSONValue.self, from: $0) }
        #expect(
            Dictionary(uniqueKeysWithValues: notes.map { ($0["id"]?.integer ?? 0, $0["note"]?.string) })
                == [2: nil, 3: nil, 4: nil, 5: "n"])
        await expectRefusal(small, "from: {delta: delta, version: 2}", .dataLoss, "neither version 0 nor a checkpoint")
        await small.database.close()
    }

    @Test func whatADeltaReaderMustKnowAndThisOneDoesNotIsRefused() async throws {
        let small = try await SmallDatasets()
        let schema =
            #"{\"type\":\"struct\",\"fields\":[{\"name\":\"id\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]}"#
        let plain = #"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#
        func meta(_ configuration: String = "{}") -> String {
            #"{"metaData":{"id":"x","schemaString":"\#(schema)","partitionColumns":[],"configuration":\#(configuration)}}"#
        }
        try await small.parquet("d/a b.parquet", "SELECT 1::BIGINT AS id")
        let bytes = try Data(contentsOf: URL(fileURLWithPath: small.data("d/a b.parquet"))).count
        func add(_ more: String = "", path: String = "a%20b.parquet", size: Int? = nil) -> String {
            #"{"add":{"path":"\#(path)","partitionValues":{},"size":\#(size ?? bytes),"dataChange":true\#(more)}}"#
        }
        func write(_ lines: String..., at version: Int = 0) throws {
            try small.folder.write(
                lines.joined(separator: "\n"),
                to: "data/d/_delta_log/\(String(repeating: "0", count: 19))\(version).json")
        }
        let table = "from: {delta: d}"
        try write(plain, meta(), add())
        #expect(try await small.ingest("\(table)\ncolumns: {id: integer}").rows == 1)
        for (lines, code, wanted) in [
            (
                [plain, meta(), add(#","deletionVector":{"storageType":"u","pathOrInlineDv":"x","offset":1}"#)],
                .failedPrecondition, "deletion vectors"
            ),
            (
                [plain, meta(#"{"delta.columnMapping.mode":"name"}"#), add()], .failedPrecondition,
                "column mapping by name"
            ),
            (
                [#"{"protocol":{"minReaderVersion":3,"readerFeatures":["variantType"]}}"#, meta(), add()],
                .failedPrecondition, "the feature 'variantType'"
            ),
            ([#"{"protocol":{"minReaderVersion":4}}"#, meta(), add()], .failedPrecondition, "reader version 4"),
            ([plain, meta(), add(path: "../../secret.parquet")], .failedPrecondition, "files outside of its folder"),
            ([plain, meta(), add(path: "s3://other/x.parquet")], .failedPrecondition, "files outside of its folder"),
            ([plain, meta(), add(path: "gone.parquet")], .dataLoss, "gone.parquet is gone"),
            ([plain, meta(), add(size: 7)], .dataLoss, "bytes where 7 are told"),
            ([plain, add()], .dataLoss, "no protocol or no schema"),
            ([plain, meta(), "{\"add\":"], .dataLoss, "a line that is no JSON"),
            ([plain, meta()], .failedPrecondition, "has no rows"),
        ] as [([String], FailureCode, String)] {
            try small.folder.write(
                lines.joined(separator: "\n"), to: "data/d/_delta_log/\(String(repeating: "0", count: 20)).json")
            await expectRefusal(small, table, code, wanted, columns: "columns: {id: integer}")
        }
        try write(plain, meta(), add())
        try write(add(), at: 2)
        await expectRefusal(
            small, table, .dataLoss, "the commit of version 1 is missing", columns: "columns: {id: integer}")
        await expectRefusal(
            small, "from: {delta: d, version: 9}", .notFound, "has no version 9", columns: "columns: {id: integer}")
        await expectRefusal(small, "from: {delta: none}", .dataLoss, "no folder _delta_log")
        await expectRefusal(small, "path: d\nformat: parquet", .failedPrecondition, "a log of its versions")
        #expect(try await small.store.versions(of: "sales").count == 1)
        await small.database.close()
    }

    // MARK: Iceberg

    @Test func anIcebergTableIsReadAsOfEverySnapshotWhereverItLies() async throws {
        let small = try await SmallDatasets()
        try copy(small, "iceberg")
        for (snapshot, column, ids) in [
            (347_836_868_767_436_292, "amount", [1, 2]), (2_269_135_136_230_913_719, "amount", [1, 2, 3, 4]),
            (2_342_711_213_150_689_447, "amount", [2, 3, 4]), (1_807_680_441_672_106_132, "total", [2, 3, 4, 5]),
        ] as [(Int64, String, [Int64])] {
            let columns = columns.replacingOccurrences(of: "amount", with: column)
            let version = try await small.ingest("from: {iceberg: iceberg, snapshot: \(snapshot)}\n\(columns)")
            #expect(try await self.ids(small, version) == ids)
            #expect(version.lineage.tableVersion == snapshot)
            for row in try await small.rows(version) {
                let id = Int(try JSON.decode(JSONValue.self, from: row)["id"]?.integer ?? 0)
                #expect(row == self.row(id, year: id < 3 ? 2020 : 2021, column: column) + "}")
            }
        }
        let latest = "columns: {id: integer, total: double, note: string}"
        let version = try await small.ingest("from: {iceberg: iceberg}\n\(latest)")
        #expect(try await small.rows(version).contains(#"{"id":5,"total":2.5,"note":"n"}"#))
        #expect(try await small.rows(version).contains(#"{"id":2,"total":1.0,"note":null}"#))
        #expect(try await small.ingest("from: {iceberg: iceberg}\n\(latest)") == version)
        let early = try await small.ingest("from: {iceberg: iceberg, as_of: \"2026-11-21T11:43:08.642Z\"}\n\(columns)")
        #expect(try await ids(small, early) == [1, 2, 3, 4])
        #expect(try await small.leftovers() == [])
        await small.database.close()
    }

    @Test func whatIsWrongWithAnIcebergTableIsTold() async throws {
        let small = try await SmallDatasets()
        try copy(small, "iceberg")
        let table = "from: {iceberg: iceberg}"
        await expectRefusal(small, "from: {iceberg: iceberg, snapshot: 1}", .notFound, "has no snapshot 1")
        await expectRefusal(small, "from: {iceberg: iceberg, as_of: 2026-01-01}", .notFound, "has no snapshot at")
        await expectRefusal(small, table, .failedPrecondition, "lacks the declared column amount")
        await expectRefusal(small, "from: {iceberg: none}", .dataLoss, "no folder metadata")
        await expectRefusal(small, "path: iceberg\nformat: parquet", .failedPrecondition, "a log of its versions")
        let folder = small.data("iceberg/metadata")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder)
        let metadata = try #require(names.first { $0.hasSuffix(".metadata.json") })
        let text = try String(contentsOfFile: "\(folder)/\(metadata)", encoding: .utf8)
        let latest = "columns: {id: integer, total: double}"
        for (old, new, code, wanted) in [
            ("\"format-version\":2", "\"format-version\":3", .failedPrecondition, "version 3 of the Iceberg format"),
            (
                "file:///tmp/warehouse/shop/orders\"", "file:///elsewhere\"", .failedPrecondition,
                "outside of its folder"
            ),
            ("\"schemas\"", "\"none\"", .dataLoss, "it has no schema"),
        ] as [(String, String, FailureCode, String)] {
            try text.replacingOccurrences(of: old, with: new).write(
                toFile: "\(folder)/\(metadata)", atomically: true, encoding: .utf8)
            await expectRefusal(small, table, code, wanted, columns: latest)
        }
        try text.write(toFile: "\(folder)/\(metadata)", atomically: true, encoding: .utf8)
        let list = try #require(names.first { $0.hasPrefix("snap-1807680441672106132") })
        let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(list)"))
        try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: "\(folder)/\(list)"))
        await expectRefusal(small, table, .dataLoss, "no whole Avro file", columns: latest)
        try FileManager.default.removeItem(atPath: "\(folder)/\(list)")
        await expectRefusal(small, table, .notFound, "does not exist", columns: latest)
        try bytes.write(to: URL(fileURLWithPath: "\(folder)/\(list)"))
        #expect(try await small.ingest("\(table)\n\(latest)").rows == 4)
        await small.database.close()
    }

    private func expectRefusal(
        _ small: SmallDatasets, _ from: String, _ code: FailureCode, _ wanted: String, columns: String? = nil,
        _ place: SourceLocation = #_sourceLocation
    ) async {
        do {
            try await small.ingest("\(from)\n\(columns ?? self.columns)")
            Issue.record("\(wanted) was let through", sourceLocation: place)
        } catch {
            let failure = error as? any Failure
            if failure?.code != code || failure?.message.contains(wanted) != true {
                Issue.record("\(String(describing: failure?.code)) \(error)", sourceLocation: place)
            }
        }
    }
}
