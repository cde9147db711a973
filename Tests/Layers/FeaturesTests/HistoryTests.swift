import Basics
import Columnar
import Datasets
import Features
import Foundation
import SQL
import TestSupport
import Testing

@Suite struct HistoryTests {
    /// Readings of rooms: made later than they happened, corrected, and some twice.
    private static let definitions = [
        "data/readings.yaml": """
        kind: table
        name: readings
        owner: test
        path: readings.csv
        nulls: [NA]
        columns: {room: integer, happened: timestamp, made: timestamp, known: timestamp, degrees: double, sensor: string}
        """,
        "data/read.yaml":
            "{kind: events, name: read, owner: test, sql: read.sql, event_time: happened, available_at: known}",
        "data/read.sql": "SELECT * FROM readings",
        "features/room.yaml": "{kind: entity, name: room, owner: test, join_keys: [room]}",
        "features/warmth.yaml": """
        {kind: view, name: warmth, owner: test, entities: [room], sources: [read], sql: warmth.sql, event_time: happened,
         created_time: made, ttl: 1h, features: {degrees: double, sensor: string}}
        """,
        "features/warmth.sql": "SELECT * FROM read",
        "features/latest.yaml": """
        {kind: view, name: latest, owner: test, entities: [room], sources: [read], sql: warmth.sql, event_time: happened,
         ttl: none, features: {degrees: double}}
        """,
        "features/comfort.yaml": """
        kind: transform
        name: comfort
        owner: test
        request: {wished: double}
        views: ["warmth:degrees"]
        features:
          missing: "wished - warmth__degrees"
          note: "case when missing > 0 then concat('cold ', 'room') else 'fine' end"
        """,
        "features/service.yaml": """
        kind: service
        name: comfort_service
        owner: test
        views: [comfort, {view: warmth, as: next, keys: {room: next_room}, features: [degrees]}]
        """,
        "features/numbers.yaml": """
        {kind: service, name: numbers, owner: test, request: {wished: double}, views: ["comfort:missing", "warmth:degrees"]}
        """,
    ]

    private static let readings = """
        room,happened,made,known,degrees,sensor
        1,2024-05-01T10:00:00Z,2024-05-01T10:30:00Z,2024-05-01T10:30:00Z,20,a
        1,2024-05-01T10:10:00Z,2024-05-01T10:11:00Z,2024-05-01T10:11:00Z,21,a
        1,2024-05-01T10:10:00Z,2024-05-01T10:20:00Z,2024-05-01T10:20:00Z,21.5,b
        1,2024-05-01T10:15:00Z,2024-05-01T11:00:00Z,2024-05-01T11:00:00Z,22,a
        2,2024-05-01T10:00:00Z,2024-05-01T10:00:00Z,2024-05-01T10:00:00Z,18,c
        2,2024-05-01T10:00:00Z,2024-05-01T10:00:00Z,2024-05-01T10:00:00Z,18.5,d
        ,2024-05-01T10:00:00Z,2024-05-01T10:00:00Z,2024-05-01T10:00:00Z,99,e

        """

    private struct House {
        let factory: SmallFactory
        let reader: ColumnarEngine

        init() async throws {
            factory = try await SmallFactory(HistoryTests.definitions, data: ["readings.csv": HistoryTests.readings])
            _ = try await factory.store.ingest(by: "test")
            reader = ColumnarEngine(
                ColumnarOptions(temporaryDirectory: "\(factory.folder.path)/scratch", connections: 1))
        }

        func ask(_ request: HistoryRequest, _ csv: String, format: RowFormat = .parquet) async throws
            -> Table
        {
            let file = try factory.folder.write(csv, to: "asked.csv")
            let out = "\(factory.folder.path)/out.\(format.rawValue)"
            _ = try await factory.store.historicalFeatures(
                request, of: EntityFile(path: file), to: out, format: format)
            return try await reader.query("SELECT * FROM '\(out)'")
        }
    }

    /// Worked out by hand from the readings above.
    @Test func lateAndCorrectedRowsAreSeenWhenTheyWereKnown() async throws {
        let house = try await House()
        let asked = """
            room,event_timestamp
            1,2024-05-01T10:10:59.999999Z
            1,2024-05-01T10:11:00Z
            1,2024-05-01T10:20:00Z
            1,2024-05-01T10:30:00Z
            1,2024-05-01T11:00:00Z
            1,2024-05-01T11:15:00Z
            1,2024-05-01T11:15:00.000001Z
            2,2024-05-01T06:30:00-04:00

            """
        let hidden = try await house.ask(HistoryRequest(.features(["warmth:degrees"])), asked)
        #expect(hidden.names == ["room", "event_timestamp", "degrees"])
        #expect(
            try hidden.doubles("degrees").map { $0.isNaN ? nil : $0 } == [nil, 21, 21.5, 21.5, 22, 22, nil, 18.5])
        let visible = try await house.ask(
            HistoryRequest(.features(["warmth"]), usesFullNames: true, lateData: .visible), asked)
        #expect(visible.names == ["room", "event_timestamp", "warmth__degrees", "warmth__sensor"])
        #expect(
            try visible.doubles("warmth__degrees").map { $0.isNaN ? nil : $0 }
                == [21.5, 21.5, 22, 22, 22, 22, nil, 18.5])
        // Without a created time the last row of one time counts.
        let latest = try await house.ask(HistoryRequest(.features(["latest:degrees"])), asked)
        #expect(try latest.doubles("degrees") == [21.5, 21.5, 22, 22, 22, 22, 22, 18.5])
        await house.factory.database.close()
    }

    @Test func rowsWithoutAKeyAreLeftOutOfAHistory() async throws {
        let house = try await House()
        let histories = try await house.factory.store.buildViews(by: "test")
        // Of room 1: 10:10 made 10:11, 10:10 made 10:20, 10:15 made 11:00; 10:00 made 10:30 is older than what was known by then.
        #expect(histories.map(\.view) == ["latest", "warmth"])
        #expect(histories.map(\.rows) == [4, 4])
        await house.factory.database.close()
    }

    @Test func transformsOfAServiceAreComputedOverTheJoinedRows() async throws {
        let house = try await House()
        let asked = """
            label,room,next_room,wished,event_timestamp
            7,1,2,22,2024-05-01T10:20:00Z
            8,2,1,18,2024-05-01T10:05:00Z
            9,3,,20,2024-05-01T10:05:00Z

            """
        let table = try await house.ask(HistoryRequest(.service("comfort_service")), asked)
        #expect(
            table.names == [
                "label", "room", "next_room", "wished", "event_timestamp", "comfort__missing", "comfort__note",
                "next__degrees",
            ])
        #expect(try table.doubles("comfort__missing").map { $0.isNaN ? nil : $0 } == [0.5, -0.5, nil])
        #expect(try table.strings("comfort__note") == ["cold room", "fine", "fine"])
        #expect(try table.doubles("next__degrees").map { $0.isNaN ? nil : $0 } == [18.5, nil, nil])
        let csv = try await house.ask(HistoryRequest(.features(["comfort:missing"])), asked, format: .csv)
        #expect(try csv.doubles("missing").map { $0.isNaN ? nil : $0 } == [0.5, -0.5, nil])
        await house.factory.database.close()
    }

    @Test func aTrainingSetHasTransformsAmongItsInputs() async throws {
        let house = try await House()
        let population = Population(
            sql: """
                SELECT 'r' || room AS id, room, 22.0 AS wished, TIMESTAMP '2024-05-01 10:25:00' AS moment, 1 AS label,
                       TIMESTAMP '2024-05-02' AS labelled FROM (SELECT DISTINCT room FROM readings WHERE room IS NOT NULL)
                """, id: "id", time: "moment", label: "label", labelTime: "labelled")
        let from = try #require(Timestamp("2024-05-01"))
        let set = try await house.factory.store.trainingSet(
            population, service: "numbers", from: from, to: from.advanced(bySeconds: 86_400), knownBy: nil)
        #expect(set.inputNames == ["wished", "comfort__missing", "warmth__degrees"])
        #expect(set.columns == [[22, 22], [0.5, 3.5], [21.5, 18.5]])
        await house.factory.database.close()
    }

    @Test func anExplanationNamesTheRowAndWhatWasPassedOver() async throws {
        let house = try await House()
        let file = try house.factory.folder.write(
            "room,event_timestamp\n1,2024-05-01T10:20:00Z\n1,2024-05-01T12:00:00Z\n5,2024-05-01T12:00:00Z\n,2024-05-01T12:00:00Z\n",
            to: "asked.csv")
        func explain(_ row: Int64) async throws -> HistoryExplanation.View {
            let request = HistoryRequest(.features(["warmth"]))
            let all = try await house.factory.store.explainHistory(request, of: EntityFile(path: file), row: row)
            return try #require(all.views.first)
        }
        let first = try await explain(1)
        #expect(first.used?.eventTime.description == "2024-05-01T10:10:00Z")
        #expect(first.used?.created?.description == "2024-05-01T10:20:00Z")
        #expect(first.used?.values == ["degrees": "21.5", "sensor": "b"])
        #expect(first.passedOver.map(\.reason) == ["it was not knowable until 2024-05-01T11:00:00Z"])
        let stale = try await explain(2)
        #expect(stale.used == nil)
        #expect(stale.reason == "no row was knowable and not older than the ttl")
        #expect(stale.passedOver.first?.reason == "it is older than the ttl by 2700 s")
        #expect(try await explain(3).reason == "no row for the key")
        #expect(try await explain(4).reason == "the join key 'room' is null")
        await #expect(throws: FeaturesFailure.self) { try await explain(5) }
        await house.factory.database.close()
    }

    private static let bad: [(HistoryRequest, String, String)] = [
        (
            HistoryRequest(.features(["warmt:degrees"])), "room,event_timestamp\n1,2024-05-01\n",
            "Did you mean 'warmth'?"
        ),
        (HistoryRequest(.features(["warmth:degree"])), "room,event_timestamp\n1,2024-05-01\n", "'warmth:degrees'"),
        (HistoryRequest(.service("number")), "room,event_timestamp\n1,2024-05-01\n", "Did you mean 'numbers'?"),
        (HistoryRequest(.features([])), "room,event_timestamp\n1,2024-05-01\n", "no feature is asked for"),
        (
            HistoryRequest(.features(["warmth", "latest"])), "room,event_timestamp\n1,2024-05-01\n",
            "both be called 'degrees'"
        ),
        (HistoryRequest(.features(["warmth"])), "rooms,event_timestamp\n1,2024-05-01\n", "no join key 'room'"),
        (HistoryRequest(.features(["warmth"])), "room,event_timestamp\nhall,2024-05-01\n", "room' as VARCHAR"),
        (HistoryRequest(.features(["warmth"])), "room,event_timestamp\n1.5,2024-05-01\n", "fractions"),
        (HistoryRequest(.features(["warmth"])), "room,moment\n1,soon\n", "no column of times"),
        (
            HistoryRequest(.features(["warmth"])), "room,a,b\n1,2024-05-01 10:00:00,2024-05-01 10:00:00\n",
            "several columns"
        ),
        (HistoryRequest(.features(["warmth"]), time: "when"), "room,then\n1,2024-05-01\n", "no time column 'when'"),
        (
            HistoryRequest(.features(["warmth"])), "room,event_timestamp\n1,2024-05-01\n2,\n",
            "1 of 2 rows without a time"
        ),
        (HistoryRequest(.features(["warmth"])), "room,event_timestamp\n", "asked.csv"),
        (HistoryRequest(.features(["warmth"])), "", "asked.csv"),
        (HistoryRequest(.features(["warmth"])), "room,event_timestamp,degrees\n1,2024-05-01,5\n", "'degrees'"),
        (HistoryRequest(.service("numbers")), "room,event_timestamp\n1,2024-05-01\n", "no column 'wished'"),
        (HistoryRequest(.features(["warmth"])), "room,event_timestamp,__row\n1,2024-05-01,5\n", "'__row'"),
    ]

    @Test func whatCanNotBeAskedIsRefusedAndNothingIsWritten() async throws {
        let house = try await House()
        for (request, csv, words) in Self.bad {
            do {
                _ = try await house.ask(request, csv)
                Issue.record("\(csv) was taken")
            } catch let failure as any Failure {
                let text = "\(failure.message) \(failure.remedy ?? "")"
                #expect(text.contains(words), "\(csv) gave '\(text)'")
            }
        }
        let whole = "\(house.factory.folder.path)/asked.parquet"
        try await house.reader.writeParquet(
            query: "SELECT 1 AS room, TIMESTAMP '2024-05-01' AS event_timestamp", to: whole)
        let bytes = try Data(contentsOf: URL(fileURLWithPath: whole))
        try bytes.prefix(bytes.count / 2).write(to: URL(fileURLWithPath: whole))
        let out = "\(house.factory.folder.path)/out.parquet"
        await #expect(throws: FeaturesFailure.self) {
            try await house.factory.store.historicalFeatures(
                HistoryRequest(.features(["warmth"])), of: EntityFile(path: whole), to: out)
        }
        await #expect(throws: DatasetsFailure.self) {
            try await house.factory.store.historicalFeatures(
                HistoryRequest(.features(["warmth"])), of: EntityFile(path: whole + ".none"), to: out)
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: house.factory.folder.path)
        #expect(!left.contains { $0.hasPrefix("out.") })
        let scratch = try FileManager.default.contentsOfDirectory(atPath: "\(house.factory.folder.path)/scratch")
        #expect(!scratch.contains { $0.hasPrefix("history-") })
        await house.factory.database.close()
    }

    @Test func twoRowsOfOneMomentOnAGridAreRefused() async throws {
        var files = Self.definitions
        files["features/grid.yaml"] = """
            {kind: view, name: grid, owner: test, entities: [room], sources: [read], sql: warmth.sql, event_time: happened,
             ttl: none, every: 5m, features: {degrees: double}}
            """
        let factory = try await SmallFactory(files, data: ["readings.csv": Self.readings])
        _ = try await factory.store.ingest(by: "test")
        await #expect { try await factory.store.buildViews(by: "test") } throws: { error in
            "\(error)".contains("2 entities have two rows at one happened")
        }
        await factory.database.close()
    }
}
