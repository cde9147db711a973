import Basics
import Journal
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Features

@Suite struct OnlineMaterialisationTests {
    private func moment(_ text: String) throws -> Timestamp { try #require(Timestamp(text)) }

    private func total(_ store: FeatureStore, _ shop: String, _ at: Timestamp) async throws -> FeatureValue {
        try await store.read(.features(["shop_last"]), [[.string(shop)]], at: at)[0][0].value
    }

    @Test func aWindowTakesTheNewestRowInItWithBothEnds() async throws {
        let factory = try await OnlineFactory(
            (8...12).map { OnlineFactory.row("a", 1, "2020-01-01T\($0 < 10 ? "0" : "")\($0):00:00Z", amount: "\($0)") })
        let store = factory.store
        let noon = try moment("2020-01-01T12:00:00Z")
        let nine = try moment("2020-01-01T09:00:00Z")
        let eleven = try moment("2020-01-01T11:00:00Z")
        let window = try await store.materialize(["shop_last"], from: nine, to: eleven, by: "test")
        #expect(window.views.map(\.written) == [1])
        #expect(try await total(store, "a", noon) == .scalar(.double(11)))
        // An earlier window can not take the newer value back.
        let earlier = try await store.materialize(["shop_last"], from: nil, to: nine, by: "test")
        #expect(earlier.views.map(\.skipped) == [1])
        #expect(try await total(store, "a", noon) == .scalar(.double(11)))
        let rest = try await store.materializeIncremental(["shop_last"], to: noon, by: "test")
        #expect(rest.written == 1)
        #expect(try await total(store, "a", noon) == .scalar(.double(12)))
        #expect(try await store.materializeIncremental(["shop_last"], to: noon, by: "test").written == 0)
        await factory.close()
    }

    @Test func anEndInTheFutureIsNowAndBlocksNothing() async throws {
        let factory = try await OnlineFactory(
            [
                OnlineFactory.row("a", 1, "2020-01-01T10:00:00Z", amount: "1"),
                OnlineFactory.row("a", 1, "2020-01-01T14:00:00Z", amount: "2"),
            ], at: "2020-01-01T12:00:00Z")
        let store = factory.store
        let report = try await store.materializeIncremental(to: try moment("2030-01-01"), by: "test")
        #expect(report.warnings.count == 1)
        #expect(report.to == (try moment("2020-01-01T12:00:00Z")))
        let later = try moment("2020-01-01T15:00:00Z")
        #expect(try await total(store, "a", later) == .scalar(.double(1)))
        factory.clock.advance(to: later)
        _ = try await store.materializeIncremental(by: "test")
        #expect(try await total(store, "a", later) == .scalar(.double(2)))
        await #expect {
            _ = try await store.materialize(from: later, to: try moment("2020-01-01"), by: "test")
        } throws: {
            "\($0)".contains("after its end")
        }
        await #expect { _ = try await store.materialize(["shoplast"], from: nil, by: "test") } throws: {
            "\($0)".contains("shop_last")
        }
        await factory.close()
    }

    @Test func rowsThatArriveLateAreFoundThoughTheirEventTimeIsOld() async throws {
        let first = [OnlineFactory.row("a", 1, "2020-01-01T10:00:00Z", amount: "1")]
        let factory = try await OnlineFactory(first)
        let store = factory.store
        let noon = try moment("2020-01-01T12:00:00Z")
        _ = try await store.materializeIncremental(to: noon, by: "test")
        try factory.write(first + [OnlineFactory.row("late", 1, "2020-01-01T08:00:00Z", amount: "9")])
        _ = try await store.ingest(by: "test")
        _ = try await store.materializeIncremental(to: noon, by: "test")
        #expect(try await total(store, "late", noon) == .scalar(.double(9)))
        await factory.close()
    }

    @Test func progressReachesItsTotalAndTheJournalTells() async throws {
        let factory = try await OnlineFactory(
            (0..<50).map { OnlineFactory.row("s\($0)", 1, "2020-01-01T10:00:00Z") })
        let seen = Mutex<MaterialisationProgress?>(nil)
        let report = try await factory.store.materialize(from: nil, by: "user:test") { step in
            seen.withLock { $0 = step }
        }
        #expect(report.written == 100)
        #expect(seen.withLock { $0?.done } == 100)
        #expect(seen.withLock { $0?.total } == 100)
        let run = try factory.store.startMaterialisation(
            nil, from: nil, to: nil, incremental: false, by: "user:test")
        let deadline = ContinuousClock.now + .seconds(20)
        while run.status.state == .running, ContinuousClock.now < deadline { await Task.yield() }
        #expect(try factory.store.materialisation(run.id).report?.written == 100)
        #expect(throws: FeaturesFailure.self) { try factory.store.materialisation("other") }
        let entries = try await Journal(factory.database).entries(type: "features.materialised")
        #expect(entries.count == 2)
        await factory.close()
    }

    @Test func anErasedSubjectIsGoneFromAllViewsOfTheEntity() async throws {
        let factory = try await OnlineFactory([
            OnlineFactory.row("a", 1, "2020-01-01T10:00:00Z"), OnlineFactory.row("a", 2, "2020-01-01T10:00:00Z"),
            OnlineFactory.row("b", 1, "2020-01-01T10:00:00Z"),
        ])
        let store = factory.store
        let ten = try moment("2020-01-01T10:00:00Z")
        _ = try await store.materialize(from: nil, by: "test")
        let byItem = try await store.eraseOnline(entity: "item", keys: ["item": .integer(1)], by: "test")
        #expect(byItem.views == [OnlineErasure.View(view: "stock", rows: 2)])
        let erased = try await store.eraseOnline(entity: "shop", keys: ["shop": .string("a")], by: "test")
        #expect(erased.rows == 2)
        #expect(
            erased.views == [
                OnlineErasure.View(view: "last_click", rows: 0), OnlineErasure.View(view: "shop_last", rows: 1),
                OnlineErasure.View(view: "stock", rows: 1),
            ])
        let read = try await store.read(.features(["shop_last"]), [[.string("a")], [.string("b")]], at: ten)
        #expect(read.map { $0[0].status } == [.notFound, .present])
        let entries = try await Journal(factory.database).entries(type: "features.erased")
        #expect(entries.count == 2)
        await #expect { _ = try await store.eraseOnline(entity: "shop", keys: [:], by: "test") } throws: {
            "\($0)".contains("'shop'")
        }
        await factory.close()
    }

    @Test func rowsLongPastTheirTtlAreRemovedAndStaleViewsAreToldOnce() async throws {
        let factory = try await OnlineFactory([OnlineFactory.row("a", 1, "2020-01-01T10:00:00Z")])
        let store = factory.store
        _ = try await store.materialize(from: nil, by: "test")
        let ten = try moment("2020-01-01T10:00:00Z")
        #expect(try await store.sweepOnline(at: ten.advanced(bySeconds: 7200), marginSeconds: 3600) == 0)
        #expect(try await store.sweepOnline(at: ten.advanced(bySeconds: 7201), marginSeconds: 3600) == 1)
        let written = factory.clock.now
        func stale(_ seconds: Int64) async throws -> [String] {
            try await store.freshness(at: written.advanced(bySeconds: seconds)).filter(\.isStale).map(\.view)
        }
        #expect(try await stale(3600) == [])
        #expect(try await stale(3601) == ["shop_last"])
        #expect(try await stale(7201) == ["shop_last", "stock"])
        let upkeep = OnlineUpkeep(features: store, metrics: nil, logger: .silent)
        for seconds in [0, 7201, 7300, 7400] as [Int64] {
            try await upkeep.run(at: written.advanced(bySeconds: seconds))
        }
        let entries = try await Journal(factory.database).entries(type: "features.stale")
        #expect(entries.count == 2)
        await factory.close()
    }

    @Test func hoursWithoutEventsMakeNothingStale() async throws {
        let factory = try await OnlineFactory([OnlineFactory.row("a", 1, "2020-01-01T10:00:00Z")])
        let store = factory.store
        let start = factory.clock.now
        let materialisation = Materialisation(features: store)
        #expect(try await materialisation.advance(services: ["shops"], to: start) > 0)
        for minutes in stride(from: 0, through: 600, by: 10) as StrideThrough<Int64> {
            let moment = start.advanced(bySeconds: minutes * 60)
            #expect(try await materialisation.advance(services: ["shops"], to: moment) == 0)
            // As another process sees it.
            let stock = try await store.freshness(at: moment).first { $0.view == "stock" }
            #expect(stock?.isStale == false, "\(minutes) min")
        }
        #expect(
            try await store.freshness(at: start.advanced(bySeconds: 18 * 3600)).first { $0.view == "stock" }?.isStale
                == true)
        await factory.close()
    }
}
