import Basics
import Columnar
import Foundation
import SQL
import TestSupport
import Testing

/// A scoring that is killed again and again gives the rows of one that nobody disturbed.
@Suite struct ScoringFaults {
    private static let rows = 60_000
    private static let kills = 10

    private static var model: String {
        let tests = #filePath.split(separator: "/").dropLast(2).joined(separator: "/")
        return "/\(tests)/InferenceTests/Fixtures/lightgbm/binary.txt"
    }

    /// Rows of five numbers, some of them missing, as a CSV file.
    private static func table(in folder: TemporaryFolder) throws -> String {
        let random = SeededRandom(seed: 5)
        var text = "id,Column_0,Column_1,Column_2,Column_3,Column_4\n"
        for row in 0..<rows {
            let values = (0..<5).map { _ in
                random.next() % 17 == 0 ? "" : "\(Double(random.next() % 4_000) / 1000 - 2)"
            }
            text += "\(row),\(values.joined(separator: ","))\n"
        }
        return try folder.write(text, to: "rows.csv")
    }

    /// Kills the scoring whenever so many more partitions are there, and lets it end at last.
    /// - Returns: how often it was killed before its end.
    private static func disturb(
        _ words: [String], _ folder: TemporaryFolder, written: () throws -> Int
    ) throws -> Int {
        let random = SeededRandom(seed: 9)
        var killed = 0
        for round in 0..<kills {
            let child = try ChildProcess(
                Modelworks.binary, words, output: folder("\(round).out"), errors: folder("\(round).err"))
            let goal = try written() + 1 + Int(random.next() % 6)
            try eventually("partition \(goal)", within: 120) { try child.exitCode != nil || written() >= goal }
            // Somewhere in the middle of the next ones.
            usleep(UInt32(random.next() % 20_000))
            if child.exitCode == nil {
                killed += 1
            } else {
                #expect(child.exitCode == 0, "\(Modelworks.text(folder("\(round).err")))")
            }
            try child.end(SIGKILL)
        }
        let last = try Modelworks.run(words, folder: folder.path, seconds: 120)
        #expect(last.code == 0, "\(last.errors)")
        let report = try JSON.decode(JSONValue.self, from: last.output)
        #expect(report["rows"]?.integer == Int64(rows))
        #expect((report["resumed"]?.integer ?? 0) > 0)
        return killed
    }

    @Test("Parquet: killed ten times", .timeLimit(.minutes(10)))
    func parquet() async throws {
        let folder = try TemporaryFolder()
        let words = [
            "score", Self.model, "--input", try Self.table(in: folder), "--rows-per-partition", "500", "--batch", "100",
            "--threads", "2", "--json",
        ]
        let killed = try await onThread("score-kill") {
            let calm = try Modelworks.run(
                words + ["--output", folder("calm")], folder: folder.path, seconds: 120)
            #expect(calm.code == 0, "\(calm.errors)")
            return try Self.disturb(words + ["--output", folder("out")], folder) {
                ((try? FileManager.default.contentsOfDirectory(atPath: folder("out"))) ?? []).filter {
                    $0.hasSuffix(".parquet")
                }.count
            }
        }
        #expect(killed >= 5)
        let engine = ColumnarEngine(ColumnarOptions(temporaryDirectory: folder("spill")))
        func rows(_ place: String) -> String {
            "SELECT * EXCLUDE (run_id, scored_at) FROM '\(folder(place))/part-*.parquet'"
        }
        let found = try await engine.query(
            """
            SELECT (SELECT count(*) FROM (\(rows("out")))) AS n,
              (SELECT count(DISTINCT id) FROM (\(rows("out")))) AS ids,
              (SELECT count(DISTINCT run_id) FROM '\(folder("out"))/part-*.parquet') AS runs,
              (SELECT count(*) FROM (\(rows("out")) EXCEPT ALL \(rows("calm")))) AS others
            """)
        #expect(try found.integers("n") == [Int64(Self.rows)])
        #expect(try found.integers("ids") == [Int64(Self.rows)])
        #expect(try found.integers("runs") == [1])
        #expect(try found.integers("others") == [0])
        let left = try FileManager.default.contentsOfDirectory(atPath: folder("out")).filter {
            $0.hasSuffix(".partial")
        }
        #expect(left == [])
    }

    @Test("a database: killed ten times", .timeLimit(.minutes(10)))
    func database() async throws {
        let folder = try TemporaryFolder()
        let words = [
            "score", Self.model, "--input", try Self.table(in: folder), "--rows-per-partition", "500", "--output",
            "sqlite:\(folder("out.db"))", "--table", "scores", "--root", folder("root"), "--json",
        ]
        let database = try await Database.open(at: folder("out.db"))
        let killed = try await onThread("score-kill-db") {
            try Self.disturb(words, folder) { try Self.parts(database) }
        }
        #expect(killed >= 5)
        let found = try await database.read { transaction in
            try transaction.query(
                """
                SELECT count(*) AS n, count(DISTINCT id) AS ids, count(DISTINCT run_id) AS runs,
                  count(prediction) AS answers FROM scores
                """
            ).map { row in try ["n", "ids", "runs", "answers"].map { try row.int($0) } }
        }
        #expect(found == [[Self.rows, Self.rows, 1, Self.rows]])
        await database.close()
    }

    /// Partitions that the database tells of.
    private static func parts(_ database: Database) throws -> Int {
        let found = Answer()
        Task {
            let count = try? await database.read { transaction in
                try transaction.first("SELECT count(*) AS n FROM modelworks_scoring_parts")?.int("n")
            }
            found.give(count ?? 0)
        }
        return found.wait()
    }

    /// Hands a number from a task to a thread that may block.
    private final class Answer: @unchecked Sendable {
        private let ready = DispatchSemaphore(value: 0)
        // Written before the signal and read after it.
        private var value = 0

        func give(_ value: Int) {
            self.value = value
            ready.signal()
        }

        func wait() -> Int {
            ready.wait()
            return value
        }
    }
}
