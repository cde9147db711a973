import Basics

struct FeaturesCommand: WordedCommand {
    let usage = Usage(
        name: "features", summary: "Show, compute and check feature views",
        positionals: [
            "[list|show|search|build|check|test|history|explain|materialize|materialize-incremental|get|write|push|streams|flush|erase|freshness|profile|accept|skew]",
            "[NAME...]",
        ],
        options: [
            .init(name: "sample", value: "N", help: "rows to check for leaks (default 8)"),
            .init(name: "seed", value: "N", help: "which rows (default 7)"),
            .init(name: "tag", value: "KEY[=VALUE]", help: "search: only with this tag"),
            .init(name: "owner", value: "TEXT", help: "search: only of this owner"),
            .init(name: "column", value: "TEXT", help: "search: only with such a column or feature"),
            .init(name: "kind", value: "KIND", help: "search: table, events, entity, view, transform or service"),
        ] + FeatureTestCommands.options + FeatureHistoryCommands.options + FeaturesCommand.onlineOptions
            + FeatureStreamCommands.options + FeatureQualityCommands.options,
        example: "modelworks features check flight_delay --sample 20")

    private static let views = Listing(
        "/features",
        ["view": "name", "entities": "entities", "features": "features", "used by": "services", "owner": "owner"],
        empty: "No views are defined.")

    private static let histories = Listing(
        "/features/build", ["view": "view", "rows": "rows", "history": "digest"], empty: "No views are defined.")

    private static let found = Listing(
        "/features/search",
        ["kind": "kind", "name": "name", "columns": "columns", "used by": "consumers", "owner": "owner"],
        empty: "Nothing matches.")

    private static let features = Listing(
        "/features/views",
        ["feature": "name", "type": "type", "PSI": "psi", "used by": "consumers", "description": "description"],
        empty: "No features.")

    private static let leaks = Listing(
        "/features/leak-check",
        ["view": "view", "feature": "feature", "row": "id", "used": "used", "knowable": "knowable"], empty: "")

    var words: [Word] {
        [
            .list(Self.views),
            Word("show", needs: "VIEW") { arguments, client in
                let document = try await client.get("\(Self.features.path)/\(Client.escape(arguments.required(1)))")
                let drifted = (document["drifted"]?.array ?? []).compactMap(\.string)
                let mark = drifted.isEmpty ? "" : "\nDrifted from the reference: \(drifted.joined(separator: ", "))."
                return Output(document: document, text: Self.features.text(document["features"] ?? .array([])) + mark)
            },
            Word("search") { arguments, client in
                try await Self.found.read(
                    client,
                    [("text", arguments.positional(1))]
                        + ["tag", "owner", "column", "kind"].map { ($0, arguments.option($0)) })
            },
            Word("build") { _, client in
                Self.histories.show(try await client.post(Self.histories.path, [String: String]()))
            },
            Word("check", needs: "TRAINING") { try await check($0, $1) },
        ] + FeatureTestCommands.words + FeatureHistoryCommands.words + Self.onlineWords + FeatureStreamCommands.words
            + FeatureQualityCommands.words
    }

    private func check(_ arguments: Arguments, _ client: Client) async throws -> Output {
        struct Body: Encodable {
            var training: String
            var sample: Int
            var seed: Int
        }
        let document = try await client.post(
            "/features/leak-check",
            Body(
                training: arguments.required(1), sample: try arguments.integer("sample", default: 8, in: 1...1000),
                seed: try arguments.integer("seed", default: 7, in: 0...Int.max)))
        let findings = document["findings"]?.array ?? []
        let summary =
            "Checked \(document["values"]?.cell ?? "0") values of \(document["rows"]?.cell ?? "0") rows: "
            + (findings.isEmpty ? "none was knowable later than its row." : "\(findings.count) leaks.")
        return Output(
            document: document,
            text: findings.isEmpty
                ? summary
                : Self.leaks.text(document["findings"] ?? .array([])) + "\n" + summary, good: findings.isEmpty)
    }
}
