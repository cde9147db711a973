import Basics
import HTTP
import TestSupport
import Testing
import Works
import Workshop

@Suite(.serialized) struct ApplyTests {
    private func changes(_ plan: JSONValue) -> [String] {
        (plan["changes"]?.array ?? []).map {
            "\($0["action"]?.string ?? "") \($0["kind"]?.string ?? "") \($0["name"]?.string ?? "")"
        }
    }

    @Test func planAndApplyDoNothingTheSecondTime() async throws {
        let shop = try await Workshop()
        let all = [
            "create endpoint orders", "create entity shop", "create events measured", "create factory workshop",
            "create service orders", "create table orders", "create table readings", "create training failures",
            "create view shop_load",
        ]
        let directory = shop.directory(Blueprint.files)
        #expect(changes(try await shop.post("/plan", directory)) == all)
        #expect(try await shop.journal().isEmpty)
        #expect(changes(try await shop.post("/apply", directory)) == all)
        #expect(changes(try await shop.post("/plan", directory)) == [])
        #expect(changes(try await shop.post("/apply", directory)) == [])
        #expect(try await shop.journal().map { $0["type"]?.string } == ["factory.applied"])
        #expect(try await shop.get("/status").json["revision"] == 1)

        let longer = shop.directory(
            Blueprint.files(replacing: "ttl: 3h", with: "ttl: 4h", in: "features/shop_load.yaml"))
        #expect(changes(try await shop.post("/plan", longer)) == ["change view shop_load"])
        let without = shop.directory(Blueprint.files(with: ["serving/orders.yaml": nil]))
        #expect(changes(try await shop.post("/plan", without)) == ["remove endpoint orders"])
    }

    @Test func aTypoIsToldWithItsPlaceAndNothingIsApplied() async throws {
        let shop = try await Workshop()
        let typo = Blueprint.files(replacing: "ttl: 3h", with: "tll: 3h", in: "features/shop_load.yaml")
        for verb in ["/plan", "/apply"] {
            let answer = try await shop.send(.post, verb, shop.directory(typo))
            #expect(answer.status == 400)
            #expect(
                answer.json == [
                    "code": "INVALID_ARGUMENT",
                    "error": "features/shop_load.yaml:8:1: unknown key 'tll' (did you mean 'ttl'?)",
                ])
        }
        #expect(try await shop.get("/status").json["revision"] == nil)
        #expect(try await shop.journal().isEmpty)

        try await shop.post("/apply", shop.directory(Blueprint.files))
        #expect(try await shop.send(.post, "/apply", shop.directory(typo)).status == 400)
        #expect(try await shop.get("/status").json["revision"] == 1)
        #expect(changes(try await shop.post("/plan", shop.directory(Blueprint.files))) == [])
    }

    @Test(arguments: [
        (
            "serving/orders.yaml", "service: orders", "service: order",
            "endpoint 'orders': there is no feature service 'order'. Defined: orders."
        ),
        (
            "features/shop_load.yaml", "sources: [measured]", "sources: [measurd]",
            "view 'shop_load' names the event source 'measurd', which is not defined. Defined: measured."
        ),
        (
            "features/shop_load.yaml", "sql: shop_load.sql", "sql: shopload.sql",
            "features/shop_load.yaml:6:6: there is no file 'features/shopload.sql' (did you mean 'features/shop_load.sql'?)"
        ),
        (
            "features/shop_load.yaml", "ttl: 3h", "ttl: 9223372036854775807s",
            "features/shop_load.yaml:8:6: 'ttl' must be a length of time such as 90s, 15m, 2h, 7d or 1w, at most 36525d, and "
                + "is '9223372036854775807s'"
        ),
        (
            "training/failures.yaml", "num_leaves: 7", "num_leaves: many",
            "the parameter 'num_leaves' of the training 'failures' can not be 'many'. See LightGBM's documentation of its "
                + "parameters."
        ),
        (
            "data/orders.yaml", "unique: [order_id]", "unique: [orderid]",
            "data/orders.yaml:7:51: there is no column 'orderid' (did you mean 'order_id'?)"
        ),
        (
            "works.yaml", "clock: replay", "clock: wall",
            "works.yaml:1:50: 'clock' must be system or replay, and is 'wall'"
        ),
        (
            "serving/orders.yaml", "100%]", "90%]",
            "serving/orders.yaml:5:18: the steps must rise and end with 100%"
        ),
        (
            "training/failures.yaml", "auc, min: 0.75", "auc",
            "training/failures.yaml:17:5: a gate has 'min', 'max' or both"
        ),
    ])
    func aBrokenDefinitionIsRefused(file: String, old: String, new: String, expected: String) async throws {
        let shop = try await Workshop()
        let answer = try await shop.send(
            .post, "/apply", shop.directory(Blueprint.files(replacing: old, with: new, in: file)))
        #expect(answer.status == 400)
        #expect(answer.json["error"]?.string == expected)
        #expect(try await shop.get("/status").json["revision"] == nil)
    }

    @Test func whatAModelInProductionStandsOnIsNotTakenAway() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        try await shop.post("/train/\(Blueprint.training)")
        try await shop.post("/models/\(Blueprint.model)/versions/1/stage", ["stage": "Production", "reason": "first"])

        let other = shop.directory(
            Blueprint.files(replacing: "ttl: 3h", with: "ttl: 2h", in: "features/shop_load.yaml"))
        let impact = try await shop.post("/plan", other)["impacts"]?.array?.first
        #expect(impact?["breaks"] == false)
        #expect(impact?["consumers"] == ["model order-failure/1 (Production)"])
        #expect(impact?["explanation"] == "shop_load would be computed otherwise")

        let less = shop.directory(
            Blueprint.files(
                replacing: "views: [shop_load]", with: "views: [\"shop_load:load\"]", in: "features/orders.yaml"))
        let answer = try await shop.send(.post, "/apply", less)
        #expect(answer.status == 412)
        #expect(
            answer.json["error"]?.string?.hasPrefix(
                "the feature service 'orders' would break model order-failure/1 (Production): the input "
                    + "'shop_load__load_mean_6h' is removed.") == true, "\(answer.text)")
        #expect(try await shop.get("/status").json["revision"] == 1)
        try await shop.post("/apply?allow-breaking=true", less)
        #expect(try await shop.get("/status").json["revision"] == 2)
    }

    @Test func dataWithAnotherHashIsNotTaken() async throws {
        let shop = try await Workshop()
        let pinned = String(repeating: "0", count: 64)
        try Rows(count: 10).write(to: shop.folder)
        try await shop.post(
            "/apply",
            shop.directory(
                Blueprint.files(
                    replacing: "path: orders.csv", with: "path: orders.csv\nsha256: \(pinned)", in: "data/orders.yaml"))
        )
        let answer = try await shop.send(.post, "/data/ingest", ["tables": ["orders"]])
        #expect(answer.json["code"] == "DATA_LOSS")
        let told = answer.json["error"]?.string ?? ""
        #expect(
            told.hasPrefix(
                "the content of \(shop.folder.path)/data/orders.csv is not the pinned one: expected 000000000000…"))
        #expect(try await shop.get("/data").json == [])
        #expect(try await shop.journal(type: "dataset.published").isEmpty)
    }

    @Test func aMissingFileAndABrokenExpectationLeaveTheVersionsThatWereThere() async throws {
        let shop = try await Workshop()
        try await shop.apply(rows: Rows(count: 10))
        let before = try await shop.get("/data").json
        let orders = Rows(count: 10).orders
        try shop.folder.write(
            "order_id,shop,placed,size,failed,settled\n"
                + (orders + orders).map { "\($0.id),north,\($0.placed),\($0.size),0,\($0.settled)\n" }.joined(),
            to: "data/orders.csv")
        let doubled = try await shop.send(.post, "/data/ingest", ["tables": ["orders"]])
        #expect(doubled.status == 412)
        #expect(doubled.json["error"]?.string?.contains("fail the expectation 'id_is_unique'") == true)
        #expect(try await shop.get("/data").json == before)

        try await shop.post(
            "/apply",
            shop.directory(Blueprint.files(replacing: "orders.csv", with: "order.csv", in: "data/orders.yaml")))
        let missing = try await shop.send(.post, "/data/ingest", ["tables": ["orders"]])
        #expect(missing.status == 404)
        #expect(
            missing.json["error"]?.string?.hasPrefix("the data file \(shop.folder.path)/data/order.csv does not exist.")
                == true)
        #expect(try await shop.get("/data").json == before)
    }

    @Test func anSQLErrorInAViewNamesTheViewAndCanBeMended() async throws {
        let shop = try await Workshop()
        try await shop.apply(
            Blueprint.files(replacing: "sum(load) AS total", with: "sum(laod) AS total", in: "features/shop_load.sql"),
            rows: Rows(count: 10))
        let answer = try await shop.send(.post, "/features/build", [:])
        #expect(answer.status == 400)
        let told = answer.json["error"]?.string ?? ""
        #expect(told.contains("features/shop_load") && told.contains("laod"), "\(told)")
        try await shop.post("/apply", shop.directory(Blueprint.files))
        #expect(try await shop.post("/features/build").array?.first?["view"] == "shop_load")
    }

    @Test func whatIsNoFactoryAtAllIsRefused() async throws {
        let shop = try await Workshop()
        for body in ["", "{", "[]", #"{"root":1,"files":{}}"#, #"{"root":"/x"}"#] {
            let answer = try await shop.works.dispatch(
                .post, "/api/works/v1/apply", headers: [:], body: Array(body.utf8))
            #expect(answer.status == 400, "\(body)")
        }
        #expect(try await shop.send(.post, "/clock", ["now": "2024-01-01T00:00:00Z"]).status == 412)
    }

    @Test func aSecondFactoryOnTheSameRootIsRefused() async throws {
        let shop = try await Workshop()
        let failure = try #require(throws: WorksFailure.self) { _ = try RootLock(root: "\(shop.folder.path)/root") }
        #expect(failure.code == .failedPrecondition)
        #expect(
            failure.message.hasPrefix("the root \(shop.folder.path)/root is in use by another modelworks (process "))
    }
}
