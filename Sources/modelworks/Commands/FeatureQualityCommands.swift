import Basics
import Features
import Foundation

/// The words of `features` that tell how values are distributed, and whether they are the same online and offline.
enum FeatureQualityCommands {
    static let options: [Usage.Option] = [
        .init(name: "history", value: nil, help: "profile: list the earlier profiles too"),
        .init(name: "endpoint", value: "NAME", help: "skew: whose logged features are replayed"),
    ]

    static let words = [
        Word("profile", needs: "VIEW", run: profile),
        Word("accept", needs: "VIEW", run: accept),
        Word("skew", run: skew),
    ]

    private static func path(_ view: String) -> String { "/features/views/\(Client.escape(view))" }

    private static func profile(_ arguments: Arguments, _ client: Client) async throws -> Output {
        let document = try await client.get(
            path(arguments.required(1)) + "/profile",
            [("history", arguments.flag("history") ? "true" : nil)])
        let profile = try JSON.decode(HistoryProfile.self, from: try JSON.canonical(document["profile"] ?? .null))
        let drifted = (document["drifted"]?.array ?? []).compactMap(\.string)
        var table = TextTable(["feature", "type", "missing", "mean", "std", "min", "median", "max", "PSI", "values"])
        for feature in profile.features {
            let median = feature.quantiles.indices.contains(2) ? feature.quantiles[2] : nil
            let psi = feature.drift?.worst.map { "\(number($0))\(drifted.contains(feature.feature) ? " !" : "")" }
            table.add(
                [feature.feature, "\(feature.type)", "\(number(feature.missingShare * 100)) %"]
                    + [feature.mean, feature.standardDeviation, feature.minimum, median, feature.maximum].map {
                        $0.map(number) ?? ""
                    } + [psi ?? "", shape(feature)])
        }
        let against =
            profile.accepted == nil
            ? "compared with the history \(profile.reference?.short ?? "")…"
            : "the reference since \(profile.accepted?.description ?? "")"
        var text = "\(profile.view): \(profile.rows) rows of \(profile.created), \(against)\n" + table.rendered()
        if !drifted.isEmpty { text += "\nDrifted: \(drifted.joined(separator: ", "))." }
        if let history = document["history"]?.array {
            text += "\n" + earlier.text(.array(history))
        }
        return Output(document: document, text: text)
    }

    private static let earlier = Listing(
        "/features/profile",
        ["computed": "created", "rows": "rows", "worst PSI": "worst", "accepted": "accepted", "history": "key"],
        empty: "No profiles yet.")

    /// The histogram of a number, or the most frequent values of anything else.
    private static func shape(_ feature: FeatureProfile) -> String {
        if let counts = feature.histogram?.counts {
            return Sparkline.render(
                counts.map(Double.init), in: 0...max(1, counts.max().map(Double.init) ?? 1))
        }
        return feature.top.prefix(3).map { "\($0.value) \(number($0.share * 100)) %" }.joined(separator: ", ")
    }

    private static func number(_ value: Double) -> String {
        let isUsual = value == 0 || (0.01..<1e6).contains(value.magnitude)
        return isUsual ? Numbers.significant(value) : String(format: "%.3g", value)
    }

    private static func accept(_ arguments: Arguments, _ client: Client) async throws -> Output {
        let view = arguments.required(1)
        let document = try await client.post(path(view) + "/accept", [String: String]())
        return Output(
            document: document,
            text:
                "Later histories of \(view) are compared with its present one (\(document["rows"]?.cell ?? "0") rows).")
    }

    private static func skew(_ arguments: Arguments, _ client: Client) async throws -> Output {
        guard let endpoint = arguments.option("endpoint") else {
            throw UsageError("'modelworks features skew' needs --endpoint NAME")
        }
        struct Body: Encodable {
            var from: String?
            var to: String?
        }
        let document = try await client.post(
            "/endpoints/\(Client.escape(endpoint))/skew",
            Body(from: arguments.option("from"), to: arguments.option("to")))
        let report = try JSON.decode(SkewReport.self, from: try JSON.canonical(document))
        return Output(
            document: document, text: text(report), good: report.differences == 0 && report.compared > 0)
    }

    private static func text(_ report: SkewReport) -> String {
        var table = TextTable(["feature", "compared", "different"])
        for feature in report.features { table.add(feature.name, "\(feature.compared)", "\(feature.different)") }
        var lines = [table.rendered()]
        for feature in report.features {
            for example in feature.examples {
                lines.append(
                    "\(feature.name) of \(example.id) at \(example.time): online \(value(example.online)), offline "
                        + value(example.offline))
            }
        }
        let left = [
            (report.notInPopulation, "no row of the population has their id"),
            (report.withoutFeatures, "they were logged without features"),
            (report.otherInputs, "they were logged with other inputs than the service has now"),
        ]
        for (count, reason) in left where count > 0 { lines.append("\(count) not compared: \(reason).") }
        lines.append(
            report.compared == 0
                ? "Of \(report.logged) logged predictions none could be compared."
                : "Compared \(report.compared) of \(report.logged) logged predictions: "
                    + (report.differences == 0 ? "no value differs." : "\(report.differences) values differ."))
        return lines.joined(separator: "\n")
    }

    private static func value(_ value: Double?) -> String { value.map { "\($0)" } ?? "null" }
}
