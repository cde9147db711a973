import Basics
import Foundation
import Testing

@testable import Aggregations

/// The rows of entities, as a hash of their bits: one moment's last row counts.
struct RowHash {
    private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    private(set) var count = 0
    private var held: WindowRow?

    mutating func add(_ row: WindowRow) {
        if let held, held.time != row.time { settle() }
        held = row
    }

    mutating func settle() {
        guard let row = held else { return }
        held = nil
        count += 1
        mix(UInt64(bitPattern: row.time))
        mix(row.cause == .exit ? 1 : 2)
        for value in row.values {
            switch value {
            case .scalar(let value): mix(value)
            case .list(let values):
                mix(UInt64(values.count))
                for value in values { mix(value) }
            }
        }
    }

    private mutating func mix(_ word: UInt64) { hash = SplitMix.mix(hash ^ word) }

    private mutating func mix(_ value: ScalarValue) {
        switch value {
        case .null: mix(11)
        case .integer(let whole): mix(UInt64(bitPattern: whole) ^ 12)
        case .double(let number): mix(number.bitPattern ^ 13)
        case .string(let text): for byte in text.utf8 { mix(UInt64(byte)) }
        case .boolean(let isTrue): mix(isTrue ? 15 : 16)
        case .timestamp(let time): mix(UInt64(bitPattern: time.microseconds) ^ 17)
        }
    }
}

/// Many entities under the plan of a payments view, as history and as a stream.
struct PaymentStream {
    static let minute: Int64 = 60_000_000

    let plan: WindowPlan
    private(set) var events: [(entity: Int, event: WindowEvent)] = []

    init(count: Int, entities: Int, every: Int64?, seed: UInt64) throws {
        let (minute, hour) = (PaymentStream.minute, 60 * PaymentStream.minute)
        func feature(_ function: AggregateFunction, _ column: String?, _ window: Int64) -> WindowFeature {
            WindowFeature(
                name: "\(function) \(column ?? "") \(window)", function: function, column: column, window: window)
        }
        plan = try WindowPlan(
            columns: [
                WindowColumn(name: "amount", type: .double), WindowColumn(name: "items", type: .integer),
                WindowColumn(name: "shop", type: .string),
            ],
            features: [
                feature(.count, nil, hour), feature(.sum, "amount", hour), feature(.max, "amount", hour),
                feature(.count, nil, 24 * hour), feature(.mean, "amount", 24 * hour),
                feature(.std, "amount", 24 * hour),
                feature(.distinctCount, "shop", 24 * hour), feature(.sum, "amount", 168 * hour),
                feature(.last, "shop", 168 * hour), feature(.percentile(0.9), "amount", 168 * hour),
            ], tile: 5 * minute, every: every, lateness: 48 * hour)
        var random = TestRandom(seed)
        var now: Int64 = 1_700_000_000_000_000
        let shops = (0..<50).map { ScalarValue.string("shop \($0)") }
        let step = 30 * 24 * hour * 2 / Int64(max(1, count))
        for index in 0..<count {
            now += random.within(0...step)
            // One in twenty is late: mostly by hours, some by more than is allowed.
            let age = random.chance(5) ? random.within(0...(50 * hour)) : random.within(0...2_000_000)
            events.append(
                (
                    random.below(entities),
                    WindowEvent(
                        eventTime: now - age, availableTime: now, sequence: Int64(index),
                        values: [
                            random.chance(2) ? .null : .double(Double(random.within(1...10_000_000)) / 97),
                            .integer(random.within(1...9)), random.pick(shops),
                        ])
                ))
        }
    }

    func offline() throws -> (hashes: [RowHash], late: Int) {
        var hashes = Array(repeating: RowHash(), count: 1 + (events.map(\.entity).max() ?? 0))
        var builder = HistoryBuilder(plan: plan)
        for (index, item) in events.enumerated().sorted(by: { ($0.1.entity, $0.0) < ($1.1.entity, $1.0) }) {
            _ = index
            try builder.add(key: PaymentStream.key(item.entity), item.event) {
                hashes[PaymentStream.entity($0)].add($1)
            }
        }
        builder.finish { hashes[PaymentStream.entity($0)].add($1) }
        for index in hashes.indices { hashes[index].settle() }
        return (hashes, builder.counts.tooLate)
    }

    /// In order of arrival, the clock of all entities moving now and then, and the states going through bytes.
    func streamed(clockEvery: Int, bytesEvery: Int) throws -> (hashes: [RowHash], late: Int, largest: Int) {
        let count = 1 + (events.map(\.entity).max() ?? 0)
        var hashes = Array(repeating: RowHash(), count: count)
        var states = Array(repeating: EntityState(plan: plan), count: count)
        var (late, largest) = (0, 0)
        for (index, item) in events.enumerated() {
            if index % clockEvery == clockEvery - 1 {
                for entity in states.indices where (states[entity].nextChange ?? .max) < item.event.availableTime {
                    states[entity].advance(to: item.event.availableTime - 1) { hashes[entity].add($0) }
                }
            }
            if try states[item.entity].insert(item.event, emit: { hashes[item.entity].add($0) }) == .tooLate {
                late += 1
            }
            if index % bytesEvery == bytesEvery - 1 {
                let bytes = states[item.entity].encoded()
                largest = max(largest, bytes.count)
                states[item.entity] = try EntityState(plan: plan, encoded: bytes)
            }
        }
        for entity in states.indices {
            states[entity].advance(to: .max) { hashes[entity].add($0) }
            hashes[entity].settle()
        }
        return (hashes, late, largest)
    }

    private static func key(_ entity: Int) -> [UInt8] { [UInt8(entity >> 8), UInt8(entity & 255)] }

    private static func entity(_ key: [UInt8]) -> Int { Int(key[0]) << 8 | Int(key[1]) }
}

/// History and stream give the same rows, bit for bit.
@Suite struct WindowPathTests {
    @Test(arguments: [nil, 15 * PaymentStream.minute] as [Int64?])
    func historyEqualsStream(every: Int64?) throws {
        let stream = try PaymentStream(count: 10_000, entities: 40, every: every, seed: 5)
        let (offline, lateOffline) = try stream.offline()
        let (streamed, lateStreamed, _) = try stream.streamed(clockEvery: 7, bytesEvery: 11)
        #expect(lateOffline == lateStreamed && lateOffline > 0)
        #expect(offline.map(\.hash) == streamed.map(\.hash))
        #expect(offline.map(\.count) == streamed.map(\.count))
        #expect(offline.reduce(0) { $0 + $1.count } > 10_000)
    }

    /// Small cases of all functions: with and without a clock, in one go and through bytes after each event.
    @Test func everyPathGivesTheSameRows() throws {
        var random = TestRandom(99)
        for number in 0..<500 {
            let example = try WindowCase(&random)
            let expected = try history(example.plan, example.events)
            var state = EntityState(plan: example.plan)
            var rows: [WindowRow] = []
            func take(_ row: WindowRow) {
                if rows.last?.time == row.time { rows.removeLast() }
                rows.append(row)
            }
            for event in example.events {
                if random.chance(50) {
                    state.advance(to: event.availableTime - random.within(0...3), emit: take)
                }
                // Whatever is asked in between changes nothing.
                if random.chance(30) { _ = state.values(at: event.availableTime + random.within(0...100)) }
                try state.insert(event, emit: take)
                // A replay has no effect.
                let replay = try state.insert(event, emit: take)
                #expect(replay == .notNewer || replay == .tooLate)
                let bytes = state.encoded()
                state = try EntityState(plan: example.plan, encoded: bytes)
                #expect(state.encoded() == bytes)
            }
            state.advance(to: .max, emit: take)
            try #require(rows.count == expected.count, "case \(number)")
            for (row, wanted) in zip(rows, expected) {
                try #require(row.isIdentical(to: wanted), "case \(number): \(row) instead of \(wanted)")
            }
        }
    }
}

@Suite(.enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] == "1"))
struct WindowPathSoak {
    @Test func aMillionEvents() throws {
        let stream = try PaymentStream(count: 1_000_000, entities: 2000, every: nil, seed: 6)
        let (offline, lateOffline) = try stream.offline()
        let (streamed, lateStreamed, _) = try stream.streamed(clockEvery: 1000, bytesEvery: 1000)
        #expect(lateOffline == lateStreamed && lateOffline > 1000)
        #expect(offline.map(\.hash) == streamed.map(\.hash))
        #expect(offline.map(\.count) == streamed.map(\.count))
        #expect(offline.reduce(0) { $0 + $1.count } > 1_000_000)
    }
}
