import Basics
import HTTP
import Testing
import Workshop

/// What is refused, with which status and words, always as `{"error": …}` and nothing else.
@Suite(.serialized) struct RefusalTests {
    private struct Case: Sendable {
        var body: String
        var status = 400
        var error: String
    }

    private let cases: [Case] = [
        Case(
            body: Requests.body(Requests.size),
            error: "the input 'shop' is missing. The inputs are: shop, size, event_time."),
        Case(
            body: Requests.body(Requests.shop),
            error: "the input 'size' is missing. The inputs are: shop, size, event_time."),
        Case(body: #"{"inputs":[]}"#, error: "the input 'shop' is missing. The inputs are: shop, size, event_time."),
        Case(
            body: Requests.body(Requests.input("Shop", "BYTES", #"["north"]"#), Requests.size),
            error: "the input 'shop' is missing. The inputs are: shop, size, event_time."),
        Case(
            body: Requests.body(Requests.input("shop", "INT64", "[5]"), Requests.size),
            error: "the input 'shop' has datatype INT64 where BYTES is wanted"),
        Case(
            body: Requests.body(Requests.shop, Requests.input("size", "BYTES", #"["0.5"]"#)),
            error: "the input 'size' has datatype BYTES where FP64 is wanted"),
        Case(
            body: Requests.body(Requests.shop, Requests.input("size", "FP64", "[0.5,0.6]", shape: "[2]")),
            error: "the input 'size' has 2 values where the first input has 1"),
        Case(
            body: Requests.body(
                Requests.shop, Requests.size, Requests.input("event_time", "INT64", "[1,2]", shape: "[2]")),
            error: "the input 'event_time' has 2 values where the first input has 1"),
        Case(
            body: Requests.body(Requests.shop, Requests.size, Requests.input("event_time", "FP64", "[1.5]")),
            error: "the input 'event_time' has datatype FP64 where INT64 or BYTES is wanted"),
        Case(
            body: Requests.body(Requests.shop, Requests.size, Requests.input("event_time", "BYTES", #"["tomorrow"]"#)),
            error:
                "the event time 'tomorrow' is no RFC 3339 time. Write it like 2013-04-01T12:30:00Z, or leave it out for "
                + "the present moment."),
        Case(
            body: Requests.body(Requests.shop, #"{"name":"size","datatype":"FP64","shape":[1]}"#),
            error: "the input has neither 'data' nor a 'binary_data_size' at inputs[1]"),
        Case(
            body: Requests.body(Requests.shop, Requests.size, id: #""""#),
            error: "the request's id must have 1 to 240 bytes"),
        Case(
            body: Requests.body(Requests.shop, Requests.size, id: "\"\(String(repeating: "x", count: 241))\""),
            error: "the request's id must have 1 to 240 bytes"),
        Case(body: "", error: "the JSON is empty"),
        Case(body: "{", error: "the JSON is malformed"),
        Case(body: "[]", error: "an infer request has to be a JSON object"),
        Case(body: "{}", error: "the infer request lacks 'inputs' at inputs"),
        Case(body: #"{"inputs":{}}"#, error: "'inputs' has to be an array at inputs"),
        Case(
            body: Requests.body(Requests.shop, Requests.size, id: "5"), error: "the request id has to be a string at id"
        ),
        Case(
            body: Requests.body(Requests.shop, Requests.input("size", "FP64", "[NaN]")), error: "the JSON is malformed"),
        Case(
            body: Requests.body(Requests.shop, Requests.input("size", "FP64", #"["0.5"]"#)),
            error: "a floating-point tensor holds something that is no number at inputs[1].data[0]"),
        Case(
            body: Requests.body(Requests.shop, Requests.input("size", "FP63", "[0.5]")),
            error:
                "the datatype is none of BOOL, UINT8-64, INT8-64, FP16, BF16, FP32, FP64, BYTES at inputs[1].datatype"),
        Case(
            body: Requests.body(Requests.shop, Requests.input("size", "FP64", "[0.5]", shape: "[2]")),
            error: "the shape asks for 2 elements and 'data' has 1 at inputs[1].data"),
        Case(
            body: Requests.body(Requests.shop, Requests.input("size", "FP64", "[0.5]", shape: "[-1]")),
            error: "a dimension has to be a whole number, 0 or more at inputs[1].shape[0]"),
        Case(
            body: Requests.body(Requests.input("shop", "BYTES", "[5]"), Requests.size),
            error: "a BYTES tensor holds something that is no string at inputs[0].data[0]"),
        Case(
            body: Requests.body(Requests.input("shop", "BYTES", "[0.5]"), Requests.size),
            error: "a BYTES tensor holds something that is no string at inputs[0].data[0]"),
        Case(
            body: Requests.body(
                Requests.shop, #"{"name":"size","datatype":"FP64","shape":[1],"parameters":{"binary_data_size":8}}"#),
            error: "'binary_data_size' says 8 bytes where 0 are left at inputs[1]"),
    ]

    @Test func whatIsWrongIsToldAndOthersAreServed() async throws {
        let cases = cases
        try await Requests.served { client, shop in
            for item in cases {
                let answer = try await client.infer("orders", item.body)
                #expect(answer.status == item.status, "\(item.body): \(answer.text)")
                #expect(answer.json == ["error": .string(item.error)], "\(item.body)")
                let good = try await client.infer("orders", Requests.body(Requests.shop, Requests.size, Requests.time))
                #expect(good.status == 200)
            }
        }
    }

    @Test func tooManyRowsAreRefusedAndTheMostAreAnswered() async throws {
        try await Requests.served { client, _ in
            func rows(_ count: Int) -> String {
                Requests.body(
                    Requests.input(
                        "shop", "BYTES", "[\(Array(repeating: "\"north\"", count: count).joined(separator: ","))]",
                        shape: "[\(count)]"),
                    Requests.input(
                        "size", "FP64", "[\(Array(repeating: "0.5", count: count).joined(separator: ","))]",
                        shape: "[\(count)]"))
            }
            let many = try await client.infer("orders", rows(10_001))
            #expect(many.status == 400)
            #expect(
                many.json == ["error": "a request has 10001 rows; the limit is 10000. Send them in several requests."])
            let most = try await client.infer("orders", rows(10_000))
            #expect(most.status == 200)
            #expect(most.json["outputs"]?.array?.first?["data"]?.array?.count == 10_000)
            let none = try await client.infer("orders", rows(0))
            #expect(none.status == 200)
            #expect(none.json["outputs"]?.array?.first?["data"] == [])
        }
    }

    @Test func aRequestThatIsRefusedLeavesNoRecordOfSomeOfItsRows() async throws {
        try await Requests.served { client, shop in
            let times = #"["2024-01-15T00:00:00Z","2024-01-15T00:00:00Z","tomorrow"]"#
            let answer = try await client.infer(
                "orders",
                Requests.body(
                    Requests.input("shop", "BYTES", #"["north","south","east"]"#, shape: "[3]"),
                    Requests.input("size", "FP64", "[0.1,0.2,0.3]", shape: "[3]"),
                    Requests.input("event_time", "BYTES", times, shape: "[3]")))
            #expect(answer.status == 400)
            #expect(try await shop.get("/endpoints/orders").json["stable"]?["answers"] == 0)
        }
    }

    @Test func unknownAndUndeployedEndpointsSaySo() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        try await shop.serving { client in
            let body = Requests.body(Requests.shop, Requests.size)
            let unknown = try await client.infer("order", body)
            #expect(unknown.status == 404)
            #expect(unknown.json == ["error": "there is no endpoint 'order'. Known: orders."])
            let early = try await client.infer("orders", body)
            #expect(early.status == 503)
            let told: JSONValue = [
                "error":
                    "the endpoint 'orders' has no model version deployed. Run 'modelworks deploy orders MODEL/VERSION'."
            ]
            #expect(early.json == told)
            let ready = try await client.read("/v2/models/orders/ready")
            #expect(ready.status == 503)
            #expect(ready.json == told)
            #expect(try await client.read("/v2/models/order/ready").status == 404)
            #expect(try await client.read("/v2/models/orders").json["versions"] == [])
            let lost = try await client.read("/v2/nothing")
            #expect(lost.status == 404)
            #expect(lost.json.object?.keys.sorted() == ["error"])
            let wrong = try await client.read("/v2/models/orders/infer")
            #expect([404, 405].contains(wrong.status))
            #expect(wrong.json.object?.keys.sorted() == ["error"])
        }
    }
}
