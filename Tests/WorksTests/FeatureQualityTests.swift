import Basics
import Features
import HTTP
import TestSupport
import Testing
import Workshop

/// Profiles, and data that is too old or not there, by the routes and by the commands.
@Suite(.serialized) struct FeatureQualityTests {
    private func features(_ shop: Workshop, _ words: String...) async throws -> Program.Outcome {
        try await Program.run(["features"] + words + ["--root", shop.folder("root")], folder: shop.folder.path)
    }

    /// Readings whose loads are others than before.
    private func shift(_ shop: Workshop) async throws {
        var lines = ["shop,measured,known,load"]
        for hour in 0..<1200 {
            let moment = Blueprint.start.advanced(bySeconds: Int64(hour) * 1000)
            lines.append("north,\(moment),\(moment),\(5 + Double(hour % 10))")
        }
        try shop.folder.write(lines.joined(separator: "\n") + "\n", to: "data/readings.csv")
        try await shop.post("/data/ingest", ["tables": ["readings"]])
    }

    @Test(.timeLimit(.minutes(3))) func aBlockedViewIsShownAndAccepted() async throws {
        let shop = try await Workshop()
        try await shop.apply(
            Blueprint.files(
                replacing: "every: 15m", with: "every: 15m\ndrift: {psi: 0.25, action: block}",
                in: "features/shop_load.yaml"))
        #expect(try await shop.get("/features/views/shop_load/profile").status == 404)
        try await shop.post("/features/build")
        let first = try await shop.get("/features/views/shop_load/profile").json
        #expect(first["drifted"] == [] && first["history"] == nil)
        try await shift(shop)
        try await shop.serving { _ in
            #expect(try await features(shop, "build").code == 0)
            let profile = try await features(shop, "profile", "shop_load", "--history")
            #expect(profile.code == 0, "\(profile.all)")
            #expect(profile.output.contains("Drifted: load") && profile.output.contains("worst PSI"))
            #expect(profile.output.contains("█"))
            let json = try await features(shop, "profile", "shop_load", "--history", "--json").json
            #expect(json["history"]?.array?.count == 2)
            #expect(json["drifted"]?.array?.contains("load") == true)
            let shown = try await features(shop, "show", "shop_load")
            #expect(shown.output.contains("Drifted from the reference: load"), "\(shown.all)")
            let refused = try await shop.send(.post, "/train/failures")
            #expect(refused.status == 412)
            #expect(refused.text.contains("modelworks features accept shop_load"), "\(refused.text)")
            let entries = try await shop.journal(type: "features.drift")
            #expect(entries.count == 1 && entries.first?["body"]?["action"] == "block")

            let accepted = try await features(shop, "accept", "shop_load", "--json")
            #expect(accepted.code == 0, "\(accepted.all)")
            #expect(accepted.json["accepted"]?.string != nil)
            #expect(try await shop.journal(type: "features.accepted").count == 1)
            // Trained now, whatever the gates say of it.
            #expect(try await shop.send(.post, "/train/failures", ["register": false]).status == 200)
            #expect(try await features(shop, "accept", "shop_lode").code == 1)
            #expect(try await shop.get("/journal/verify").json["intact"] == true)
        }
    }

    /// The last reading is of 2024-01-21, and an hour and a quarter is allowed.
    private static let late = Timestamp("2024-01-23T00:00:00Z") ?? Blueprint.end

    @Test(.timeLimit(.minutes(2))) func trainingOnOldDataIsWarnedOf() async throws {
        let shop = try await Workshop()
        try await shop.apply()
        try await shop.advance(to: Self.late)
        let fresh = try await shop.post("/train/failures", ["register": false])
        #expect(fresh["candidate"]?["warnings"] == nil)
        let old = try await shop.post(
            "/train/failures", ["register": false, "to": .string(Self.late.description)])
        let warnings = try #require(old["candidate"]?["warnings"]?.array)
        #expect(warnings.count == 1)
        #expect(warnings.first?.string?.contains("the view 'shop_load' is of 2024-01-21") == true, "\(warnings)")
        let run = try #require(old["candidate"]?["run"]?.string)
        #expect(try await shop.get("/runs/\(run)").text.contains("newest source data"))
    }

    @Test(.timeLimit(.minutes(2))) func trainingOnOldDataFailsWhereTheViewSaysSo() async throws {
        let shop = try await Workshop()
        try await shop.apply(
            Blueprint.files(
                replacing: "every: 15m", with: "every: 15m\nfreshness: {class: batch, action: fail}",
                in: "features/shop_load.yaml"))
        try await shop.advance(to: Self.late)
        let refused = try await shop.send(.post, "/train/failures", ["to": .string(Self.late.description)])
        #expect(refused.status != 200)
        #expect(refused.text.contains("shop_load") && refused.text.contains("may be 75 min old"), "\(refused.text)")
        #expect(try await shop.send(.post, "/train/failures", ["register": false]).status == 200)
    }

    @Test(.timeLimit(.minutes(1))) func aTableThatWasNeverIngestedIsNamedBeforeARunIsMade() async throws {
        let shop = try await Workshop()
        try Rows(count: 10).write(to: shop.folder)
        try await shop.post("/apply", shop.directory(Blueprint.files))
        for (ingested, missing) in [(nil, "orders"), ("orders", "readings")] as [(JSONValue?, String)] {
            if let ingested { try await shop.post("/data/ingest", ["tables": .array([ingested])]) }
            let answer = try await shop.send(.post, "/train/failures")
            #expect(answer.status != 200 && answer.text.contains("the table '\(missing)' has no dataset version yet"))
        }
        #expect(try await shop.get("/runs").json == [])
        #expect(try await shop.journal(type: "run.started").isEmpty)
    }
}
