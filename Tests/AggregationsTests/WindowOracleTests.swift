import Basics
import Testing

@testable import Aggregations

/// Random events under random plans against the definition of a window.
@Suite struct WindowOracleTests {
    @Test func rowsHoldWhatTheDefinitionSaysAtEveryMoment() throws {
        var random = TestRandom(20_261_121)
        var compared = 0
        for number in 0..<1500 {
            let example = try WindowCase(&random)
            // The oracle's set of texts is a set of Swift strings, which takes the two ways to write an e acute as one.
            let events = usesDistinctTexts(example.plan) ? plain(example.events) : example.events
            let oracle = WindowOracle(plan: example.plan, events: events)
            let rows = try history(example.plan, events)
            #expect(zip(rows, rows.dropFirst()).allSatisfy { $0.time < $1.time }, "case \(number)")
            #expect(Set(rows.filter { $0.cause == .events }.map(\.time)) == oracle.publishTimes, "case \(number)")
            let changes = oracle.changes
            #expect(Set(rows.map(\.time)).isSubset(of: changes), "case \(number)")
            var place = 0
            for time in changes {
                while place + 1 < rows.count, rows[place + 1].time <= time { place += 1 }
                let expected = oracle.values(at: time)
                try #require(
                    WindowOracle.agree(rows[place].values, expected),
                    "case \(number) at \(time): \(rows[place].values) instead of \(expected)")
                compared += 1
            }
        }
        #expect(compared > 20_000)
    }

    /// A state asked at any moment says what the newest row says, bit for bit.
    @Test func valuesBetweenRowsAreThoseOfTheNewestRow() throws {
        var random = TestRandom(77)
        for number in 0..<400 {
            let example = try WindowCase(&random)
            let rows = try history(example.plan, example.events)
            var state = EntityState(plan: example.plan)
            for event in example.events { _ = try state.insert(event) { _ in } }
            guard let last = rows.last(where: { $0.cause == .events }) else { continue }
            for _ in 0..<20 {
                let time = last.time + random.within(0...(example.plan.layout.longestWindow + 10))
                let row = try #require(rows.last { $0.time <= time })
                let current = state.values(at: time)
                let values = try #require(current)
                #expect(zip(values, row.values).allSatisfy { $0.isIdentical(to: $1) }, "case \(number) at \(time)")
            }
            let past = state.values(at: last.time - 1)
            #expect(past == nil)
            // Having been asked about the future changes none of the rows.
            var rest: [WindowRow] = []
            state.advance(to: .max) { rest.append($0) }
            #expect(zip(rest, rows.suffix(rest.count)).allSatisfy { $0.isIdentical(to: $1) }, "case \(number)")
            #expect(rest.first?.time == last.time && state.nextChange == nil && state.tileCount == 0)
        }
    }

    private func usesDistinctTexts(_ plan: WindowPlan) -> Bool { !plan.layout.textDistinct.isEmpty }

    private func plain(_ events: [WindowEvent]) -> [WindowEvent] {
        events.map { event in
            var event = event
            if event.values[2] == .string("e\u{301}") { event.values[2] = .string("A") }
            return event
        }
    }
}
