import Basics
import Experiments
import Foundation
import Training

struct RunsCommand: WordedCommand {
    let usage = Usage(
        name: "runs",
        summary: "Work with runs: list, show, compare, diff, best, plot, lineage, environment, reproduce",
        positionals: ["[WORD]", "[RUN...]"],
        options: [
            .init(name: "experiment", value: "NAME", help: "list: only of this experiment"),
            .init(name: "metric", value: "KEY", help: "best: what is judged by"),
            .init(name: "min", value: nil, help: "best: the least value (default: the greatest)"),
            .init(name: "max", value: nil, help: "best: the greatest value"),
            .init(name: "dockerfile", value: nil, help: "environment: as the recipe of an image"),
        ], example: "modelworks runs diff 4f1c0a… 9b27de…")

    let words: [Word] = [
        Word("list") { arguments, client in
            let document = try await client.get("/runs", [("experiment", arguments.option("experiment"))])
            return Output(
                document: document,
                text: table(
                    document,
                    [
                        (title: "run", path: "id"), (title: "name", path: "name"), (title: "status", path: "status"),
                        (title: "AUC", path: "metrics.auc"), (title: "started", path: "started"),
                    ], empty: "No runs yet."))
        },
        Word("show", needs: "RUN") { arguments, client in
            let document = try await client.get("/runs/\(Client.escape(arguments.required(1)))")
            return Output(document: document, text: try JSON.pretty(document))
        },
        Word("compare", needs: "RUN") { arguments, client in
            var runs: [RunFacts] = []
            for id in arguments.positionals.dropFirst() { runs.append(try await facts(id, client)) }
            return Output(document: try JSON.value(runs), text: comparison(runs))
        },
        Word("diff", needs: "RUN", "OTHER") { arguments, client in
            let (one, other) = (
                try await facts(arguments.required(1), client), try await facts(arguments.required(2), client)
            )
            let differences = one.differences(from: other)
            var table = TextTable(["", "", String(one.run.suffix(12)), String(other.run.suffix(12))])
            for item in differences {
                table.add(item.section, item.key, short(item.one), short(item.other))
            }
            return Output(
                document: [
                    "equal": .bool(differences.isEmpty), "differences": try JSON.value(differences),
                ], text: differences.isEmpty ? "The runs do not differ." : table.rendered())
        },
        Word("best", needs: "EXPERIMENT") { arguments, client in
            guard let metric = arguments.option("metric") else { throw UsageError("'--metric' is needed") }
            guard !(arguments.flag("min") && arguments.flag("max")) else {
                throw UsageError("only one of '--min' and '--max' can be meant")
            }
            let run = try await client.get(
                "/experiments/\(Client.escape(arguments.required(1)))/best",
                [("metric", metric), ("least", arguments.flag("min") ? "true" : nil)], as: Run.self)
            return Output(
                document: try JSON.value(run),
                text: "\(run.id)  \(run.name)  \(metric)=\(run.metrics[metric].map { "\($0)" } ?? "–")")
        },
        Word("plot", needs: "RUN", "METRIC") { arguments, client in
            let (run, metric) = (arguments.required(1), arguments.required(2))
            let points = try await client.get(
                "/runs/\(Client.escape(run))/metrics/\(Client.escape(metric))", as: [MetricPoint].self)
            return Output(document: try JSON.value(points), text: plot(points, metric))
        },
        Word("lineage", needs: "RUN") { arguments, client in
            let document = try await client.get("/runs/\(Client.escape(arguments.required(1)))/lineage")
            return Output(document: document, text: lineage(document))
        },
        Word("environment", needs: "RUN") { arguments, client in
            let run = try await client.get("/runs/\(Client.escape(arguments.required(1)))", as: Run.self)
            let recipe = try await EnvironmentRecipe(
                run, facts: try await facts(run.id, client), read: { try await client.object($0) })
            let text = arguments.flag("dockerfile") ? recipe.dockerfile : recipe.lock
            return Output(
                document: [
                    "lock": .string(recipe.lock), "dockerfile": .string(recipe.dockerfile),
                    "digest": .string(recipe.digest.description),
                ], text: text)
        },
        Word("reproduce", needs: "RUN") { arguments, client, context in
            struct Body: Encodable { var code: CodeState? }
            let code = try await Git.state(of: context.workingDirectory, isStrict: false)
            let result = try await client.post(
                "/runs/\(Client.escape(arguments.required(1)))/reproduce", Body(code: code), as: Reproduction.self)
            return Output(document: try JSON.value(result), text: text(of: result), good: result.isEqual)
        },
    ]

    func run(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        // The id of a run alone shows it.
        if let given = arguments.positional(0), !words.contains(where: { $0.name == given }), given.count == 32 {
            let document = try await client.get("/runs/\(Client.escape(given))")
            return Output(document: document, text: try JSON.pretty(document))
        }
        return try await choose(arguments, client, context)
    }

    private static func facts(_ run: String, _ client: Client) async throws -> RunFacts {
        try await client.get("/runs/\(Client.escape(run))/facts", as: RunFacts.self)
    }

    /// One column for each run, one row for each parameter and metric.
    private static func comparison(_ runs: [RunFacts]) -> String {
        var table = TextTable([""] + runs.map { String($0.run.suffix(12)) })
        table.add(["name"] + runs.map(\.name))
        table.add(["status"] + runs.map(\.status.rawValue))
        for pick in [\RunFacts.parameters, \RunFacts.metrics] {
            table.addRule()
            for key in Set(runs.flatMap { $0[keyPath: pick].keys }).sorted() {
                table.add([key] + runs.map { short($0[keyPath: pick][key]) })
            }
        }
        return table.rendered()
    }

    private static func plot(_ points: [MetricPoint], _ metric: String) -> String {
        let points = points.sorted { ($0.step, $0.time) < ($1.step, $1.time) }
        guard let first = points.first, let last = points.last else { return "The run has no metric '\(metric)'." }
        let width = 72
        // Of more points than there is room for, each column shows the last of its share.
        let shown =
            points.count <= width
            ? points : (1...width).map { points[$0 * points.count / width - 1] }
        let known = points.map(\.value).filter(\.isFinite)
        let range = known.min().flatMap { least in known.max().map { "\(least) … \($0)" } } ?? "no numbers"
        return """
            \(metric)  \(points.count) points, steps \(first.step) to \(last.step), \(range), last \(last.value)
            \(Sparkline.render(shown.map(\.value)))
            """
    }

    private static func lineage(_ document: JSONValue) -> String {
        var table = TextTable(["", "", ""])
        let facts = document["facts"] ?? .null
        table.add("run", facts["run"]?.string ?? "", facts["name"]?.string ?? "")
        table.add("experiment", facts["experiment"]?.string ?? "")
        for section in ["code", "data", "features", "parameters", "metrics", "environment"] {
            for (key, value) in (facts[section]?.object ?? [:]).sorted(by: { $0.key < $1.key }) {
                table.add(section, key, short(value.string))
            }
        }
        for version in document["versions"]?.array ?? [] {
            table.add(
                "version", "\(version.at("id.model")?.cell ?? "")/\(version.at("id.version")?.cell ?? "")",
                version["stage"]?.string ?? "")
        }
        return table.rendered()
    }

    private static func text(of result: Reproduction) -> String {
        var table = TextTable(["", "then", "now"])
        for item in result.inputs { table.add("input \(item.name)", short(item.then), short(item.now)) }
        for item in result.outcomes { table.add(item.name, short(item.then), short(item.now)) }
        let differing = result.inputs.isEmpty && result.outcomes.isEmpty ? "" : "\n" + table.rendered()
        return result.isEqual
            ? "Run \(result.run) came out as \(result.original) did, bit by bit.\(differing)"
            : "Run \(result.run) came out otherwise than \(result.original).\(differing)"
    }

    /// Digests are known by their beginning; what is not there is a dash.
    private static func short(_ text: String?) -> String { text.map { JSONValue.string($0).cell } ?? "–" }
}
