import Basics
import Foundation
import HTTP
import TestSupport
import Testing
import Works
import Workshop

/// What is wrong in definitions, data and requests of features is told in the shape of the protocol that was spoken, and
/// leaves every store as it was.
@Suite(.serialized) struct FeatureFaults {
    /// What must be told, and by which status.
    private struct Fault {
        var path: String
        var body: String
        var type = "application/json"
        var status: Int
        var says: [String]
    }

    private static let works = "/api/works/v1"
    private static let online = "/api/works/v1/features/online"
    private static let push = "/api/works/v1/features/push"
    private static let feast = "/get-online-features"

    /// Sends each, and compares the stores before and after.
    private func check(_ faults: [Fault], _ shop: FeatureShop) async throws {
        let before = try await shop.digest()
        for fault in faults {
            let answer = try await shop.ask(fault.path, Array(fault.body.utf8), type: fault.type)
            let about = "\(fault.path) \(fault.body.prefix(120)): \(answer.status) \(answer.text.prefix(600))"
            #expect(answer.status == fault.status, "\(about)")
            let told = fault.path.hasPrefix(Self.works) ? try ours(answer) : try feasts(answer)
            for words in fault.says { #expect(told.contains(words), "'\(words)': \(about)") }
            #expect(try await shop.digest() == before, "the stores have changed: \(about)")
        }
    }

    /// The text of an error of the factory's own API.
    private func ours(_ answer: Workshop.Answer) throws -> String {
        let code = try #require(answer.json["code"]?.string, "\(answer.text)")
        #expect(FailureCode(rawValue: code) != nil && code != "INTERNAL", "\(answer.text)")
        return try #require(answer.json["error"]?.string)
    }

    /// The text of an error as Feast's clients take it apart.
    private func feasts(_ answer: Workshop.Answer) throws -> String {
        if let detail = answer.json["detail"]?.array { return try JSON.string(JSONValue.array(detail)) }
        let inner = try JSON.decode(JSONValue.self, from: try #require(answer.json.string, "\(answer.text)"))
        #expect(inner["module"] == "feast.errors" && inner["class"]?.string?.isEmpty == false)
        return try #require(inner["message"]?.string)
    }

    private func materialisedShop(
        _ changes: [String: String?] = [:], data: [String: String] = [:]
    ) async throws -> FeatureShop {
        let shop = try await FeatureShop(changes, data: data)
        try await shop.materialise()
        return shop
    }

    // MARK: Requests

    @Test func unknownFeaturesAndEntitiesAreNamed() async throws {
        let shop = try await materialisedShop()
        try await check(
            [
                Fault(
                    path: Self.online, body: #"{"features":["stok:amount"],"entities":{"shop":["north"]}}"#,
                    status: 404,
                    says: ["there is no feature view 'stok'", "Did you mean 'stock'?"]),
                Fault(
                    path: Self.feast, body: #"{"features":["stok:amount"],"entities":{"shop":["north"]}}"#, status: 404,
                    says: ["there is no feature view 'stok'", "Did you mean 'stock'?"]),
                Fault(
                    path: Self.online, body: #"{"features":["stock:amont"],"entities":{"shop":["a"],"item":[1]}}"#,
                    status: 404, says: ["'amont'", "amount"]),
                Fault(
                    path: Self.feast, body: #"{"features":["stock:amont"],"entities":{"shop":["a"],"item":[1]}}"#,
                    status: 404, says: ["'amont'", "amount"]),
                Fault(
                    path: Self.online, body: #"{"service":"shop","entities":{"shop":["a"],"item":[1]}}"#, status: 404,
                    says: ["there is no feature service 'shop'", "shops"]),
                // An entity that the features need, and one that nothing has.
                Fault(
                    path: Self.online, body: #"{"features":["stock:amount"],"entities":{"shop":["north"]}}"#,
                    status: 400,
                    says: ["'item'"]),
                Fault(
                    path: Self.feast, body: #"{"features":["stock:amount"],"entities":{"shop":["north"]}}"#,
                    status: 400,
                    says: ["'item'"]),
                Fault(
                    path: "\(Self.works)/features/erase", body: #"{"entity":"shp","keys":{"shp":"north"}}"#,
                    status: 404,
                    says: ["there is no entity 'shp'", "shop"]),
                Fault(
                    path: "\(Self.works)/features/erase", body: #"{"entity":"shop","keys":{"item":"1"}}"#, status: 404,
                    says: ["'item'", "Known: shop"]),
                Fault(
                    path: "\(Self.works)/features/history?features=stock",
                    body: "shop,event_timestamp\nnorth,2026-01-01\n",
                    type: "text/csv", status: 400, says: ["item"]),
                Fault(
                    path: "\(Self.works)/features/history?service=shps",
                    body: "shop,event_timestamp\nnorth,2026-01-01\n",
                    type: "text/csv", status: 404, says: ["'shps'", "shops"]),
                Fault(
                    path: "\(Self.works)/features/materialize", body: #"{"views":["stok"]}"#, status: 404,
                    says: ["'stok'", "stock"]),
                Fault(
                    path: "/materialize-incremental", body: #"{"end_ts":"2026-01-01","feature_views":["stok"]}"#,
                    status: 404,
                    says: ["'stok'", "stock"]),
                Fault(
                    path: Self.push, body: #"{"to":"clcks","rows":{"shop":["a"]}}"#, status: 404,
                    says: ["'clcks'", "clicks"]),
                Fault(
                    path: "/push", body: #"{"push_source_name":"clcks","df":{"shop":["a"]}}"#, status: 422,
                    says: ["'clcks'", "clicks"]),
                Fault(
                    path: "/write-to-online-store", body: #"{"feature_view_name":"stok","df":{"shop":["a"]}}"#,
                    status: 404,
                    says: ["'stok'", "stock"]),
            ], shop)
    }

    @Test func keysOfTheWrongTypeAreRefused() async throws {
        let shop = try await materialisedShop()
        let keys = #""entities":{"shop":["north","north"],"item":[1,"many"]}"#
        let nested = #""entities":{"shop":["north"],"item":[[1]]}"#
        try await check(
            [
                Fault(
                    path: Self.online, body: #"{"features":["stock:amount"],\#(keys)}"#, status: 400,
                    says: ["'item'", "integer", "'many'"]),
                Fault(
                    path: Self.feast, body: #"{"features":["stock:amount"],\#(keys)}"#, status: 400,
                    says: ["'item'", "integer", "'many'"]),
                Fault(
                    path: Self.online, body: #"{"features":["stock:amount"],\#(nested)}"#, status: 400, says: ["list"]),
                Fault(
                    path: Self.feast, body: #"{"features":["stock:amount"],\#(nested)}"#, status: 400, says: ["list"]),
                Fault(
                    path: Self.feast, body: #"{"features":["last_click:price"],"entities":{"shop":[1.5]}}"#,
                    status: 400,
                    says: ["'shop'", "1.5"]),
                Fault(
                    path: "/write-to-online-store",
                    body:
                        #"{"feature_view_name":"stock","df":{"shop":["a"],"item":["many"],"event_timestamp":["2026-01-01"],"amount":[1]}}"#,
                    status: 400, says: ["'item' of row 0", "integer", "'many'"]),
                Fault(
                    path: Self.push,
                    body: #"{"to":"clicks","rows":{"shop":[5],"at":["2026-01-01"],"price":[1],"count":[1]}}"#,
                    status: 400,
                    says: ["'shop' of row 0", "string", "5"]),
                Fault(
                    path: "\(Self.works)/features/history?features=stock",
                    body: "shop,item,event_timestamp\nnorth,many,2026-01-01T00:00:00Z\n", type: "text/csv", status: 400,
                    says: ["item"]),
            ], shop)
    }

    @Test func tenThousandEntitiesAreReadAndOneMoreIsRefused() async throws {
        let shop = try await materialisedShop()
        func keys(_ count: Int) -> String {
            let items = (0..<count).map { "\($0 % 2 + 1)" }.joined(separator: ",")
            let shops = (0..<count).map { $0 % 2 == 0 ? "\"north\"" : "\"south\"" }.joined(separator: ",")
            return #"{"features":["stock:amount"],"entities":{"shop":[\#(shops)],"item":[\#(items)]}}"#
        }
        let most = Array(keys(10_000).utf8)
        // As text, which is compared faster than a document of so many values.
        let values = "\"values\":[\(Array(repeating: "2.5,4.0", count: 5000).joined(separator: ","))]"
        let read = try await shop.ask(Self.online, most)
        #expect(read.status == 200 && read.text.contains(values))
        let asFeast = try await shop.ask(Self.feast, most)
        #expect(asFeast.status == 200 && asFeast.text.contains(values))
        try await check(
            [
                Fault(path: Self.online, body: keys(10_001), status: 400, says: ["10001", "10000"]),
                Fault(path: Self.feast, body: keys(10_001), status: 400, says: ["10001", "10000"]),
            ], shop)
    }

    @Test func twoFeaturesOfOneNameAreToldApart() async throws {
        let shop = try await materialisedShop()
        let body = #"{"features":["stock:amount","total:amount"],"entities":{"shop":["north"],"item":[1]}}"#
        let entities = "shop,item,event_timestamp\nnorth,1,2026-01-01T12:00:00Z\n"
        try await check(
            [
                Fault(path: Self.feast, body: body, status: 400, says: ["amount", "full_feature_names"]),
                Fault(
                    path: "\(Self.works)/features/history?features=stock:amount,total:amount", body: entities,
                    type: "text/csv", status: 400, says: ["'amount'"]),
                Fault(
                    path: "\(Self.works)/features/history?features=stock:amount",
                    body: "shop,item,event_timestamp,amount\nnorth,1,2026-01-01T12:00:00Z,3\n", type: "text/csv",
                    status: 400, says: ["'amount'"]),
            ], shop)
        // By their full names both are to be had: 1.5 and 2.5 happened in the last three hours.
        let found = try await shop.ask(Self.online, Array(body.utf8))
        #expect(found.json["features"]?.array?.map { $0["name"] } == ["stock__amount", "total__amount"])
        #expect(found.json["features"]?.array?.map { $0["values"] } == [[2.5], [4]])
    }

    @Test func rowsOfTheWrongShapeAreNotWritten() async throws {
        let shop = try await materialisedShop()
        func click(_ rows: String) -> String { #"{"to":"clicks","rows":{\#(rows)}}"# }
        func write(_ rows: String) -> String {
            #"{"feature_view_name":"last_click","df":{\#(rows.replacingOccurrences(of: "\"at\"", with: "\"event_timestamp\""))}}"#
        }
        let good = #""shop":["a","b"],"at":["2026-01-01T11:00:00Z","2026-01-01T11:00:00Z"]"#
        try await check(
            [
                // A missing column.
                Fault(
                    path: Self.push, body: click(#"\#(good),"price":[1,2]"#), status: 400, says: ["'count'", "missing"]),
                Fault(
                    path: "/write-to-online-store", body: write(#"\#(good),"price":[1,2]"#), status: 400,
                    says: ["'count'", "missing"]),
                Fault(
                    path: "/push", body: #"{"push_source_name":"clicks","df":{\#(good),"price":[1,2]}}"#, status: 400,
                    says: ["'count'", "missing"]),
                // A value of another type in the last row of all: none is written.
                Fault(
                    path: Self.push, body: click(#"\#(good),"price":[1,"much"],"count":[1,2]"#), status: 400,
                    says: ["'price' of row 1", "double", "'much'"]),
                Fault(
                    path: "/write-to-online-store", body: write(#"\#(good),"price":[1,2],"count":[1,2.5]"#),
                    status: 400,
                    says: ["'count' of row 1", "integer", "2.5"]),
                Fault(
                    path: "/write-to-online-store", body: write(#"\#(good),"price":[1,2],"count":[1]"#), status: 400,
                    says: ["1", "2"]),
                // No number at all: JSON has none such.
                Fault(path: Self.push, body: click(#"\#(good),"price":[1,NaN],"count":[1,2]"#), status: 400, says: []),
                Fault(
                    path: "/push",
                    body: #"{"push_source_name":"clicks","df":{\#(good),"price":[1,NaN],"count":[1,2]}}"#,
                    status: 422, says: ["json_invalid"]),
                Fault(
                    path: Self.push, body: click(#"\#(good),"price":[1,"NaN"],"count":[1,2]"#), status: 400,
                    says: ["'price' of row 1", "double", "'NaN'"]),
                // A moment that can not be.
                Fault(
                    path: Self.push,
                    body: click(#""shop":["a"],"at":["2036-01-01"],"price":[1],"count":[1]"#), status: 400,
                    says: ["'at' of row 0", "2036-01-01"]),
                Fault(
                    path: Self.push, body: click(#""shop":["a"],"at":[null],"price":[1],"count":[1]"#), status: 400,
                    says: ["'at' of row 0", "null"]),
                Fault(
                    path: "/push", body: #"{"push_source_name":"stock","to":"offline","df":{}}"#, status: 400,
                    says: ["'stock'", "computed from tables"]),
                Fault(
                    path: Self.push, body: #"{"to":"stock","store":"offline","rows":{}}"#, status: 400, says: ["store"]),
            ], shop)
    }

    // MARK: Definitions

    @Test func definitionsThatCanNotBeAreRefused() async throws {
        let shop = try await materialisedShop()
        func file(_ name: String, _ old: String, _ new: String) -> [String: String?] {
            [name: FeatureShop.files[name]?.replacingOccurrences(of: old, with: new)]
        }
        let cases: [(changes: [String: String?], says: [String])] = [
            (file("features/stock.yaml", "ttl: 1d", "ttl: 0"), ["features/stock.yaml:9", "ttl"]),
            (file("features/stock.yaml", "ttl: 1d", "ttl: 0s"), ["features/stock.yaml:9", "ttl"]),
            // A column that a stream does not declare, and one of another type.
            (file("features/last_click.yaml", "price: double", "prise: double"), ["'prise'", "price"]),
            (file("features/last_click.yaml", "price: double", "price: string"), ["'price'", "double"]),
            (file("features/busy.yaml", "sum: price", "sum: prise"), ["'prise'", "price"]),
            (file("features/last_click.yaml", "price: double", "price: bytes"), ["'price'", "double"]),
            // Two inputs of a service with one name.
            (
                file("features/shops.yaml", "{view: total,", "{view: total, as: stock,"),
                ["features/shops.yaml:1:58", "'stock'"]
            ),
            (file("features/stock.yaml", "entities: [shop, item]", "entities: [shop, itm]"), ["'itm'", "item"]),
            (file("features/stock.yaml", "sources: [sold]", "sources: [clicks]"), ["'sold'", "sources"]),
        ]
        let before = try await shop.digest()
        for (changes, says) in cases {
            for verb in ["/plan", "/apply"] {
                let answer = try await shop.workshop.send(
                    .post, verb, shop.workshop.directory(FeatureShop.files(with: changes)))
                #expect(answer.status == 400, "\(says): \(answer.text)")
                let told = try ours(answer)
                for words in says { #expect(told.contains(words), "'\(words)': \(told)") }
            }
        }
        #expect(try await shop.digest() == before)
    }

    @Test func eventsKnownBeforeTheyHappenedAreRefused() async throws {
        let shop = try await materialisedShop()
        try shop.write(
            FeatureShop.header + FeatureShop.rows + "south,2,2026-01-01T11:00:00Z,2026-01-01T10:59:59Z,5\n",
            to: "sales.csv")
        try await shop.workshop.post("/data/ingest")
        let says = ["'sold'", "1 rows are said to be known before they happened"]
        try await check(
            [
                Fault(path: "\(Self.works)/features/build", body: "{}", status: 400, says: says),
                Fault(path: "\(Self.works)/features/materialize", body: "{}", status: 400, says: says),
                Fault(
                    path: "/materialize-incremental", body: #"{"end_ts":"2026-01-01T12:00:00Z"}"#, status: 400,
                    says: says),
                Fault(
                    path: "\(Self.works)/features/history?features=stock:amount",
                    body: "shop,item,event_timestamp\nnorth,1,2026-01-01T12:00:00Z\n", type: "text/csv", status: 400,
                    says: says),
            ], shop)
    }

    @Test func aViewThatReadsTheFutureIsCaughtByTheLeakCheck() async throws {
        let leaking = """
            SELECT shop, item, happened, known, max(amount) OVER (
                PARTITION BY shop, item ORDER BY happened ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS amount
            FROM sold
            """
        let shop = try await FeatureShop([
            "features/stock.sql": leaking,
            "training/stock.yaml": """
            name: stock
            owner: test
            trainer: lightgbm
            model: stock
            service: shops
            population: population.sql
            id: id
            time: at
            label: label
            label_time: at
            train: {from: 2026-01-01, to: 2026-01-02}
            holdout: 1h
            rounds: 1
            seed: 1
            """,
            "training/population.sql": """
            SELECT 'a' AS id, 'north' AS shop, CAST(1 AS BIGINT) AS item, TIMESTAMP '2026-01-01 10:30:00' AS at, 1 AS label
            """,
        ])
        let found = try await shop.workshop.post("/features/leak-check", ["training": "stock", "sample": 1])
        let finding = try #require(found["findings"]?.array?.first)
        // At 10:30 the amount of 11:00 could not be known.
        #expect(finding["view"] == "stock" && finding["feature"] == "amount" && finding["id"] == "a")
        #expect(finding["used"] == 2.5 && finding["knowable"] == 1.5, "\(finding)")
        await shop.workshop.works.close()
        let told = try await Program.run(
            ["features", "check", "stock", "--sample", "1", "--root", shop.workshop.folder("root")],
            folder: shop.workshop.folder.path)
        #expect(told.code == 1)
        #expect(told.output.contains("1 leaks."), "\(told.all)")
    }

    // MARK: Data

    @Test func aNaNIsNoValue() async throws {
        let shop = try await materialisedShop()
        try shop.write(
            FeatureShop.header + FeatureShop.rows + "north,1,2026-01-01T11:45:00Z,2026-01-01T11:45:00Z,nan\n",
            to: "sales.csv")
        try await shop.workshop.post("/data/ingest")
        try await shop.workshop.post("/features/materialize-incremental")
        let read = try await shop.workshop.post(
            "/features/online", ["features": ["stock:amount"], "entities": ["shop": ["north"], "item": [1]]])
        #expect(read["features"]?.array?.first?["values"] == [nil])
        #expect(read["features"]?.array?.first?["statuses"] == ["NULL_VALUE"])
        let sum = try await shop.workshop.post(
            "/features/online", ["features": ["total:amount"], "entities": ["shop": ["north"]]])
        #expect(sum["features"]?.array?.first?["values"] == [4])
    }

    @Test func tablesThatCanNotBeReadChangeNothing() async throws {
        let parts = """
            kind: table
            name: parts
            owner: test
            path: parts.parquet
            format: parquet
            columns: {shop: string, item: integer, happened: timestamp, known: timestamp, amount: double}
            """
        let shop = try await materialisedShop()
        let parquet = try await shop.workshop.get("/data/sales/rows").body
        let file = URL(filePath: shop.workshop.folder("data/parts.parquet"))
        try Data(parquet).write(to: file)
        try await shop.workshop.post(
            "/apply", shop.workshop.directory(FeatureShop.files(with: ["data/parts.yaml": parts])))
        try await shop.workshop.post("/data/ingest", ["tables": ["parts"]])
        func ingest(_ table: String, _ status: Int, _ says: [String]) -> Fault {
            Fault(
                path: "\(Self.works)/data/ingest", body: #"{"tables":["\#(table)"]}"#, status: status,
                says: says)
        }
        // Cut in half, cut within its end, and without anything.
        for count in [parquet.count / 2, parquet.count - 5, 0] {
            try Data(parquet.prefix(count)).write(to: file)
            try await check([ingest("parts", 500, ["parts.parquet", "truncated or no Parquet file"])], shop)
        }
        try FileManager.default.removeItem(at: file)
        try await check([ingest("parts", 404, ["parts.parquet"])], shop)

        try shop.write("shop,item,happened,amount\nnorth,1,2026-01-01T10:00:00Z,1\n", to: "sales.csv")
        try await check([ingest("sales", 412, ["sales.csv", "lacks the declared column known"])], shop)
        try shop.write(
            FeatureShop.header + "north,one,2026-01-01T10:00:00Z,2026-01-01T10:05:00Z,1.5\n", to: "sales.csv")
        try await check([ingest("sales", 400, ["sales.csv", "Line: 2", "\"item\"", "\"one\""])], shop)
        try shop.write(FeatureShop.header, to: "sales.csv")
        try await check([ingest("sales", 412, ["the source of the table 'sales' has no rows"])], shop)
        try shop.write(
            FeatureShop.header + "north,1,2026-01-01T10:00:00Z,2026-01-01T10:05:00Z,-1\n", to: "sales.csv")
        try await check([ingest("sales", 412, ["amount_is_possible", "-1"])], shop)
    }

    @Test func entityFilesThatCanNotBeReadAreRefused() async throws {
        let shop = try await materialisedShop()
        let parquet = try await shop.workshop.get("/data/sales/rows").body
        let before = try await shop.digest()
        for count in [parquet.count / 2, parquet.count - 5, 3, 0] {
            let answer = try await shop.ask(
                "\(Self.works)/features/history?features=stock&time=happened", Array(parquet.prefix(count)),
                type: "application/vnd.apache.parquet")
            #expect(answer.status == 400, "\(count) bytes: \(answer.text)")
            _ = try ours(answer)
        }
        try await check(
            [
                Fault(
                    path: "\(Self.works)/features/history?features=stock", body: "shop,item,event_timestamp\n",
                    type: "text/csv", status: 400, says: ["no rows"]),
                Fault(
                    path: "\(Self.works)/features/history?features=stock", body: "shop,item\nnorth,1\n",
                    type: "text/csv",
                    status: 400, says: ["time"]),
                Fault(
                    path: "\(Self.works)/features/history?features=stock",
                    body: "shop,item,event_timestamp\nnorth,1,soon\n", type: "text/csv", status: 400,
                    says: ["event_timestamp"]),
                Fault(
                    path: "\(Self.works)/features/history?features=stock", body: "{", type: "application/pdf",
                    status: 400,
                    says: ["Content-Type"]),
            ], shop)
        #expect(try await shop.digest() == before)
    }

    @Test func aTableThatWasNeverReadIsNamed() async throws {
        let workshop = try await Workshop()
        try await workshop.post("/apply", workshop.directory(FeatureShop.files))
        for (path, body) in [("/features/build", [:]), ("/features/materialize", [:])] as [(String, JSONValue)] {
            let answer = try await workshop.send(.post, path, body)
            #expect(answer.status == 412, "\(answer.text)")
            #expect(
                try ours(answer).contains("the table 'sales' has no dataset version yet. Run 'modelworks data ingest'.")
            )
        }
    }

    // MARK: The command line

    @Test func theCommandLineEndsWithOneAndSaysWhy() async throws {
        let shop = try await materialisedShop()
        let folder = shop.workshop.folder
        let parquet = try await shop.workshop.get("/data/sales/rows").body
        let before = try await shop.digest()
        try Data(parquet.prefix(parquet.count / 2)).write(to: URL(filePath: folder("half.parquet")))
        try folder.write(
            #"{"shop":["a"],"event_time":["2026-01-01T11:00:00Z"],"price":["much"],"count":[1]}"#, to: "rows.json")
        try folder.write(
            "{\"shop\":\"a\",\"at\":\"2026-01-01T11:00:00Z\",\"price\":1,\"count\":1}\nnothing\n", to: "clicks.jsonl")
        for (name, text) in FeatureShop.files {
            try folder.write(
                name == "features/stock.yaml" ? text.replacingOccurrences(of: "ttl: 1d", with: "ttl: 0") : text,
                to: "broken/\(name)")
        }
        let cases: [(words: [String], code: Int32, says: [String])] = [
            (["features", "get", "--features", "stok:amount", "--key", "shop=a"], 1, ["'stok'", "stock"]),
            (
                ["features", "get", "--features", "stock", "--key", "shop=a", "--key", "item=many"], 1,
                ["'item'", "many"]
            ),
            (["features", "get", "--features", "stock", "--key", "shop"], 2, ["--key shop"]),
            (
                [
                    "features", "history", "--features", "stock", "--entities", folder("half.parquet"), "--time",
                    "happened",
                    "--out", folder("out.parquet"),
                ], 1, ["the entity rows", "cut short"]
            ),
            (
                [
                    "features", "history", "--features", "stock", "--entities", folder("none.csv"), "--out",
                    folder("out.csv"),
                ],
                1, ["none.csv"]
            ),
            (
                ["features", "history", "--entities", folder("half.parquet"), "--out", folder("out.csv")], 2,
                ["--service"]
            ),
            (["features", "history", "--service", "shops", "--entities", folder("half.parquet")], 2, ["--out"]),
            (["features", "write", "last_click", "--rows", folder("rows.json")], 1, ["'price' of row 0", "'much'"]),
            (["features", "push", "clicks", "--file", folder("clicks.jsonl")], 1, ["line 2"]),
            (["features", "push", "sold", "--file", folder("clicks.jsonl")], 1, ["line 2"]),
            (["features", "erase", "shp", "--key", "shp=a"], 1, ["'shp'", "shop"]),
            (["features", "materialize", "stok"], 1, ["'stok'", "stock"]),
            (["plan", folder("broken")], 1, ["features/stock.yaml:9", "ttl"]),
            (["data", "show", "sales@7"], 1, ["sales@7"]),
            (["data", "diff", "sales"], 2, ["sales"]),
            (["data", "checkout", "sals"], 1, ["sals"]),
        ]
        try await shop.workshop.serving { _ in
            let url = "http://\(try shop.workshop.address())"
            for (words, code, says) in cases {
                let told = try await Program.run(words + ["--url", url], folder: folder.path)
                #expect(told.code == code, "\(words): \(told.all)")
                #expect(told.output.isEmpty, "\(words): \(told.output)")
                for text in says { #expect(told.errors.contains(text), "\(words): \(told.errors)") }
                #expect(try await shop.digest() == before, "\(words)")
            }
            let json = try await Program.run(cases[0].words + ["--json", "--url", url], folder: folder.path)
            #expect(json.code == 1 && json.json["code"] == "NOT_FOUND", "\(json.all)")
        }
        #expect(!FileManager.default.fileExists(atPath: folder("out.parquet")))
    }
}
