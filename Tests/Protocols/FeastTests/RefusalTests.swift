import Basics
import HTTP
import TestSupport
import Testing
import Workshop

/// What is wrong is told in the shapes that Feast's clients understand.
@Suite struct FeastRefusalTests {
    private static let online = "/get-online-features"
    private static let entities = #""entities":{"shop":["north"]}"#

    @Test func refusalsNameFeastsExceptions() async throws {
        let shop = try await FeastShop()
        let cases: [(path: String, body: String, status: Int, name: String)] = [
            (Self.online, #"{"features":["no:x"],\#(Self.entities)}"#, 404, "FeatureViewNotFoundException"),
            (Self.online, #"{"feature_service":"no",\#(Self.entities)}"#, 404, "FeatureServiceNotFoundException"),
            (Self.online, #"{"features":["last_click:no"],\#(Self.entities)}"#, 404, "FeastError"),
            (Self.online, #"{"features":[],\#(Self.entities)}"#, 400, "FeastError"),
            (Self.online, #"{"features":[":"],\#(Self.entities)}"#, 400, "FeastError"),
            (Self.online, #"{"features":["last_click:price"],"entities":{}}"#, 400, "FeastError"),
            (Self.online, #"{"features":["last_click:price"],"entities":{"shop":[]}}"#, 400, "FeastError"),
            (Self.online, #"{"features":["last_click:price"],"entities":{"shop":[[1]]}}"#, 400, "FeastError"),
            (Self.online, #"{"features":["last_click:price"],"entities":{"shop":[true]}}"#, 400, "FeastError"),
            (
                Self.online, #"{"features":["last_ride:price"],"entities":{"origin":["a"],"dest":["many"]}}"#, 400,
                "FeastError"
            ),
            (
                Self.online, #"{"features":["last_ride:price"],"entities":{"origin":["a"],"dest":[1,2]}}"#, 400,
                "FeastError"
            ),
            (
                Self.online,
                #"{"features":["last_ride:price","last_click:price"],"entities":{"origin":["a"],"dest":[1],"shop":["a"]}}"#,
                400, "FeatureNameCollisionError"
            ),
            (
                Self.online,
                #"{"features":["last_click:price"],"entities":{"shop":[\#(Array(repeating: "1", count: 10_001).joined(separator: ","))]}}"#,
                400, "FeastError"
            ),
            ("/push", #"{"push_source_name":"no","df":{}}"#, 422, "PushSourceNotFoundException"),
            ("/push", #"{"push_source_name":"clicks","df":{"shop":["a"]}}"#, 400, "FeastError"),
            ("/push", #"{"push_source_name":"clicks","df":{},"to":"nowhere"}"#, 400, "FeastError"),
            ("/push", #"{"push_source_name":"lists","df":{},"to":"offline"}"#, 400, "FeastError"),
            ("/push", #"{"push_source_name":"lists","df":{},"to":"nowhere"}"#, 400, "FeastError"),
            ("/write-to-online-store", #"{"feature_view_name":"no","df":{}}"#, 404, "FeatureViewNotFoundException"),
            ("/materialize", #"{"start_ts":"2026-01-01"}"#, 400, "FeastError"),
            ("/materialize", #"{"start_ts":"2026-01-02","end_ts":"2026-01-01"}"#, 400, "FeastError"),
            ("/materialize", #"{"start_ts":"soon","end_ts":"2026-01-01"}"#, 400, "FeastError"),
            (
                "/materialize-incremental", #"{"end_ts":"2026-01-01","feature_views":["no"]}"#, 404,
                "FeatureViewNotFoundException"
            ),
        ]
        for (path, body, status, name) in cases {
            let answer = try await shop.send(path, body)
            #expect(answer.status == status, "\(body.prefix(120)): \(answer.text)")
            // A text that holds a document, as Feast's clients take it apart.
            let inner = try JSON.decode(JSONValue.self, from: answer.json.string ?? "null")
            #expect(inner["class"] == .string(name), "\(body.prefix(120)): \(answer.text)")
            #expect(inner["module"] == "feast.errors")
            #expect(inner["message"]?.string?.isEmpty == false)
        }
    }

    @Test func bodiesOfTheWrongShapeAreToldAsFastAPIDoes() async throws {
        let shop = try await FeastShop()
        let missing = try await shop.send(Self.online, #"{"features":[]}"#)
        #expect(missing.status == 422)
        #expect(
            missing.json == [
                "detail": [
                    [
                        "type": "missing", "loc": ["body", "entities"], "msg": "Field required",
                        "input": ["features": []],
                    ]
                ]
            ])
        let wrong = try await shop.send(Self.online, #"{"features":["a",5],"entities":{"shop":"north"}}"#)
        #expect(
            wrong.json["detail"] == [
                [
                    "type": "string_type", "loc": ["body", "features", 1], "msg": "Input should be a valid string",
                    "input": 5,
                ],
                [
                    "type": "list_type", "loc": ["body", "entities", "shop"], "msg": "Input should be a valid list",
                    "input": "north",
                ],
            ])
        for (path, body) in [(Self.online, "{\"a"), ("/push", "}"), ("/materialize", "")] {
            let broken = try await shop.send(path, body)
            #expect(broken.status == 422)
            #expect(broken.json["detail"]?.array?.first?["type"] == "json_invalid")
        }
        #expect(try await shop.send("/push", "{}").json["detail"]?.array?.count == 2)
        #expect(try await shop.send("/materialize-incremental", "{}").status == 422)
    }

    /// Bytes changed, cut and doubled at random: each answer is in shape, and the server goes on.
    @Test(arguments: [UInt64(1), 2, 3])
    func brokenBodiesAreAnsweredInShape(seed: UInt64) async throws {
        let shop = try await FeastShop()
        let bodies = [
            (
                Self.online,
                #"{"features":["last_click:price","last_ride:minutes"],"entities":{"shop":["north",5],"origin":["EWR",null],"dest":[1,2]},"full_feature_names":true}"#
            ),
            (
                Self.online,
                #"{"feature_service":"clicked","entities":{"origin":["EWR"],"dest":[-1],"shop":["é\u0000"]}}"#
            ),
            (
                "/push",
                #"{"push_source_name":"last_ride","df":{"origin":{"0":"EWR"},"dest":[1],"event_timestamp":["2026-02-02"],"minutes":[1.5],"price":[null]}}"#
            ),
            ("/materialize-incremental", #"{"end_ts":"2026-01-01T00:00:00+00:00","feature_views":null}"#),
        ]
        var random = SeededGenerator(seed: seed)
        for _ in 0..<150 {
            for (path, body) in bodies {
                var bytes = Array(body.utf8)
                for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
                    let place = Int.random(in: bytes.indices, using: &random)
                    switch Int.random(in: 0...3, using: &random) {
                    case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
                    case 1: bytes.remove(at: place)
                    case 2: bytes.insert(bytes[place], at: place)
                    default: bytes.swapAt(place, Int.random(in: bytes.indices, using: &random))
                    }
                }
                let answer = try await shop.send(path, bytes)
                #expect([200, 400, 404, 422].contains(answer.status), "\(String(decoding: bytes, as: UTF8.self))")
                let isShaped =
                    answer.status == 200 ? true : answer.json.string != nil || answer.json["detail"]?.array != nil
                #expect(isShaped, "\(answer.text)")
            }
        }
    }
}

/// The same numbers from the same seed (splitmix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
