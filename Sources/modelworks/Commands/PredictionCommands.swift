import Basics

struct PredictionsCommand: WordedCommand {
    let usage = Usage(
        name: "predictions", summary: "Find what was answered: by id, or the newest",
        positionals: ["[list|get|compact]", "[ID]"],
        options: [
            .init(name: "model", value: "NAME", help: "list: only of this endpoint or model"),
            .init(name: "since", value: "TIME", help: "list: only from this moment on, such as 2026-01-31T00:00:00Z"),
            .init(name: "limit", value: "N", help: "list: how many at most (default 20)"),
        ], example: "modelworks predictions get 7c1d0a36 --json")

    private static let listing = Listing(
        "/predictions",
        [
            "Kept": "recorded", "Id": "id", "Model": "model", "Version": "version", "Arm": "arm",
            "Outcome": "outcome", "ns": "stages.total",
        ], empty: "Nothing was kept.")

    var words: [Word] {
        [
            Word("list") { arguments, client in
                try await Self.listing.read(
                    client, ["model", "since", "limit"].map { ($0, arguments.option($0)) })
            },
            Word("get", needs: "ID") { arguments, client in
                let document = try await client.get("/predictions/\(Client.escape(arguments.required(1)))")
                return Output(
                    document: document, text: try (document.array ?? []).map(JSON.pretty).joined(separator: "\n"))
            },
            Word("compact") { _, client in
                let document = try await client.post("/predictions/compact", [String: String]())
                return Output(
                    document: document,
                    text: "\(document["records"]?.cell ?? "0") records were taken into Parquet, "
                        + "\(document["expired"]?.cell ?? "0") were deleted because of their age.")
            },
        ]
    }
}

struct LatencyCommand: ClientCommand {
    let usage = Usage(
        name: "latency", summary: "Show how long each stage of answering takes, beside its budget",
        positionals: ["MODEL"],
        options: [
            .init(name: "quantile", value: "SHARE", help: "which quantile is compared with the budget (default 0.5)")
        ], example: "modelworks latency flight-delay --quantile 0.99")

    func run(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        let document = try await client.get(
            "/latency/\(Client.escape(arguments.required(0)))", [("quantile", arguments.option("quantile"))])
        let reports = document.array ?? []
        let isOver = reports.contains { report in
            (report["stages"]?.array ?? []).contains { $0["isOver"]?.bool == true }
        }
        return Output(
            document: document,
            text: reports.isEmpty ? "It has not been asked." : reports.map(Self.text).joined(separator: "\n"),
            good: !isOver)
    }

    private static func text(_ report: JSONValue) -> String {
        func milliseconds(_ value: JSONValue?) -> String {
            value?.double.map { number in
                let scale = number < 1 ? 1000.0 : 100.0
                return "\((number * scale).rounded() / scale)"
            } ?? "–"
        }
        let quantile = report["quantile"]?.double ?? 0.5
        var table = TextTable([
            "Stage", "Budget ms", "p\(trimmed(quantile * 100)) ms", "Variance", "", "p95", "p99", "p99.9",
        ])
        for line in report["stages"]?.array ?? [] {
            let variance = line["variance"]?.double.map { "\($0 > 0 ? "+" : "")\(trimmed($0))%" } ?? "–"
            table.add(
                line["stage"]?.cell ?? "", milliseconds(line["budget"]), milliseconds(line["actual"]), variance,
                line["isOver"]?.bool == true ? "over" : "", milliseconds(line["p95"]), milliseconds(line["p99"]),
                milliseconds(line["p999"]))
        }
        let head =
            "\(report["model"]?.cell ?? "")/\(report["version"]?.cell ?? ""), \(report["arm"]?.cell ?? ""): "
            + "\(report["requests"]?.cell ?? "0") requests"
        return "\(head)\n\(table.rendered())\(StagePlot.text(report["stages"]?.array ?? []))"
    }

    private static func trimmed(_ number: Double) -> String {
        let rounded = (number * 10).rounded() / 10
        return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
    }
}
