import Basics
import Testing

@testable import Aggregations

/// Small cases worked out by hand.
@Suite struct WindowsByHandTests {
    private static let columns = [WindowColumn(name: "x", type: .double)]

    private func plan(
        tile: Int64 = 5, every: Int64? = nil, lateness: Int64? = nil, limit: Int = 100,
        _ functions: [AggregateFunction],
        windows: [Int64] = [10]
    ) throws -> WindowPlan {
        try WindowPlan(
            columns: WindowsByHandTests.columns,
            features: windows.flatMap { window in
                functions.map { WindowFeature(name: "\($0) \(window)", function: $0, column: "x", window: window) }
            }, tile: tile, every: every, lateness: lateness, valueLimit: limit)
    }

    private func event(
        _ time: Int64, _ value: Double?, at available: Int64? = nil, sequence: Int64 = 0
    ) -> WindowEvent {
        WindowEvent(
            eventTime: time, availableTime: available ?? time, sequence: sequence,
            values: [value.map { .double($0) } ?? .null])
    }

    /// Each row as its time and its values.
    private func rows(_ plan: WindowPlan, _ events: [WindowEvent]) throws -> [String] {
        try history(plan, events).map { row in
            "\(row.time)\(row.cause == .exit ? "x" : ""): " + row.values.map(text).joined(separator: " ")
        }
    }

    private func text(_ value: AggregateValue) -> String {
        switch value {
        case .scalar(let value): text(value)
        case .list(let values): "[" + values.map(text).joined(separator: ",") + "]"
        }
    }

    private func text(_ value: ScalarValue) -> String {
        switch value {
        case .integer(let whole): "\(whole)"
        case .double(let number): "\(number)"
        default: "-"
        }
    }

    @Test func anEventIsInTheTileThatEndsAtItAndLeavesWithTheTile() throws {
        let plan = try plan([.count, .sum])
        // The tile (0, 5] leaves at 15, the tile (5, 10] at 20.
        #expect(try rows(plan, [event(5, 1), event(6, 2)]) == ["5: 1 1.0", "6: 2 3.0", "15x: 1 2.0", "20x: 0 -"])
        #expect(try rows(plan, [event(1, 1)]) == ["1: 1 1.0", "15x: 0 -"])
        // Before 1970: the tile (-5, 0].
        #expect(try rows(plan, [event(-4, 1), event(0, 2)]) == ["-4: 1 1.0", "0: 2 3.0", "10x: 0 -"])
        // An event in the instant of an exit: one row.
        #expect(try rows(plan, [event(5, 1), event(15, 2)]) == ["5: 1 1.0", "15: 1 2.0", "25x: 0 -"])
    }

    @Test func rowsStandOnTheGrid() throws {
        // Known at 3, counts from 4.
        let fine = try plan(tile: 4, every: 4, [.count], windows: [8])
        #expect(try rows(fine, [event(3, 1), event(4, 1), event(5, 1)]) == ["4: 2", "8: 3", "12x: 1", "16x: 0"])
        // The grid is coarser than the tile: (0, 5] is outside (5, 15], the only window at 15.
        let coarse = try plan(tile: 5, every: 15, [.count])
        #expect(try rows(coarse, [event(1, 1, at: 2)]) == ["15: 0"])
        #expect(try rows(coarse, [event(12, 1)]) == ["15: 1", "30x: 0"])
        #expect(try rows(coarse, [event(-12, 1)]) == ["0: 0"])
    }

    @Test func lateEventsJoinTheirTileOrAreDropped() throws {
        #expect(try rows(try plan([.count]), [event(1, 1, at: 12)]) == ["12: 1", "15x: 0"])
        #expect(try rows(try plan([.count]), [event(1, 1, at: 15)]) == ["15: 0"])
        let strict = try plan(lateness: 3, [.count])
        #expect(try rows(strict, [event(1, 1, at: 5), event(2, 1, at: 5, sequence: 1)]) == ["5: 1", "15x: 0"])
        var builder = HistoryBuilder(plan: strict, until: 14)
        var last: WindowRow?
        try builder.add(key: [7], event(1, 1, at: 5)) { last = $1 }
        try builder.add(key: [7], event(2, 1, at: 5, sequence: 1)) { last = $1 }
        builder.finish { last = $1 }
        #expect(builder.counts.events == 2 && builder.counts.tooLate == 1 && builder.counts.rows == 1)
        #expect(last?.time == 5)
    }

    @Test func theNewestIsByEventTimeThenByArrival() throws {
        let plan = try plan([.last, .lastN(2)])
        let events = [
            event(4, 1, at: 4), event(4, 2, at: 4, sequence: 1), event(3, 3, at: 6), event(4, nil, at: 6, sequence: 1),
            event(4, 4, at: 7),
        ]
        #expect(
            try rows(plan, events) == ["4: 2.0 [2.0,1.0]", "6: 2.0 [2.0,1.0]", "7: 4.0 [4.0,2.0]", "15x: - []"])
    }

    @Test func nothingButNullsIsEmpty() throws {
        let plan = try plan([
            .count, .sum, .mean, .min, .max, .std, .distinctCount, .last, .lastN(2), .percentile(0.5),
        ])
        #expect(
            try rows(plan, [event(1, nil), event(2, .nan)]) == ["1: 0 - - - - - 0 - [] -", "2: 0 - - - - - 0 - [] -"])
        #expect(
            try rows(plan, [event(1, -0.0), event(2, .infinity)]) == [
                "1: 1 0.0 0.0 0.0 0.0 - 1 0.0 [0.0] 0.0", "2: 2 inf inf 0.0 inf - 2 inf [inf,0.0] inf",
                "15x: 0 - - - - - 0 - [] -",
            ])
        // Infinities of both signs have no sum, and it comes back when they have left.
        let sum = try self.plan([.sum])
        #expect(
            try rows(sum, [event(1, .infinity), event(6, -.infinity), event(11, 1)]) == [
                "1: inf", "6: -", "11: -", "15x: -inf", "20x: 1.0", "25x: -",
            ])
    }

    @Test func wholeSumsAreExactOrNull() throws {
        let plan = try WindowPlan(
            columns: [WindowColumn(name: "n", type: .integer)],
            features: [
                WindowFeature(name: "s", function: .sum, column: "n", window: 10),
                WindowFeature(name: "m", function: .mean, column: "n", window: 10),
            ], tile: 5)
        let values: [Int64] = [.max, 1, -2]
        let events = values.enumerated().map {
            WindowEvent(eventTime: 1, availableTime: 1 + Int64($0), sequence: 0, values: [.integer($1)])
        }
        let rows = try history(plan, events)
        #expect(rows.map { $0.values[0] } == [.scalar(.integer(.max)), .null, .scalar(.integer(.max - 1)), .null])
        #expect(rows[1].values[1] == .scalar(.double(0x1p62)))
    }

    /// Above the limit a tile is marked and its windows are null, until it has left.
    @Test func moreValuesThanTheLimitAreNull() throws {
        let plan = try plan(limit: 2, [.distinctCount, .percentile(0.5)], windows: [5, 10])
        let events = [event(1, 1), event(2, 2), event(3, 3), event(6, 1), event(16, 5)]
        #expect(
            try rows(plan, events) == [
                "1: 1 1.0 1 1.0", "2: 2 1.5 2 1.5", "3: - - - -",
                // The value 1 is held already as a distinct one; as one more of the ordered ones it is not.
                "6: - - - -", "10x: 1 - - -", "15x: 0 - 1 -", "16: 1 5.0 2 -",
                "20x: 1 5.0 1 5.0", "25x: 0 - 1 5.0", "30x: 0 - 0 -",
            ])
    }

    @Test func numbersFarFromZeroKeepTheirSpread() throws {
        // Worked out with exact fractions.
        let cases: [([Double], Double, Double, Double)] = [
            (
                [1e9 + 0.1, 1e9 + 0.25, 1e9 - 0.3, 1e9 + 0.7, 1e9, 1e9 - 0.9], 0.5401388723564635, 5_999_999_999.85,
                999_999_999.975
            ),
            ([0, 1e9 + 0.5, 1e9 + 0.25, 1e9 + 0.125], 500_000_000.1458333, 3_000_000_000.875, 750_000_000.21875),
            ([2, 4, 4, 4, 5, 5, 7, 9], 2.138089935299395, 40, 5),
            (
                [0, 1, 2, 3, 5, 8, 13].map { 1e15 + $0 }, 4.577377082170635, 7_000_000_000_000_032,
                1_000_000_000_000_004.6
            ),
            (Array(repeating: 0.1, count: 7), 0, 0.7000000000000001, 0.1),
            ([1e-9 + 3, 3, 3 - 2e-9, 3 + 5e-10], 1.3149779286400444e-09, 11.9999999995, 2.999999999875),
        ]
        for (values, deviation, sum, mean) in cases {
            // All in one tile, each in a tile of its own, and each in a group of its own.
            for distance in [0, 5, 50, 350] as [Int64] {
                let plan = try plan([.std, .sum, .mean], windows: [5000])
                let events = values.enumerated().map { event(1 + Int64($0) * distance, $1, sequence: Int64($0)) }
                let row = try #require(try history(plan, events).last { $0.cause == .events })
                let expected: [AggregateValue] = [deviation, sum, mean].map { .scalar(.double($0)) }
                #expect(WindowOracle.agree(row.values, expected), "\(row.values) instead of \(expected)")
            }
        }
    }
}
