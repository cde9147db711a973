import Basics
import Columnar
import SQL
import TestSupport
import Testing

@testable import Features

/// Histories of declared windows and of newest events over tables, worked out by hand.
@Suite struct WindowHistoryTests {
    private static let definitions = [
        "data/flights.yaml": """
        kind: table
        name: flights
        owner: test
        path: flights.csv
        nulls: [NA]
        columns: {carrier: string, plane: string, left: timestamp, known: timestamp, delay: double}
        """,
        "data/departures.yaml": """
        {kind: events, name: departures, owner: test, sql: departures.sql, event_time: left, available_at: known}
        """,
        "data/departures.sql": "SELECT * FROM flights",
        "features/carrier.yaml": "{kind: entity, name: carrier, owner: test, join_keys: [carrier]}",
        "features/delays.yaml": """
        kind: view
        name: delays
        owner: test
        entities: [carrier]
        source: departures
        aggregations:
          delay: {mean: delay, over: 3h}
          flights: {count: "*", over: 1d}
          planes: {distinct: plane, over: 3h}
          last_planes: {last_n: plane, n: 2, over: 1d, type: string}
        every: 1h
        ttl: 2d
        """,
        "features/newest.yaml": """
        kind: view
        name: newest
        owner: test
        entities: [carrier]
        source: departures
        features: {delay: double, plane: string}
        ttl: 1d
        """,
    ]

    private static let rows = """
        carrier,plane,left,known,delay
        UA,a,2013-01-01T10:20:00Z,2013-01-01T10:30:00Z,10
        UA,b,2013-01-01T11:00:00Z,2013-01-01T11:00:00Z,20
        UA,a,2013-01-01T09:10:00Z,2013-01-01T12:40:00Z,60
        AA,"it's",2013-01-01T10:00:00Z,2013-01-01T10:00:00Z,NA
        NA,c,2013-01-01T10:00:00Z,2013-01-01T10:00:00Z,5
        """

    private func table(_ view: String, _ columns: String) async throws -> [[String]] {
        let factory = try await SmallFactory(Self.definitions, data: ["flights.csv": Self.rows])
        _ = try await factory.store.ingest(by: "test")
        let history = try await factory.store.history(of: view)
        let file = try await factory.store.relation(of: history)
        let table = try await factory.store.engine.query(
            "SELECT concat_ws('|', \(columns)) AS line FROM \(file) ORDER BY carrier, event_time")
        let lines = try table.strings("line").map { ($0 ?? "").split(separator: "|").map(String.init) }
        await factory.database.close()
        return lines
    }

    @Test func windowsOnAGrid() async throws {
        let found = try await table(
            "delays",
            "carrier, strftime(event_time, '%d %H'), coalesce(CAST(delay AS VARCHAR), '-'), flights, planes, "
                + "array_to_string(last_planes, '+')")
        // A departure counts from the next full hour after it was known, by its tile of an hour, which leaves a window
        // of three hours three hours after the tile's end.
        #expect(
            found == [
                ["AA", "01 10", "-", "1", "1", "it's"], ["AA", "01 13", "-", "1", "0", "it's"],
                ["AA", "02 10", "-", "0", "0"],
                // Of 10:20 and of 11:00, which end the same tile.
                ["UA", "01 11", "15.0", "2", "2", "b+a"],
                // That of 09:10, known at 12:40, would leave its window of three hours at 13:00, when it counts.
                ["UA", "01 13", "15.0", "3", "2", "b+a"], ["UA", "01 14", "-", "3", "0", "b+a"],
                ["UA", "02 10", "-", "2", "0", "b+a"], ["UA", "02 11", "-", "0", "0"],
            ])
    }

    @Test func newestEvents() async throws {
        let found = try await table(
            "newest",
            "carrier, strftime(event_time, '%H:%M'), strftime(created_time, '%H:%M'), coalesce(CAST(delay AS VARCHAR), '-'), "
                + "plane")
        // That of 09:10 became known when a newer one was known already, and can never be used.
        #expect(
            found == [
                ["AA", "10:00", "10:00", "-", "it's"], ["UA", "10:20", "10:30", "10.0", "a"],
                ["UA", "11:00", "11:00", "20.0", "b"],
            ])
    }
}
