import Basics
import TestSupport
import Testing

@testable import Features

@Suite struct OnlineWriterTests {
    private let ten = Timestamp("2020-01-01T10:00:00Z") ?? .distantPast

    private func clicks(_ shop: ScalarValue, _ at: ScalarValue, _ price: ScalarValue) throws -> FeatureRows {
        try FeatureRows([("shop", [.scalar(shop)]), ("at", [.scalar(at)]), ("price", [.scalar(price)])])
    }

    @Test func aPushToAStreamIsReadAtOnceAndNoOlderOneReplacesIt() async throws {
        let factory = try await OnlineFactory(
            [OnlineFactory.row("a", 1, "2020-01-01T10:00:00Z")], at: "2020-01-01T10:00:00Z")
        let store = factory.store
        func price() async throws -> FeatureValue {
            try await store.read(.features(["last_click"]), [[.string("a")]], at: ten)[0][0].value
        }
        let first = try await store.pushOnline(
            "clicks", clicks(.string("a"), .string("2020-01-01 09:59:00"), .integer(7)))
        #expect(first.map(\.written) == [1])
        #expect(try await price() == .scalar(.double(7)))
        let older = try await store.pushOnline(
            "clicks", clicks(.string("a"), .string("2020-01-01T09:58:00Z"), .double(1)))
        #expect(older.map(\.skipped) == [1])
        #expect(try await price() == .scalar(.double(7)))
        let same = try await store.pushOnline(
            "clicks", clicks(.string("a"), .string("2020-01-01T09:59:00Z"), .double(.nan)))
        #expect(same.map(\.written) == [1])
        #expect(try await price() == .null)
        await factory.close()
    }

    @Test func badRowsAreRefusedAndNothingIsWritten() async throws {
        let factory = try await OnlineFactory([OnlineFactory.row("a", 1, "2020-01-01T10:00:00Z")])
        _ = try await factory.store.materialize(["shop_last"], from: nil, to: ten, by: "test")
        func refused(_ columns: [(name: String, values: [FeatureValue])], _ words: String...) async {
            await #expect {
                _ = try await factory.store.pushOnline("shop_last", try FeatureRows(columns))
            } throws: { error in
                words.allSatisfy { "\(error)".contains($0) }
            }
        }
        let shop = (name: "shop", values: [FeatureValue.scalar(.string("z")), .scalar(.string("y"))])
        let time = (name: "happened", values: [FeatureValue.scalar(.timestamp(ten)), .scalar(.timestamp(ten))])
        let total = (name: "total", values: [FeatureValue.scalar(.double(1)), .scalar(.double(2))])
        await refused([shop, time], "the feature 'total'", "is missing")
        await refused([shop, total, (name: "hapened", values: time.values)], "'happened'", "You sent 'hapened'")
        await refused([shop, time, (name: "total", values: [.scalar(.double(1))])], "has 1 values")
        await refused([shop, shop, time, total], "sent twice")
        await refused(
            [shop, time, (name: "total", values: [.scalar(.double(1)), .scalar(.string("x"))])], "row 1", "the text 'x'"
        )
        await refused([shop, time, (name: "total", values: [.scalar(.double(1)), .list([])])], "a list")
        await refused(
            [shop, (name: "happened", values: [.scalar(.timestamp(ten)), .null]), total], "row 1", "is null")
        await refused(
            [shop, (name: "happened", values: [.scalar(.timestamp(ten)), .scalar(.string("noon"))]), total], "noon")
        await refused(
            [(name: "shop", values: [.scalar(.string("z")), .null]), time, total], "'shop' of row 1 is null")
        await refused(
            [(name: "shop", values: [.scalar(.string("z")), .scalar(.boolean(true))]), time, total], "type string")
        await #expect { _ = try await factory.store.pushOnline("shoplast", try FeatureRows([shop])) } throws: {
            "\($0)".contains("Did you mean 'shop_last'?")
        }
        let read = try await factory.store.read(.features(["shop_last"]), [[.string("z")], [.string("y")]], at: ten)
        #expect(read.allSatisfy { $0[0].status == .notFound })
        let good = try await factory.store.pushOnline(
            "shop_last", try FeatureRows([shop, time, total, (name: "more", values: total.values)]))
        #expect(good == [OnlineWriteResult(view: "shop_last", written: 2, skipped: 0, ignored: ["more"])])
        await factory.close()
    }

    @Test func theLargestStampStaysWhateverIsWrittenAtTheSameTime() async throws {
        let random = SeededRandom(seed: 11)
        let noon = try #require(Timestamp("2020-01-01T12:00:00Z"))
        let shops = (0..<20).map { "s\($0)" }
        // What histories hold, and what is pushed meanwhile: the value of a row is its event time in seconds.
        var newest: [String: Int64] = [:]
        var lines: [String] = []
        var pushes: [[(shop: String, second: Int64)]] = []
        for shop in shops {
            for second in Set((0..<20).map { _ in Int64(random.next() % 3600) }) {
                let time = Timestamp(microseconds: noon.microseconds - second * 1_000_000)
                lines.append(OnlineFactory.row(shop, 1, time.description, amount: "\(time.microseconds / 1_000_000)"))
                newest[shop] = max(newest[shop] ?? .min, time.microseconds / 1_000_000)
            }
        }
        for _ in 0..<60 {
            pushes.append(
                (0..<10).map { _ in
                    let shop = shops[Int(random.next() % UInt64(shops.count))]
                    let second = noon.microseconds / 1_000_000 - Int64(random.next() % 3600)
                    newest[shop] = max(newest[shop] ?? .min, second)
                    return (shop, second)
                })
        }
        let factory = try await OnlineFactory(lines)
        let store = factory.store
        let writer = try await store.onlineWriter("shop_last")
        let materialisation = Materialisation(features: store)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for part in 0..<3 {
                let mine = stride(from: part, to: pushes.count, by: 3).map { pushes[$0] }
                group.addTask {
                    for push in mine {
                        try await writer.write(
                            try FeatureRows([
                                ("shop", push.map { .scalar(.string($0.shop)) }),
                                ("happened", push.map { .scalar(.timestamp(Timestamp(seconds: $0.second))) }),
                                ("total", push.map { .scalar(.integer($0.second)) }),
                            ]))
                    }
                }
            }
            group.addTask {
                for step in 0...12 {
                    try await materialisation.advance(
                        services: ["shops"], to: noon.advanced(bySeconds: Int64(step * 300) - 3600))
                }
            }
            group.addTask { _ = try await store.materialize(["shop_last"], from: nil, to: noon, by: "test") }
            try await group.waitForAll()
        }
        let read = try await store.read(.features(["shop_last"]), shops.map { [.string($0)] }, at: noon)
        for (shop, values) in zip(shops, read) {
            #expect(values[0].value == .scalar(.double(Double(newest[shop] ?? 0))), "\(shop)")
        }
        await factory.close()
    }
}
