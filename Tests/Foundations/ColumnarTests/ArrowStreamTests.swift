import Basics
import Columnar
import Foundation
import TestSupport
import Testing

/// Arrow streams there and back, and streams that lie.
@Suite struct ArrowStreamTests {
    private let engine = ColumnarEngine(ColumnarOptions(temporaryDirectory: NSTemporaryDirectory()))

    static let allTypes = """
        SELECT * FROM (VALUES
            (true, 1::TINYINT, 2::SMALLINT, 3::INTEGER, 4::BIGINT, 5::UBIGINT, 0.5::FLOAT, 1e300::DOUBLE, 1.25::DECIMAL(9, 2),
             'é', DATE '2024-02-29', TIMESTAMP '1969-12-31 23:59:59.999999', TIMESTAMPTZ '2024-03-31 03:00:00+02',
             TIMESTAMP_NS '2024-01-01 00:00:00.000001', [1.5, NULL, 2], ['x', NULL], 'a'::ENUM('a', 'b'), {'f': 1}),
            (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
        ) AS t(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r)
        """

    static func stream(_ connection: ColumnarConnection, _ query: String) throws -> [UInt8] {
        var bytes: [UInt8] = []
        _ = try connection.writeArrow(query: query) { bytes.append(contentsOf: $0) }
        return bytes
    }

    /// All cells of a stream, as texts.
    static func read(
        _ connection: ColumnarConnection, _ bytes: [UInt8], limits: ArrowStream.Limits = ArrowStream.Limits()
    ) throws -> [String?] {
        try bytes.withUnsafeBytes { bytes in
            try connection.withArrow(bytes, limits: limits) {
                try connection.query("SELECT CAST(whole AS VARCHAR) AS line FROM \($0) AS whole").strings(
                    "line")
            }
        }
    }

    @Test func everyTypeComesBackAsItWent() async throws {
        try await engine.run { connection in
            let bytes = try Self.stream(connection, Self.allTypes)
            let expected = try connection.query(
                "SELECT CAST(whole AS VARCHAR) AS line FROM (\(Self.allTypes)) AS whole"
            )
            .strings("line")
            #expect(expected.count == 2)
            let found = try Self.read(connection, bytes)
            #expect(found == expected, "\(found) and not \(expected)")
        }
    }

    @Test func aColumnIsReadForItselfWhateverStandsBesideIt() async throws {
        try await engine.run { connection in
            let bytes = try Self.stream(
                connection, "SELECT 10 + i AS a, {'f': i} AS b, 'x' || i AS c FROM range(3) AS t(i)")
            try bytes.withUnsafeBytes { bytes in
                try connection.withArrow(bytes) { relation throws in
                    #expect(try connection.query("SELECT c FROM \(relation)").strings("c") == ["x0", "x1", "x2"])
                    #expect(try connection.query("SELECT c, b.f AS f FROM \(relation)").integers("f") == [0, 1, 2])
                    #expect(try connection.query("SELECT c FROM \(relation) WHERE a = 11").strings("c") == ["x1"])
                }
            }
        }
    }

    @Test func manyRowsTravelInBatches() async throws {
        try await engine.run { connection in
            var pieces = 0
            var bytes: [UInt8] = []
            let rows = try connection.writeArrow(
                query: "SELECT i, i % 7 = 0 AS seventh, 'row ' || i AS name FROM range(300000) AS t(i)"
            ) {
                pieces += 1
                bytes.append(contentsOf: $0)
            }
            #expect(rows == 300_000)
            #expect(pieces > 5)
            let found = try bytes.withUnsafeBytes { bytes in
                try connection.withArrow(bytes) {
                    try connection.query(
                        "SELECT count(*) AS n, sum(i)::BIGINT AS total, count(*) FILTER (seventh) AS sevenths FROM \($0)"
                    )
                }
            }
            #expect(try found.integers("n") == [300_000])
            #expect(try found.integers("total") == [44_999_850_000])
            #expect(try found.integers("sevenths") == [42_858])
        }
    }

    @Test func columnsPutTogetherByHandAreRead() async throws {
        var text = ArrowColumn("text", .text)
        text.append("")
        text.append("é")
        text.appendNull()
        var flag = ArrowColumn("flag", .boolean)
        flag.append(true)
        flag.appendNull()
        flag.append(false)
        var list = ArrowColumn("list", .list(.double))
        list.appendList { $0.append(1.5) }
        list.appendNull()
        list.appendList {
            $0.appendNull()
            $0.append(2.5)
        }
        var number = ArrowColumn("number", .double)
        for value in [0.25, .nan, 3] { number.append(value) }
        var moment = ArrowColumn("moment", .timestamp)
        for value: Int64 in [0, -1, 86_400_000_000] { moment.append(value) }
        let columns = [text, flag, list, number, moment]
        try await engine.run { connection in
            var bytes: [UInt8] = []
            let writer = try ArrowWriter(columns: columns) { bytes.append(contentsOf: $0) }
            try writer.write(columns)
            try writer.write(columns)
            try writer.finish()
            let lines = [
                "{'text': '', 'flag': true, 'list': [1.5], 'number': 0.25, 'moment': '1970-01-01 00:00:00'}",
                "{'text': é, 'flag': NULL, 'list': NULL, 'number': NULL, 'moment': '1969-12-31 23:59:59.999999'}",
                "{'text': NULL, 'flag': false, 'list': [NULL, 2.5], 'number': 3.0, 'moment': '1970-01-02 00:00:00'}",
            ]
            #expect(try Self.read(connection, bytes) == lines + lines)
        }
    }

    @Test func aStreamThatIsCutOffIsRefused() async throws {
        try await engine.run { connection in
            let bytes = try Self.stream(connection, Self.allTypes)
            for length in stride(from: 0, to: bytes.count, by: 13) {
                #expect { try Self.read(connection, Array(bytes.prefix(length))) } throws: { error in
                    (error as? ColumnarFailure)?.code == .invalidArgument
                }
            }
            #expect(try Self.read(connection, bytes).count == 2, "the connection goes on")
        }
    }

    @Test func moreRowsThanAllowedAreRefused() async throws {
        try await engine.run { connection in
            let bytes = try Self.stream(connection, "SELECT NULL AS nothing FROM range(2000)")
            #expect(try Self.read(connection, bytes, limits: .init(rows: 2000)).count == 2000)
            #expect { try Self.read(connection, bytes, limits: .init(rows: 1999)) } throws: {
                "\($0)".contains("more than 1999 rows")
            }
        }
    }

    @Test func aFailingSinkEndsTheQuery() async throws {
        struct Full: Error {}
        _ = try await engine.run { connection in
            #expect(throws: Full.self) {
                _ = try connection.writeArrow(query: "SELECT * FROM range(1000000)") { _ in throw Full() }
            }
        }
    }
}

/// Mutated streams: each is read, or refused as what its sender got wrong.
@Suite struct ArrowStreamFuzz {
    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap(UInt64.init)
    }

    @Test func noStreamTraps() async throws {
        let seed = Self.number("MODELWORKS_SEED") ?? 1
        let seconds = Self.number("MODELWORKS_FUZZ_SECONDS") ?? 0
        let engine = ColumnarEngine(ColumnarOptions(temporaryDirectory: NSTemporaryDirectory()))
        try await engine.run { connection in
            let random = SeededRandom(seed: seed)
            func below(_ limit: Int) -> Int { Int(random.next() % UInt64(max(1, limit))) }
            let samples = [
                try ArrowStreamTests.stream(connection, ArrowStreamTests.allTypes),
                try ArrowStreamTests.stream(
                    connection, "SELECT i, i::VARCHAR AS s, [i, NULL] AS l, NULL AS n FROM range(50) AS t(i)"),
            ]
            let limits = ArrowStream.Limits(rows: 10_000, memoryBytes: 16 << 20)
            let end = SystemTime.monotonicNanoseconds + seconds * 1_000_000_000
            var (taken, refused) = (0, 0)
            while taken + refused < 600 || SystemTime.monotonicNanoseconds < end {
                var bytes = samples[below(samples.count)]
                for _ in 0...below(3) {
                    let at = below(bytes.count - 8)
                    switch below(4) {
                    case 0: bytes[at] ^= 1 << UInt8(below(8))
                    case 1: bytes[at] = UInt8(truncatingIfNeeded: random.next())
                    case 2: bytes.replaceSubrange(at..<at + 4, with: [0xFF, 0xFF, 0xFF, 0x7F])
                    default: bytes.removeSubrange(at..<min(bytes.count - 8, at + below(40)))
                    }
                }
                do {
                    _ = try ArrowStreamTests.read(connection, bytes, limits: limits)
                    taken += 1
                } catch let failure as ColumnarFailure {
                    refused += 1
                    #expect(failure.code == .invalidArgument, "seed \(seed): \(failure)")
                }
            }
            #expect(taken > 20 && refused > 50, "\(taken) taken, \(refused) refused")
        }
    }
}
