import Basics
import Configuration
import Datasets
import Engines
import Foundation
import Journal
import Statistics
import TestSupport
import Testing

@testable import Features

@Suite struct ProfileOfViewTests {
    private static let start = Timestamp("2020-01-01T00:00:00Z") ?? Timestamp(seconds: 0)

    /// One row a second, each of an item of its own, with an amount.
    private static func rows(_ amounts: [String], label: (Int) -> String = { _ in "x" }, from first: Int = 0)
        -> [String]
    {
        amounts.enumerated().map { index, amount in
            OnlineFactory.row(
                "a", first + index, start.advanced(bySeconds: Int64(first + index)).description, amount: amount,
                label: label(index))
        }
    }

    private static func digits(_ count: Int, below base: Int = 10, from first: Int = 0) -> [String] {
        rows((0..<count).map { "\($0 % base)" }, from: first)
    }

    private static func definitions(_ drift: String, freshness: String? = nil) -> [String: String] {
        var files = OnlineFactory.definitions
        var text = (files["features/stock.yaml"] ?? "") + "\ndrift: \(drift)\n"
        if let freshness {
            text = text.replacingOccurrences(
                of: "freshness: {class: batch, within: 2h}", with: "freshness: \(freshness)")
        }
        files["features/stock.yaml"] = text
        return files
    }

    private static func factory(
        _ rows: [String], drift: String = "{}", freshness: String? = nil, on engine: SQLEngine = .sqlite
    ) async throws
        -> OnlineFactory
    {
        let factory = try await OnlineFactory(rows, on: engine)
        factory.store.use(
            try Catalogue(FactoryDocuments(files: definitions(drift, freshness: freshness), environment: [:])),
            dataFolder: "\(factory.folder.path)/data")
        return factory
    }

    private static func ingest(_ rows: [String], into factory: OnlineFactory) async throws {
        factory.clock.advance(to: factory.clock.now.advanced(bySeconds: 60))
        try factory.write(rows)
        _ = try await factory.store.ingest(by: "test")
    }

    private static func built(_ factory: OnlineFactory) async throws -> [String: FeatureProfile] {
        _ = try await factory.store.buildViews(by: "test")
        let profile = try #require(try await factory.store.presentProfile(of: "stock"))
        return Dictionary(profile.features.map { ($0.feature, $0) }) { first, _ in first }
    }

    private static let population = Population(
        sql: "SELECT shop || item AS id, shop, item, happened, 1.0 AS weekday, 1 AS label, happened AS told FROM sold",
        id: "id", time: "happened", label: "label", labelTime: "told")

    private static func trainingSet(_ store: FeatureStore) async throws -> TrainingSet {
        try await store.trainingSet(
            population, service: "shops", from: start, to: start.advanced(bySeconds: 86_400), knownBy: nil)
    }

    @Test func aProfileTellsWhatNumpyTells() async throws {
        let factory = try await Self.factory(
            Self.rows((1...1000).map { $0 % 10 == 0 ? "NA" : "\($0)" }) {
                $0 % 4 == 0 ? "even" : $0 % 2 == 0 ? "NA" : "odd"
            })
        let features = try await Self.built(factory)
        let amount = try #require(features["amount"])
        #expect(amount.missing == 100 && amount.missingShare == 0.1 && amount.distinct == nil)
        #expect(amount.mean == 500 && amount.minimum == 1 && amount.maximum == 999)
        #expect(abs((amount.standardDeviation ?? 0) - 288.67224782903304) < 1e-9)
        for (found, expected) in zip(amount.quantiles, [10.98, 250.5, 500.0, 749.5, 989.02]) {
            #expect(abs(found - expected) < 1e-9)
        }
        #expect(amount.histogram?.counts.reduce(0, +) == 900)
        #expect(amount.drift == nil)
        let label = try #require(features["label"])
        #expect(label.missing == 250 && label.distinct == 2 && label.mean == nil && label.histogram == nil)
        #expect(label.top == [.init(value: "odd", share: 0.5), .init(value: "even", share: 0.25)])
        #expect(features["open"]?.top == [.init(value: "true", share: 1)])
        for name in ["seen", "both", "words"] { #expect(features[name]?.missing == 0 && features[name]?.top == []) }
        let profile = try #require(try await factory.store.presentProfile(of: "stock"))
        #expect(profile.rows == 1000 && profile.newest == Self.start.advanced(bySeconds: 999))
        #expect(profile.accepted == profile.created && profile.reference == nil)
        await factory.close()
    }

    @Test func aShiftIsFlaggedBeforeAnybodyReads() async throws {
        let factory = try await Self.factory(Self.digits(1000))
        _ = try await Self.built(factory)
        try await Self.ingest(Self.digits(1000, below: 5), into: factory)
        let drift = try #require(try await Self.built(factory)["amount"]?.drift)
        // Five of ten equal bins are empty, the others doubled: 5 (-0.1 ln 0.5) + 5 (0.1 - 0.0001) ln 1000.
        #expect(abs((drift.psi ?? 0) - 3.7969973521315503) < 1e-12)
        #expect(abs((drift.ks ?? 0) - 0.5) < 0.01)
        let entries = try await Journal(factory.database).entries(type: "features.drift", subject: "view/stock")
        #expect(entries.count == 1)
        let body = try #require(try entries.first?.body())
        #expect(body["feature"] == "amount" && body["action"] == "flag" && body["bound"] == 0.2)
        #expect(body["psi"]?.double == drift.psi)
        // A flag stops nobody, and the entry came before the history could be read.
        #expect(try await Self.trainingSet(factory.store).rowCount == 1000)
        let list = try await factory.store.profiles(of: "stock")
        #expect(list.map(\.rows) == [1000, 1000] && list.map { $0.accepted != nil } == [false, true])
        #expect(list.map(\.worst) == [drift.worst, nil])
        await factory.close()
    }

    @Test func aShiftOfTheNewestRowsIsSeenInALongHistory() async throws {
        let factory = try await Self.factory(Self.digits(5000))
        _ = try await Self.built(factory)
        try await Self.ingest(Self.digits(5000) + Self.digits(600, below: 5, from: 5000), into: factory)
        let drift = try #require(try await Self.built(factory)["amount"]?.drift)
        // 5,600 rows, of which five bins hold 620 each and five 500.
        #expect(abs((drift.psi ?? 1) - 0.011523823908050646) < 1e-12)
        #expect(abs((drift.recentPSI ?? 0) - 3.7969973521315503) < 1e-12)
        #expect(try await Journal(factory.database).entries(type: "features.drift", subject: "view/stock").count == 1)
        await factory.close()
    }

    @Test func tooFewRowsSayNothing() async throws {
        let factory = try await Self.factory(Self.digits(400))
        _ = try await Self.built(factory)
        try await Self.ingest(Self.digits(1000, below: 5), into: factory)
        // The first history was too short to be a reference, so the second becomes it.
        #expect(try await Self.built(factory)["amount"]?.drift == nil)
        try await Self.ingest(Self.digits(300, below: 2), into: factory)
        let drift = try #require(try await Self.built(factory)["amount"]?.drift)
        #expect(drift.worst == nil)
        await factory.close()
    }

    @Test(arguments: SQLEngine.allCases) func aBlockedHistoryIsKeptAndNotUsedUntilItIsAccepted(engine: SQLEngine)
        async throws
    {
        let factory = try await Self.factory(Self.digits(1000), drift: "{psi: 0.3, action: block}", on: engine)
        let store = factory.store
        _ = try await Self.built(factory)
        _ = try await store.materialize(from: nil, by: "test")
        let materialisation = Materialisation(features: store)
        try await materialisation.advance(services: ["shops"], to: factory.clock.now)
        try await Self.ingest(Self.digits(1000, below: 5, from: 1), into: factory)
        let before = try await store.read(.features(["stock:amount"]), [[.string("a"), .integer(7)]], at: Self.start)
        for attempt in [
            { _ = try await store.materialize(["stock"], from: nil, by: "test") },
            { _ = try await store.materializeIncremental(["stock"], by: "test") },
            { _ = try await Self.trainingSet(store) },
        ] as [() async throws -> Void] {
            await #expect {
                try await attempt()
            } throws: { error in
                guard let failure = error as? FeaturesFailure, case .drifted(let finding) = failure else {
                    return false
                }
                return finding.view == "stock" && finding.feature == "amount" && finding.bound == 0.3
                    && failure.code == .failedPrecondition
                    && failure.remedy?.contains("modelworks features accept stock") == true
            }
        }
        // The factory's own loop goes on with the other views, and leaves online what is there.
        try await materialisation.advance(services: ["shops"], to: factory.clock.now)
        #expect(
            try await store.read(.features(["stock:amount"]), [[.string("a"), .integer(7)]], at: Self.start) == before)

        factory.clock.advance(to: factory.clock.now.advanced(bySeconds: 1))
        try await store.acceptDistribution(of: "stock", by: "user:tester")
        let accepted = try await Journal(factory.database).entries(type: "features.accepted")
        #expect(accepted.map(\.subject) == ["view/stock"] && accepted.map(\.principal) == ["user:tester"])
        #expect(try await Self.trainingSet(store).rowCount == 1000)
        _ = try await store.materializeIncremental(["stock"], by: "test")
        // It is the reference now: more of the same is no drift, and going back is one.
        try await Self.ingest(Self.digits(1005, below: 5, from: 1), into: factory)
        #expect(abs((try await Self.built(factory)["amount"]?.drift?.worst ?? 1)) < 1e-3)
        try await Self.ingest(Self.digits(1001), into: factory)
        #expect((try await Self.built(factory)["amount"]?.drift?.worst ?? 0) > 0.3)
        await factory.close()
    }

    @Test func theModelInUseIsTheReference() async throws {
        let factory = try await Self.factory(Self.digits(1000))
        let store = factory.store
        _ = try await Self.built(factory)
        try await Self.ingest(Self.digits(1000, below: 5), into: factory)
        _ = try await Self.built(factory)
        // A model learns from the second history and goes to production.
        let model = ModelInUse(
            features: try store.catalogue.digest(ofService: "shops"),
            datasets: try await store.datasetVersions().mapValues(\.digest))
        store.compareHistories { [model] }
        try await Self.ingest(Self.digits(1005, below: 5), into: factory)
        #expect((try await Self.built(factory)["amount"]?.drift?.worst ?? 1) < 1e-3)
        // One that was learnt from other features says nothing.
        store.compareHistories { [ModelInUse(features: Digest(of: "other"), datasets: model.datasets)] }
        try await Self.ingest(Self.digits(1010, below: 5), into: factory)
        #expect((try await Self.built(factory)["amount"]?.drift?.worst ?? 0) > 3)
        await factory.close()
    }

    /// Values of any shape give the distances that the statistics give of the whole samples.
    @Test(arguments: 0..<4) func distancesAreThoseOfTheSamples(seed: UInt64) async throws {
        let random = SeededRandom(seed: seed)
        func unit() -> Double { Double(random.next() >> 11) * 0x1p-53 }
        func sample(_ count: Int, _ scale: Double, _ nulls: Double) -> [Double] {
            (0..<count).map { _ in
                unit() < nulls ? .nan : seed % 2 == 0 ? unit() * scale : (unit() * 20 * scale).rounded()
            }
        }
        let first = sample(700 + Int(seed) * 100, 1, 0.05)
        let second = sample(900, 1 + Double(seed) * 0.1, 0.1)
        let texts = { (values: [Double]) in Self.rows(values.map { $0.isNaN ? "NA" : "\($0)" }) }
        let factory = try await Self.factory(texts(first))
        _ = try await Self.built(factory)
        try await Self.ingest(texts(second), into: factory)
        let drift = try #require(try await Self.built(factory)["amount"]?.drift)
        let reference = try #require(NumericProfile(first))
        #expect(drift.psi == reference.populationStability(of: second))
        #expect(drift.ks == reference.kolmogorovSmirnov(of: second)?.statistic)
        await factory.close()
    }

    @Test func aLongHistoryIsToldFromASample() async throws {
        let factory = try await Self.factory(Self.digits(60_000, below: 7))
        let features = try await Self.built(factory)
        // Every second row of seven digits in a circle: each digit as often as the others.
        let amount = try #require(features["amount"])
        #expect(amount.missing == 0 && abs((amount.mean ?? 0) - 179_994.0 / 60_000) < 1e-9)
        let counted = amount.histogram?.counts.reduce(0, +) ?? 0
        #expect(counted == 30_000)
        #expect(amount.quantiles == [0, 1, 3, 5, 6])
        await factory.close()
    }

    @Test func anEmptyHistoryHasAProfile() async throws {
        let factory = try await Self.factory(
            ["a,NA,NA,2020-01-01T00:00:00Z,NA,NA,NA,NA,NA,NA"], drift: "{action: block}")
        _ = try? await factory.store.buildViews(by: "test")
        try await Self.ingest(
            Self.rows(["NA"]).map { $0.replacingOccurrences(of: "a,0,", with: "a,NA,") }, into: factory)
        let features = try await Self.built(factory)
        #expect(features["amount"]?.missing == 0 && features["amount"]?.quantiles == [])
        await factory.close()
    }

    @Test(arguments: [
        ("{psi: 0}", "'psi' must be greater than 0"), ("{action: stop}", "one of flag, block"),
        ("{min_rows: 0}", "'min_rows'"), ("{bound: 3}", "bound"),
    ]) func aRuleThatCanNotHoldIsRefused(text: String, expected: String) throws {
        #expect {
            _ = try Catalogue(FactoryDocuments(files: Self.definitions(text), environment: [:]))
        } throws: {
            "\($0)".contains(expected)
        }
    }

    @Test func whatIsDoneAboutValuesDoesNotDecideThem() throws {
        func digest(_ drift: String, _ freshness: String?) throws -> Digest {
            try Catalogue(
                FactoryDocuments(files: Self.definitions(drift, freshness: freshness), environment: [:])
            ).digest(ofView: "stock")
        }
        let plain = try digest("{}", nil)
        #expect(try digest("{psi: 0.5, action: block}", nil) == plain)
        #expect(try digest("{}", "{class: batch, within: 2h, action: fail}") == plain)
        #expect(try digest("{}", "{class: batch, within: 3h}") != plain)
    }

    @Test func staleSourcesAreWarnedOfOrRefused() async throws {
        let rows = Self.digits(600)
        let newest = Self.start.advanced(bySeconds: 599)
        let factory = try await Self.factory(rows)
        // The clock is a day on, and two hours are allowed.
        let age = factory.clock.now.seconds(since: newest)
        let report = try await factory.store.materialize(["stock"], from: nil, by: "test")
        #expect(
            report.warnings == [
                "the newest source data of the view 'stock' is of \(newest), \((age / 360).rounded() / 10) h old, "
                    + "and may be 2 h old"
            ])
        #expect(report.written == 600)
        #expect(
            try await factory.store.materialize(
                ["stock"], from: nil, to: newest.advanced(bySeconds: 7200), by: "test"
            ).warnings == [])
        let stale = try await factory.store.staleViews(
            ofService: "shops", at: newest.advanced(bySeconds: 7201))
        #expect(stale.map(\.view) == ["shop_last", "stock"])
        #expect(stale.map(\.withinSeconds) == [3600, 7200] && stale.map(\.ageSeconds) == [7201, 7201])
        await factory.close()

        let strict = try await Self.factory(rows, freshness: "{class: batch, within: 2h, action: fail}")
        await #expect {
            _ = try await strict.store.materialize(["stock"], from: nil, by: "test")
        } throws: { error in
            guard let failure = error as? FeaturesFailure, case .stale(let view) = failure else { return false }
            return view.view == "stock" && view.newest == newest && failure.code == .failedPrecondition
        }
        #expect(
            try await strict.store.read(.features(["stock:amount"]), [[.string("a"), .integer(7)]], at: newest)
                .first?.first?.status == .notFound)
        await strict.close()
    }
}
