import Basics
import Columnar
import Datasets
import Foundation
import KeyValue
import TestSupport
import Testing

@testable import Features

/// Values as they were online while events streamed in, against history, against history brought online, and against SQL.
@Suite struct StreamAgreementTests {
    @Test func streamedValuesAreThoseOfHistory() async throws {
        try await StreamAgreement.check(events: 20_000, users: 60, seed: 11)
    }
}

@Suite(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] == "1"))
struct StreamAgreementSoak {
    @Test func ofAMillionEvents() async throws {
        try await StreamAgreement.check(events: 1_000_000, users: 2000, seed: 12)
    }
}

enum StreamAgreement {
    private struct Snapshot {
        var moment: Timestamp
        var values: [String: [FeatureValue]]
    }

    private static let views = ["recent", "hourly", "newest"]

    static func check(events: Int, users: Int, seed: UInt64) async throws {
        let factory = try await StreamFactory()
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
            let arrival = start + span / Int64(batches) * Int64(batch)
            factory.clock.advance(to: Timestamp(microseconds: arrival))
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
            guard batch == batches - 1 || chance(max(2, batches / 12)) == 0 else { continue }
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
        #expect(compared == snapshots.count * users * 20)
        try await againstSQL(factory, snapshots, names)
        try? await beside.online.close()
        await factory.close()
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
                "(epoch_us(\"at\") + 599999999) // 600000000 * 600000000 + \(hours) * 3600000000 > \(moment)"
            }
            let table = try await factory.engine.query(
                """
                SELECT "user", count(*) FILTER (\(window(1))) AS clicks_1h, count(*) FILTER (\(window(24))) AS clicks_1d,
                  sum(amount) FILTER (\(window(6))) AS spent_6h,
                  CAST(sum(items) FILTER (\(window(24))) AS BIGINT) AS bought_1d,
                  stddev_samp(amount) FILTER (\(window(6))) AS spread, min(amount) FILTER (\(window(1))) AS least,
                  count(DISTINCT page) FILTER (\(window(6))) AS pages,
                  quantile_cont(amount, 0.5) FILTER (\(window(6))) AS median
                FROM clicks WHERE epoch_us(arrived_at) <= \(moment) GROUP BY "user"
                """)
            let users = try table.strings("user")
            let reader = try await factory.store.onlineReader(.features(views))
            for (row, user) in users.enumerated() {
                guard let user, let streamed = snapshot.values[user] else { continue }
                // Past its ttl a value is not to be had.
                guard streamed.first != .scalar(.string("outsideMaxAge")) else { continue }
                for name in [
                    "clicks_1h", "clicks_1d", "spent_6h", "bought_1d", "spread", "least", "pages", "median",
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
                    let isClose =
                        expected.isNaN
                        ? found.isNaN : abs(found - expected) <= 1e-9 * max(1, abs(expected))
                    #expect(isClose, "\(name) of \(user) at \(snapshot.moment): \(found), by SQL \(expected)")
                }
            }
        }
    }
}
