import Basics
import Configuration
import Features
import SQL
import TestSupport
import Testing

@Suite struct PointInTimeTests {
    private struct Sale {
        var shop: String
        var known: Int64
        var amount: Double
    }

    private static let population = Population(
        sql: """
            SELECT 'r' || row_number() OVER (ORDER BY moment, shop) AS id, shop, CAST(moment AS TIMESTAMP) AS moment,
                   1.0 AS weekday, 1.0 AS label, CAST(moment AS TIMESTAMP) AS label_time
            FROM (SELECT unnest(['a', 'b', 'nowhere']) AS shop),
                 (SELECT unnest(generate_series(TIMESTAMP '2020-01-01 00:00:00', TIMESTAMP '2020-01-02 00:00:00',
                                                INTERVAL 7 MINUTE)) AS moment)
            """, id: "id", time: "moment", label: "label", labelTime: "label_time")

    /// What a row at `moment` may use, found by looking at every sale: rows become usable at the end of their ten
    /// minutes, the newest counts, and not for longer than an hour.
    private func oracle(_ sales: [Sale], _ shop: String, _ moment: Int64) -> (amount: Double, total: Double) {
        let mine = sales.filter { $0.shop == shop }
        func published(_ sale: Sale) -> Int64 { (sale.known + 599) / 600 * 600 }
        let usable = mine.filter { published($0) <= moment }
        guard let newest = usable.map(published).max(), newest >= moment - 3600 else { return (.nan, .nan) }
        let last = usable.filter { published($0) == newest }.max { $0.known < $1.known }
        return (last?.amount ?? .nan, usable.map(\.amount).reduce(0, +))
    }

    /// A transform of the request and a view, and the service with it.
    private static let pace = [
        "features/pace.yaml": """
        kind: transform
        name: pace
        owner: test
        request: {weekday: double}
        views: ["last_sale:amount"]
        features: {share: "last_sale__amount / (weekday + 1)"}
        """,
        "features/service.yaml":
            "{kind: service, name: shops, owner: test, request: {weekday: double}, views: [last_sale, pace]}",
    ]

    @Test(arguments: [1, 2, 3]) func theJoinAgreesWithBruteForceAndTheOnlineStore(seed: UInt64) async throws {
        let random = SeededRandom(seed: seed)
        let midnight = try #require(Timestamp("2020-01-01")).microseconds / 1_000_000
        var known = Set<Int64>()
        let sales = (0..<80).compactMap { index -> Sale? in
            // Some exactly on the grid, where a moment's difference decides.
            let second = Int64(random.next() % 144) * 600 + (index % 3 == 0 ? 0 : Int64(random.next() % 600))
            guard known.insert(second).inserted else { return nil }
            return Sale(
                shop: index % 2 == 0 ? "a" : "b", known: midnight + second, amount: Double(random.next() % 1000) / 4)
        }
        let csv = sales.map { sale in
            let moment = Timestamp(seconds: sale.known)
            return "\(sale.shop),\(moment.advanced(bySeconds: -60)),\(moment),\(sale.amount)"
        }
        let factory = try await SmallFactory(
            SmallFactory.definitions.merging(Self.pace) { _, new in new },
            data: ["sales.csv": (["shop,happened,known,amount"] + csv).joined(separator: "\n")])
        _ = try await factory.store.ingest(by: "test")
        let from = Timestamp(seconds: midnight)
        let set = try await factory.store.trainingSet(
            Self.population, service: "shops", from: from, to: from.advanced(bySeconds: 86_400), knownBy: nil)
        let page = try await factory.store.populationPage(
            Self.population, service: "shops", from: from, to: from.advanced(bySeconds: 86_400))
        #expect(set.inputNames == ["weekday", "last_sale__amount", "last_sale__total", "pace__share"])
        #expect(set.rowCount == 3 * 206)
        #expect(set.ids == page.ids)

        let materialisation = Materialisation(features: factory.store)
        let service = try factory.store.onlineService("shops")
        var inputs = [Double](repeating: 0, count: 4)
        for row in 0..<set.rowCount {
            let shop = page.keys["shop"]?[row] ?? ""
            let expected = oracle(sales, shop, set.times[row].microseconds / 1_000_000)
            #expect(same(set.columns[1][row], expected.amount), "amount at \(set.times[row]) of \(shop)")
            #expect(same(set.columns[2][row], expected.total), "total at \(set.times[row]) of \(shop)")
            try await materialisation.advance(services: ["shops"], to: set.times[row])
            inputs[0] = set.columns[0][row]
            try read(service, shop, set.times[row], into: &inputs)
            #expect(same(inputs[1], expected.amount), "online amount at \(set.times[row]) of \(shop)")
            #expect(same(inputs[2], expected.total), "online total at \(set.times[row]) of \(shop)")
            let share = expected.amount / (inputs[0] + 1)
            #expect(same(set.columns[3][row], share) && same(inputs[3], share), "share at \(set.times[row]) of \(shop)")
        }
        await factory.database.close()
    }

    private func same(_ left: Double, _ right: Double) -> Bool { left == right || (left.isNaN && right.isNaN) }

    private func read(_ service: OnlineService, _ shop: String, _ moment: Timestamp, into inputs: inout [Double]) throws
    {
        try Array(shop.utf8).withUnsafeBytes { key in
            try [key].withUnsafeBufferPointer { keys in
                try inputs.withUnsafeMutableBufferPointer { inputs in
                    try service.read(keys: keys, at: moment.microseconds, into: inputs, with: service.scratch())
                }
            }
        }
    }

    @Test func materialisingTwiceOrAfterARestartGivesTheSameValues() async throws {
        let factory = try await SmallFactory(
            SmallFactory.definitions,
            data: ["sales.csv": "shop,happened,known,amount\na,2020-01-01T10:00:00Z,2020-01-01T10:01:00Z,5\n"])
        _ = try await factory.store.ingest(by: "test")
        let moment = try #require(Timestamp("2020-01-01T10:30:00Z"))
        #expect(try await Materialisation(features: factory.store).advance(services: ["shops"], to: moment) == 1)
        let again = Materialisation(features: factory.store)
        #expect(try await again.advance(services: ["shops"], to: moment) == 0)
        let service = try factory.store.onlineService("shops")
        var inputs = [Double](repeating: 0, count: 3)
        try read(service, "a", moment, into: &inputs)
        #expect(inputs[1] == 5)
        try read(service, "a", moment.advanced(bySeconds: 2400), into: &inputs)
        #expect(inputs[1] == 5, "an hour after 10:10 the value may still be used")
        try read(service, "a", moment.advanced(bySeconds: 2401), into: &inputs)
        #expect(inputs[1].isNaN, "a second later it may not")
        try read(service, "a", moment.advanced(bySeconds: -1201), into: &inputs)
        #expect(inputs[1].isNaN, "before 10:10 it was not known")
        await factory.database.close()
    }

    @Test func aProcessThatStoodStillPutsNoOlderValueBack() async throws {
        let rows = (0..<6).map { "a,2020-01-01T10:\($0)0:00Z,2020-01-01T10:\($0)1:00Z,\($0 + 1)\n" }.joined()
        let factory = try await SmallFactory(
            SmallFactory.definitions, data: ["sales.csv": "shop,happened,known,amount\n\(rows)"])
        _ = try await factory.store.ingest(by: "test")
        let start = try #require(Timestamp("2020-01-01T10:10:00Z"))
        let frozen = Materialisation(features: factory.store)
        let other = Materialisation(features: factory.store)
        #expect(try await frozen.advance(services: ["shops"], to: start) == 1)
        #expect(try await other.advance(services: ["shops"], to: start.advanced(bySeconds: 2400)) == 4)
        // Another has gone further: the turn that was under way writes nothing, the next one begins where that stands.
        #expect(try await frozen.advance(services: ["shops"], to: start.advanced(bySeconds: 1200)) == 0)
        var inputs = [Double](repeating: 0, count: 3)
        let end = start.advanced(bySeconds: 2400)
        try read(try factory.store.onlineService("shops"), "a", end, into: &inputs)
        #expect(inputs[1] == 5)
        #expect(try await frozen.advance(services: ["shops"], to: start.advanced(bySeconds: 3000)) == 1)
        try read(try factory.store.onlineService("shops"), "a", start.advanced(bySeconds: 3000), into: &inputs)
        #expect(inputs[1] == 6)
        await factory.database.close()
    }

    @Test func rowsThatAreIngestedLateComeOnlineToo() async throws {
        let first = "shop,happened,known,amount\na,2020-01-01T10:00:00Z,2020-01-01T10:01:00Z,5\n"
        let factory = try await SmallFactory(SmallFactory.definitions, data: ["sales.csv": first])
        _ = try await factory.store.ingest(by: "test")
        let moment = try #require(Timestamp("2020-01-01T10:30:00Z"))
        let materialisation = Materialisation(features: factory.store)
        try await materialisation.advance(services: ["shops"], to: moment)
        try factory.folder.write(first + "b,2020-01-01T09:50:00Z,2020-01-01T09:55:00Z,8\n", to: "data/sales.csv")
        _ = try await factory.store.ingest(by: "test")
        try await materialisation.advance(services: ["shops"], to: moment.advanced(bySeconds: 600))
        var inputs = [Double](repeating: 0, count: 3)
        try read(try factory.store.onlineService("shops"), "b", moment, into: &inputs)
        #expect(inputs[1] == 8)
        await factory.database.close()
    }

    @Test func aViewThatReadsWhatItDoesNotDeclareIsRefused() throws {
        var files = SmallFactory.definitions
        files["works.yaml"] = "name: small"
        files["features/last_sale.sql"] = "SELECT shop, known AS published_at, amount, amount AS total FROM sales"
        #expect { try Catalogue(FactoryDocuments(files: files, environment: [:])) } throws: { error in
            "\(error)".contains("reads 'sales', which is not among its sources")
        }
    }

    @Test func aViewThatLooksAheadIsCaught() async throws {
        var files = SmallFactory.definitions
        files["features/last_sale.sql"] = """
            SELECT shop, published_at, amount, sum(amount) OVER (PARTITION BY shop ORDER BY published_at
                   RANGE BETWEEN UNBOUNDED PRECEDING AND INTERVAL 1 HOUR FOLLOWING) AS total
            FROM (SELECT shop, time_bucket(INTERVAL 10 MINUTE, known) + INTERVAL 10 MINUTE AS published_at,
                         sum(amount) AS amount FROM sold GROUP BY ALL)
            """
        let rows = (0..<100).map {
            "a,2020-01-01T\($0 / 6 < 10 ? "0" : "")\($0 / 6):\($0 % 6)0:00Z,2020-01-01T\($0 / 6 < 10 ? "0" : "")\($0 / 6):\($0 % 6)0:00Z,1"
        }
        let data = ["sales.csv": (["shop,happened,known,amount"] + rows).joined(separator: "\n")]
        let honest = try await SmallFactory(SmallFactory.definitions, data: data)
        let leaky = try await SmallFactory(files, data: data)
        let from = try #require(Timestamp("2020-01-01"))
        for (factory, leaks) in [(honest, false), (leaky, true)] {
            _ = try await factory.store.ingest(by: "test")
            let report = try await factory.store.leakCheck(
                Self.population, service: "shops", from: from, to: from.advanced(bySeconds: 43_200), sample: 20,
                random: SeededRandom(seed: 5))
            #expect(report.rows == 20)
            #expect(report.values == 40)
            #expect(report.findings.isEmpty != leaks)
            #expect(report.findings.allSatisfy { $0.feature == "total" })
            await factory.database.close()
        }
    }

    @Test func anEventSourceThatIsKnownBeforeItHappensIsRefused() async throws {
        let factory = try await SmallFactory(
            SmallFactory.definitions,
            data: ["sales.csv": "shop,happened,known,amount\na,2020-01-01T10:00:00Z,2020-01-01T09:59:59Z,5\n"])
        _ = try await factory.store.ingest(by: "test")
        await #expect { try await factory.store.buildViews(by: "test") } throws: { error in
            "\(error)".contains("known before they happened")
        }
        await factory.database.close()
    }

    @Test func aSQLErrorInAViewNamesTheView() async throws {
        var files = SmallFactory.definitions
        files["features/last_sale.sql"] = "SELECT shop, nothing FROM sold"
        let factory = try await SmallFactory(
            files, data: ["sales.csv": "shop,happened,known,amount\na,2020-01-01T10:00:00Z,2020-01-01T10:00:00Z,5\n"])
        _ = try await factory.store.ingest(by: "test")
        await #expect { try await factory.store.buildViews(by: "test") } throws: { error in
            "\(error)".contains("features/last_sale") && "\(error)".contains("nothing")
        }
        await factory.database.close()
    }
}
