import Basics
import Testing

@testable import Aggregations

/// What a state refuses, and what bytes do to it.
@Suite struct EntityStateTests {
    private func plan(_ features: [WindowFeature], tile: Int64 = 5) throws -> WindowPlan {
        try WindowPlan(columns: WindowCase.columns, features: features, tile: tile)
    }

    private func feature(
        _ function: AggregateFunction, _ column: String?, _ window: Int64 = 10, name: String = "f"
    ) -> WindowFeature {
        WindowFeature(name: name, function: function, column: column, window: window)
    }

    @Test func contradictingDeclarationsAreRefused() throws {
        let wrong: [([WindowFeature], String)] = [
            ([], "no feature"), ([feature(.count, nil, 7)], "multiple"), ([feature(.count, nil, 0)], "multiple"),
            ([feature(.count, nil, .max)], "multiple"), ([feature(.sum, nil)], "no column"),
            ([feature(.sum, "none")], "'none'"), ([feature(.sum, "city")], "numbers"),
            ([feature(.mean, "at")], "numbers"), ([feature(.percentile(0.5), "city")], "numbers"),
            ([feature(.percentile(1.5), "items")], "share"), ([feature(.percentile(.nan), "items")], "share"),
            ([feature(.lastN(0), "city")], "values"), ([feature(.lastN(5000), "city")], "values"),
            ([feature(.count, nil), feature(.count, nil)], "one name"),
        ]
        for (features, word) in wrong {
            let failure = #expect(throws: AggregationFailure.self) { _ = try plan(features) }
            #expect(failure?.description.contains(word) == true, "\(String(describing: failure)) and \(word)")
            #expect(failure?.code == .invalidArgument)
        }
        #expect(throws: AggregationFailure.self) { _ = try plan([feature(.count, nil)], tile: 0) }
        for (every, lateness) in [(0, 0), (1, -1)] as [(Int64, Int64)] {
            #expect(throws: AggregationFailure.self) {
                _ = try WindowPlan(
                    columns: [], features: [feature(.count, nil)], tile: 5, every: every, lateness: lateness)
            }
        }
    }

    @Test func badEventsAreRefusedAndLeaveTheStateAsItWas() throws {
        let plan = try plan([feature(.sum, "amount"), feature(.min, "city", name: "g")])
        var state = EntityState(plan: plan)
        var random = TestRandom(1)
        let values = WindowCase.row(&random)
        try state.insert(WindowEvent(eventTime: 3, availableTime: 4, sequence: 9, values: values)) { _ in }
        let before = state.encoded()
        let wrong: [(WindowEvent, AggregationFailure)] = [
            (
                WindowEvent(eventTime: 9, availableTime: 8, sequence: 1, values: values),
                .availableBeforeEvent(event: 9, available: 8)
            ),
            (
                WindowEvent(eventTime: 9, availableTime: 9, sequence: 1, values: [.null]),
                .valueCount(expected: 5, found: 1)
            ),
            (
                WindowEvent(eventTime: 9, availableTime: 9, sequence: 1, values: [.string("x")] + values.dropFirst()),
                .wrongType(column: "amount", expected: .double, found: "string")
            ),
            (
                WindowEvent(eventTime: .min, availableTime: 9, sequence: 1, values: values), .timeOutOfRange(.min)
            ),
            (
                WindowEvent(eventTime: 9, availableTime: .max, sequence: 1, values: values), .timeOutOfRange(.max)
            ),
        ]
        for (event, failure) in wrong {
            #expect(throws: failure) { try state.insert(event) { _ in } }
            #expect(!failure.message.isEmpty && failure.remedy != nil)
            #expect(state.encoded() == before)
        }
        state.advance(to: 10) { _ in }
        #expect(throws: AggregationFailure.behindClock(published: 9, clock: 10)) {
            try state.insert(WindowEvent(eventTime: 9, availableTime: 9, sequence: 1, values: values)) { _ in }
        }
        // Times at the ends of the range are no harm.
        let wide = try self.plan([feature(.count, nil, 1 << 55)], tile: 1 << 55)
        var far = EntityState(plan: wide)
        for time in [-(1 << 60), 0, 1 << 60] as [Int64] {
            try far.insert(WindowEvent(eventTime: time, availableTime: time, sequence: 0, values: values)) { _ in }
        }
        far.advance(to: .max) { _ in }
        #expect(far.nextChange == nil && far.nextExit(after: .min) == nil)
    }

    @Test func eventsOutOfOrderStopAHistory() throws {
        var builder = HistoryBuilder(plan: try plan([feature(.count, nil)]))
        let values = Array(repeating: ScalarValue.null, count: 5)
        try builder.add(key: [1], WindowEvent(eventTime: 3, availableTime: 4, sequence: 0, values: values)) { _, _ in }
        #expect(throws: AggregationFailure.unsorted(available: 4, sequence: 0)) {
            try builder.add(key: [1], WindowEvent(eventTime: 3, availableTime: 4, sequence: 0, values: values)) {
                _, _ in
            }
        }
    }

    @Test func theNextChangeIsThePublishTimeThenTheExits() throws {
        let plan = try WindowPlan(
            columns: [], features: [feature(.count, nil, 10), feature(.count, nil, 20, name: "g")], tile: 5, every: 10)
        var state = EntityState(plan: plan)
        #expect(state.nextChange == nil)
        try state.insert(WindowEvent(eventTime: 7, availableTime: 7, sequence: 0, values: [])) { _ in }
        #expect(state.nextChange == 10)
        state.advance(to: 10) { _ in }
        #expect(state.nextChange == 20 && state.nextExit(after: 20) == 30 && state.nextExit(after: 30) == nil)
    }

    @Test func noBytesTrap() throws {
        var random = TestRandom(4711)
        var (refused, taken) = (0, 0)
        for _ in 0..<150 {
            let example = try WindowCase(&random)
            var state = EntityState(plan: example.plan)
            for event in example.events { _ = try state.insert(event) { _ in } }
            let bytes = state.encoded()
            for length in 0..<min(bytes.count, 40) {
                #expect(throws: AggregationFailure.self) {
                    _ = try EntityState(plan: example.plan, encoded: Array(bytes.prefix(length)))
                }
            }
            for _ in 0..<60 {
                var broken = bytes
                for _ in 0..<(1 + random.below(4)) {
                    // Mostly after the plan's fingerprint, which would refuse everything.
                    let place = random.chance(98) ? min(broken.count - 1, 9 + random.below(broken.count)) : 0
                    switch random.below(3) {
                    case 0: broken[place] ^= 1 << UInt8(random.below(8))
                    case 1: broken[place] = random.pick([0, 1, 0x7f, 0x80, 0xff])
                    default: broken.insert(UInt8(random.below(256)), at: place)
                    }
                }
                do {
                    var other = try EntityState(plan: example.plan, encoded: broken)
                    taken += 1
                    _ = other.values(at: 1000)
                    for event in example.events.suffix(3) { _ = try? other.insert(event) { _ in } }
                    _ = other.nextChange
                    _ = other.encoded()
                    other.advance(to: .max) { _ in }
                } catch {
                    refused += 1
                    #expect(error.code == .dataLoss || error.code == .failedPrecondition)
                }
            }
        }
        #expect(refused > 1000 && taken > 100, "\(refused) refused and \(taken) taken")
    }

    @Test func aStateBelongsToItsPlan() throws {
        let bytes = EntityState(plan: try plan([feature(.count, nil)])).encoded()
        #expect(throws: AggregationFailure.otherPlan) {
            _ = try EntityState(plan: try plan([feature(.count, nil, 15)]), encoded: bytes)
        }
        #expect(throws: AggregationFailure.badState("its version is unknown")) {
            _ = try EntityState(plan: try plan([feature(.count, nil)]), encoded: [9] + bytes.dropFirst())
        }
        // Names and lateness are no part of the state.
        _ = try EntityState(plan: try plan([feature(.count, nil, name: "other")]), encoded: bytes)
    }
}
