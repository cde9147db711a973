import Aggregations
import Basics
import Columnar
import Datasets
import Foundation
import KeyValue
import TestSupport
import Testing

@testable import Features

/// Values as they were online while events streamed in, against history joined as of the same moments, against history
/// brought online, and against SQL.
@Suite struct StreamAgreementTests {
    @Test func streamedValuesAreThoseOfHistory() async throws {
        try await StreamAgreement.check(events: 20_000, users: 60, seed: 11)
    }
}

@Suite(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] == "1"))
struct StreamAgreementSoak {
    @Test(.timeLimit(.minutes(60))) func ofAMillionEvents() async throws {
        let begun = SystemTime.monotonicNanoseconds
        let compared = try await StreamAgreement.check(events: 1_000_000, users: 2000, seed: 12)
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        print(
            "stream agreement: 1000000 events, \(compared) values alike on three paths, "
                + "\((SystemTime.monotonicNanoseconds - begun) / 1_000_000_000) s, \(usage.ru_maxrss >> 10) MB at most")
    }
}

enum StreamAgreement {
    private struct Snapshot {
        var moment: Timestamp
        var values: [String: [FeatureValue]]
    }

    private static let views = ["recent", "hourly", "newest"]

    /// The grain of the windows, in seconds.
    private static let tile: Int64 = 1800

    /// - Returns: how many values were compared.
    @discardableResult
    static func check(events: Int, users: Int, seed: UInt64) async throws -> Int {
        let factory = try await StreamFactory(tile: "\(tile / 60)m")
        let random = SeededRandom(seed: seed)
        func chance(_ bound: Int) -> Int { Int(random.next() % UInt64(bound)) }
        let names = (0..<users).map { "u\($0)" }
        // Three days of events in batches that arrive together.
        let start = factory.clock.now.microseconds
        let batches = max(1, events / 40)
        let span: Int64 = 3 * 86_400_000_000
        var snapshots: [Snapshot] = []
        var kept = 0
        var late = 0
        for batch in 0..<batches {
            factory.clock.advance(to: Timestamp(microseconds: start + span / Int64(batches) * Int64(batch)))
            // A snapshot may have been later than that. What arrives after it arrives at another moment: it was not there.
            if let last = snapshots.last?.moment {
                factory.clock.advance(to: Timestamp(microseconds: last.microseconds + 1))
            }
            let arrival = factory.clock.now.microseconds
            let rows: [[ScalarValue]] = (0..<40).map { _ in
                var delay = Int64(chance(600)) * 1_000_000
                switch chance(100) {
                case 0..<5:
                    delay = Int64(3601 + chance(36_000)) * 1_000_000
                    late += 1
                case 5..<15: delay = Int64(chance(3600)) * 1_000_000
                // Some clocks are ahead.
                case 15: delay = -Int64(chance(900)) * 1_000_000
                default: break
                }
                return [
                    .string(names[chance(users) * chance(4) / 4]), .timestamp(Timestamp(microseconds: arrival - delay)),
                    chance(20) == 0 ? .null : .double(Double(chance(100_000)) / 7 - 3000),
                    chance(20) == 0 ? .null : .integer(Int64(chance(9))), .string("p\(chance(12))"),
                ]
            }
            kept += rows.count
            try await factory.keep(rows)
            guard batch == batches - 1 || chance(max(2, batches / 8)) == 0 else { continue }
            let moment = Timestamp(microseconds: arrival + Int64(chance(400)) * 1_000_000 + 1)
            factory.clock.advance(to: moment)
            try await factory.catchUp()
            snapshots.append(
                Snapshot(
                    moment: moment,
                    values: try await StreamFactory.values(factory.store, views, users: names, at: moment)))
        }
        // All that decays after the last event.
        for hours in [2, 7, 23, 30] {
            let moment = Timestamp(microseconds: start + span + Int64(hours) * 3_600_000_000 + 17)
            factory.clock.advance(to: moment)
            try await factory.catchUp()
            snapshots.append(
                Snapshot(
                    moment: moment,
                    values: try await StreamFactory.values(factory.store, views, users: names, at: moment)))
        }
        let written = try await factory.streams.flush()
        #expect(written == Int64(kept))
        let segments = try await factory.store.segments(of: "clicks")
        #expect(segments.reduce(0) { $0 + $1.late } == Int64(late))
        let status = try await factory.streams.status()
        for view in status.first?.views ?? [] {
            #expect(view.late == Int64(late))
            #expect(view.events == Int64(kept))
            // Each view may have told the stream the time once more.
            #expect(view.lag <= 2)
        }

        let beside = try await factory.beside()
        var compared = 0
        for snapshot in snapshots {
            _ = try await beside.materializeIncremental(views, to: snapshot.moment, by: "test")
            let found = try await StreamFactory.values(beside, views, users: names, at: snapshot.moment)
            for name in names {
                let (streamed, materialised) = (snapshot.values[name] ?? [], found[name] ?? [])
                guard streamed.count == materialised.count, !streamed.isEmpty else {
                    Issue.record("\(name) has \(streamed.count) and \(materialised.count) values")
                    continue
                }
                compared += streamed.count
                if !zip(streamed, materialised).allSatisfy(same) {
                    Issue.record("\(name) at \(snapshot.moment): streamed \(streamed), of history \(materialised)")
                }
            }
        }
        let reader = try await beside.onlineReader(.features(views))
        #expect(reader.outputs.count == 28)
        #expect(compared == snapshots.count * users * reader.outputs.count)
        let joined = try await againstHistory(factory, snapshots, users: users, reader.outputs.map(\.fullName))
        #expect(joined == compared)
        try await againstSQL(factory, snapshots, names)
        try? await beside.online.close()
        await factory.close()
        return compared
    }

    /// One request of history for every user at every snapshot.
    /// - Returns: how many values were compared.
    private static func againstHistory(
        _ factory: StreamFactory, _ snapshots: [Snapshot], users: Int, _ outputs: [String]
    ) async throws -> Int {
        let moments = snapshots.map { "make_timestamp(\($0.moment.microseconds))" }.joined(separator: ", ")
        let (entities, found) = (factory.folder("entities.parquet"), factory.folder("found.parquet"))
        _ = try await factory.engine.writeParquet(
            query: """
                SELECT (row_number() OVER () - 1) AS place, 'u' || n AS "user", moment AS event_timestamp
                FROM range(\(users)) AS numbers(n), (SELECT unnest([\(moments)]) AS moment)
                """, to: entities)
        let summary = try await factory.store.historicalFeatures(
            HistoryRequest(.features(views), usesFullNames: true), of: EntityFile(path: entities), to: found)
        #expect(summary.rows == Int64(users * snapshots.count))
        let byMoment = Dictionary(uniqueKeysWithValues: snapshots.map { ($0.moment, $0.values) })
        var compared = 0
        for (index, name) in outputs.enumerated() {
            let column = SQLText.identifier(name)
            let isList = name.hasSuffix("__seen") || name.contains("__amounts_")
            let value =
                isList
                ? "array_to_string(list_transform(\(column), lambda x: coalesce(CAST(x AS VARCHAR), '-')), '|')"
                : column
            let table = try await factory.engine.query(
                "SELECT \"user\", event_timestamp AS moment, \(value) AS value FROM read_parquet(\(SQLText.literal(found)))"
            )
            let values = try table.column("value")
            for (row, (user, moment)) in zip(try table.strings("user"), try table.timestamps("moment")).enumerated() {
                guard let user, let moment, let streamed = byMoment[moment]?[user], index < streamed.count else {
                    Issue.record("row \(row) of \(name) was not asked for")
                    continue
                }
                compared += 1
                if !isSame(streamed[index], values[row]) {
                    Issue.record("\(name) of \(user) at \(moment): streamed \(streamed[index]), joined \(values[row])")
                }
            }
        }
        return compared
    }

    /// Whether a value of a table is the one that was online; what was not present is null in history.
    private static func isSame(_ streamed: FeatureValue, _ joined: ColumnarValue) -> Bool {
        switch (streamed, joined) {
        case (.scalar(.string("notFound")), .null), (.scalar(.string("outsideMaxAge")), .null),
            (.scalar(.string("nullValue")), .null):
            true
        case (.scalar(.integer(let left)), .integer(let right)): left == right
        case (.scalar(.double(let left)), .double(let right)): left.bitPattern == right.bitPattern
        case (.scalar(.string(let left)), .string(let right)): left == right
        case (.list(let left), .string(let right)):
            left.count == (right.isEmpty ? 0 : right.split(separator: "|").count)
                && zip(left, right.split(separator: "|")).allSatisfy { left, right in
                    switch left {
                    case .null: right == "-"
                    case .double(let number): Double(right)?.bitPattern == number.bitPattern
                    case .string(let text): text == right
                    default: false
                    }
                }
        default: false
        }
    }

    /// Equal bits, not only equal numbers.
    private static func same(_ left: FeatureValue, _ right: FeatureValue) -> Bool {
        func same(_ left: ScalarValue, _ right: ScalarValue) -> Bool {
            if case .double(let left) = left, case .double(let right) = right {
                return left.bitPattern == right.bitPattern
            }
            return left == right
        }
        switch (left, right) {
        case (.scalar(let left), .scalar(let right)): return same(left, right)
        case (.list(let left), .list(let right)): return left.count == right.count && zip(left, right).allSatisfy(same)
        default: return false
        }
    }

    /// Each window by plain SQL over the events: none of the code under test but the table of events.
    private static func againstSQL(
        _ factory: StreamFactory, _ snapshots: [Snapshot], _ names: [String]
    ) async throws {
        try await factory.store.bind()
        for snapshot in snapshots.suffix(7) {
            let moment = snapshot.moment.microseconds
            func window(_ hours: Int64) -> String {
                // The end of the tile that holds the event, and its exit from the window.
                let tile = tile * 1_000_000
                return "(epoch_us(\"at\") + \(tile - 1)) // \(tile) * \(tile) + \(hours) * 3600000000 > \(moment)"
            }
            let table = try await factory.engine.query(
                """
                SELECT "user", count(*) FILTER (\(window(1))) AS clicks_1h, count(*) FILTER (\(window(24))) AS clicks_1d,
                  sum(amount) FILTER (\(window(6))) AS spent_6h,
                  CAST(sum(items) FILTER (\(window(24))) AS BIGINT) AS bought_1d,
                  avg(amount) FILTER (\(window(1))) AS typical_1h, stddev_samp(amount) FILTER (\(window(6))) AS spread_6h,
                  stddev_samp(amount) FILTER (\(window(24))) AS spread_1d, min(amount) FILTER (\(window(1))) AS least_1h,
                  max(items) FILTER (\(window(24))) AS most_1d, count(DISTINCT page) FILTER (\(window(6))) AS pages_6h,
                  quantile_cont(amount, 0.5) FILTER (\(window(6))) AS median_6h,
                  count(amount) FILTER (\(window(24))) AS valued
                FROM clicks WHERE epoch_us(arrived_at) <= \(moment) GROUP BY "user"
                """)
            let users = try table.strings("user")
            let reader = try await factory.store.onlineReader(.features(views))
            for (row, user) in users.enumerated() {
                guard let user, let streamed = snapshot.values[user] else { continue }
                // Past its ttl a value is not to be had.
                guard streamed.first != .scalar(.string("outsideMaxAge")) else { continue }
                for name in [
                    "clicks_1h", "clicks_1d", "spent_6h", "bought_1d", "typical_1h", "spread_6h", "spread_1d",
                    "least_1h",
                    "most_1d", "pages_6h", "median_6h",
                ] {
                    guard
                        let output = reader.outputs.firstIndex(where: { $0.view == "recent" && $0.feature == name })
                    else {
                        Issue.record("there is no \(name)")
                        continue
                    }
                    let expected = try table.doubles(name)[row]
                    let found: Double =
                        switch streamed[output] {
                        case .scalar(.integer(let number)): Double(number)
                        case .scalar(.double(let number)): number
                        default: .nan
                        }
                    // A state holds values as long as its longest window is, and where they are too many no quantile is given.
                    let held = name == "median_6h" ? try table.doubles("valued")[row] : 0
                    if found.isNaN, held > Double(WindowPlan.defaultValueLimit) { continue }
                    let isClose =
                        expected.isNaN
                        ? found.isNaN : abs(found - expected) <= 1e-9 * max(1, abs(expected))
                    #expect(isClose, "\(name) of \(user) at \(snapshot.moment): \(found), by SQL \(expected)")
                }
            }
        }
    }
}
