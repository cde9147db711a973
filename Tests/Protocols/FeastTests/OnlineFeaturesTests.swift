import Basics
import HTTP
import Testing
import Workshop

/// What is read comes in Feast's shape, to the byte.
@Suite struct OnlineFeaturesTests {
    private static let none = #""1970-01-01T00:00:00Z""#

    @Test func everyTypeIsWrittenAsFeastWritesIt() async throws {
        let shop = try await FeastShop()
        let names = "count,price,rate,open,label,seen,both,words".split(separator: ",").map(String.init)
        let references = names.map { ["both", "words"].contains($0) ? "\"lists:\($0)\"" : "\"last_click:\($0)\"" }
        let answer = try await shop.ask(
            """
            {"features":[\(references.joined(separator: ","))],"entities":{"shop":["north"]}}
            """)
        func result(_ value: String) -> String {
            #"{"values":["# + value + #"],"statuses":["PRESENT"],"event_timestamps":["2026-03-01T11:30:00Z"]}"#
        }
        let values = [
            "7", "5.0", "0.10000000149011612", "true", #""a \"b\" é""#, "-2", "[1.0,null,2.5]", #"["x","é"]"#,
        ]
        let expected =
            #"{"results":[{"values":["north"],"statuses":["PRESENT"],"event_timestamps":[\#(Self.none)]},"#
            + values.map(result).joined(separator: ",") + #"],"metadata":{"feature_names":["shop","#
            + names.map { "\"\($0)\"" }.joined(separator: ",") + "]}}"
        #expect(answer.text == expected)
        #expect(answer.status == 200)
    }

    @Test func nullsStaleAndMissingRowsAreTold() async throws {
        let shop = try await FeastShop()
        let body =
            #"{"features":["last_click:price","last_click:count"],"entities":{"shop":["north","south","old","no",null]}}"#
        let times =
            #""event_timestamps":["2026-03-01T11:30:00Z","2026-03-01T11:59:59.250Z","2026-03-01T10:59:59.999999Z","#
            + Self.none + "," + Self.none + "]"
        let keys =
            #"{"results":[{"values":["north","south","old","no",null],"statuses":["PRESENT","PRESENT","PRESENT","PRESENT","PRESENT"],"#
            + #""event_timestamps":[\#(Array(repeating: Self.none, count: 5).joined(separator: ","))]},"#
        let end = #"],"metadata":{"feature_names":["shop","price","count"]}}"#
        #expect(
            try await shop.ask(body).text == keys
                + #"{"values":[5.0,0.1,null,null,null],"statuses":["PRESENT","PRESENT","OUTSIDE_MAX_AGE","NOT_FOUND","NOT_FOUND"],\#(times)},"#
                + #"{"values":[7,null,null,null,null],"statuses":["PRESENT","NULL_VALUE","OUTSIDE_MAX_AGE","NOT_FOUND","NOT_FOUND"],\#(times)}"#
                + end)
        #expect(
            try await shop.ask(body, asFeast: true).text == keys
                + #"{"values":[5.0,0.1,2.5,null,null],"statuses":["PRESENT","PRESENT","PRESENT","NOT_FOUND","NOT_FOUND"],\#(times)},"#
                + #"{"values":[7,null,9,null,null],"statuses":["PRESENT","PRESENT","PRESENT","NOT_FOUND","NOT_FOUND"],\#(times)}"#
                + end)
    }

    @Test func severalViewsAndKeysComeTogether() async throws {
        let shop = try await FeastShop()
        let entities =
            #""entities":{"origin":["EWR","JFK","EWR"],"unknown":[1,2,3],"dest":[1,"-2",2],"shop":["north","x","south"]}"#
        let service = try await shop.ask(#"{"feature_service":"clicked",\#(entities)}"#)
        let results = try #require(service.json["results"]?.array)
        #expect(service.json["metadata"]?["feature_names"] == ["shop", "origin", "dest", "price", "minutes"])
        #expect(results.map { $0["values"] }.dropFirst(3) == [[5, nil, 0.1], [30, 12.25, nil]])
        #expect(results.last?["statuses"] == ["PRESENT", "PRESENT", "NOT_FOUND"])
        #expect(results[2]["values"] == [1, "-2", 2])
        let features = try await shop.ask(
            #"{"features":["last_click:price","last_ride:price"],"full_feature_names":true,"include_feature_view_version_metadata":true,\#(entities)}"#
        )
        #expect(
            features.json["metadata"] == [
                "feature_names": ["shop", "origin", "dest", "last_click__price", "last_ride__price"],
                "feature_view_metadata": [
                    ["name": "last_click", "version": 0], ["name": "last_ride", "version": 0],
                ],
            ])
        #expect(features.json["results"]?.array?.last?["values"] == [1e300, nil, nil])
    }

    @Test func aLoopAnswersAsAWorkerDoes() async throws {
        let shop = try await FeastShop()
        let bodies = [
            #"{"features":["last_click:price","last_click:label"],"entities":{"shop":["north","south","old","no"]}}"#,
            #"{"feature_service":"clicked","entities":{"origin":["EWR"],"dest":[1],"shop":["north"]}}"#,
            #"{"features":["last_click:nothing"],"entities":{"shop":["north"]}}"#, "{", "[]",
            #"{"features":["last_click:price"],"entities":{"shop":"north"}}"#,
        ]
        var expected: [Workshop.Answer] = []
        for body in bodies { expected.append(try await shop.ask(body)) }
        let awaited = expected
        try await shop.workshop.serving { client in
            for round in 0..<3 {
                for (index, body) in bodies.enumerated() {
                    let response = try await client.send(
                        .post, "/get-online-features", headers: ["Content-Type": "application/json"],
                        body: Array(body.utf8))
                    let text = String(decoding: try await response.collect(), as: UTF8.self)
                    #expect(text == awaited[index].text, "round \(round)")
                    #expect(response.status.code == awaited[index].status)
                }
            }
            // More than a loop takes on.
            let many = Array(repeating: "\"north\"", count: 8000).joined(separator: ",")
            let features = ["count", "price", "rate", "open"].map { "\"last_click:\($0)\"" }.joined(separator: ",")
            let response = try await client.send(
                .post, "/get-online-features", headers: ["Content-Type": "application/json"],
                body: Array(#"{"features":[\#(features)],"entities":{"shop":[\#(many)]}}"#.utf8))
            let answer = Workshop.Answer(status: response.status.code, body: try await response.collect())
            #expect(answer.text.split(separator: "\"PRESENT\"", omittingEmptySubsequences: false).count == 5 * 8000 + 1)
        }
    }

    @Test func newDefinitionsCountAtOnce() async throws {
        let shop = try await FeastShop()
        let body = #"{"feature_service":"clicked","entities":{"origin":["EWR"],"dest":[1],"shop":["north"]}}"#
        _ = try await shop.ask(body)
        var files = FeastShop.files
        files["features/clicked.yaml"] = "{kind: service, name: clicked, owner: test, views: [\"last_click:count\"]}\n"
        try await shop.workshop.post("/apply", shop.workshop.directory(files))
        #expect(try await shop.ask(body).json["metadata"]?["feature_names"] == ["shop", "count"])
    }
}
