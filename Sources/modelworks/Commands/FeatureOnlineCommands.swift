import Basics
import Foundation

/// The words of `modelworks features` that bring features online and read them there.
extension FeaturesCommand {
    static let onlineOptions: [Usage.Option] = [
        .init(name: "from", value: "TIME", help: "materialize, skew: times from here (default: the beginning)"),
        .init(
            name: "to", value: "TIME",
            help: "materialize, skew: up to here (default: now); push: online, offline or online_and_offline (default)"),
        .init(name: "rows", value: "FILE", help: "write: JSON with a list of values per column"),
        .init(name: "key", value: "NAME=VALUES", help: "get, erase: a join key's values, with commas; may be repeated"),
        .init(name: "at", value: "TIME", help: "get: as of when (default: now)"),
    ]

    private static let written = Listing(
        "/features/materialize",
        [
            "view": "view", "written": "written", "older": "skipped", "no key": "keyless", "resumed": "resumed",
            "seconds": "seconds",
        ], empty: "No view is kept online.")

    private static let pushed = Listing(
        "/features/push", ["view": "view", "written": "written", "older": "skipped", "ignored": "ignored"],
        empty: "Nothing was written.")

    private static let erased = Listing(
        "/features/erase", ["view": "view", "rows": "rows"], empty: "No view describes that entity.")

    private static let fresh = Listing(
        "/features/freshness",
        [
            "view": "view", "newest": "newest", "written through": "through", "age s": "ageSeconds",
            "bound s": "withinSeconds", "stale": "isStale",
        ], empty: "No view is kept online.")

    static let onlineWords = [
        Word("materialize") { try await materialize($0, $1, $2, incremental: false) },
        Word("materialize-incremental") { try await materialize($0, $1, $2, incremental: true) },
        Word("write", needs: "VIEW") { try await write($0, $1, $2) },
        Word("get") { arguments, client in try await get(arguments, client) },
        Word("erase", needs: "ENTITY") { arguments, client in
            struct Body: Encodable {
                var entity: String
                var keys: [String: String]
            }
            let keys = try keys(arguments).mapValues { $0.joined(separator: ",") }
            let document = try await client.post(erased.path, Body(entity: arguments.required(1), keys: keys))
            return Output(
                document: document,
                text: erased.text(document["views"] ?? .array([])) + "\n\(document["rows"]?.cell ?? "0") rows removed.")
        },
        Word("freshness") { _, client in try await fresh.read(client) },
    ]

    private static func materialize(
        _ arguments: Arguments, _ client: Client, _ context: Context, incremental: Bool
    ) async throws -> Output {
        struct Body: Encodable {
            var views: [String]?
            var from: String?
            var to: String?
            var async = true
        }
        let views = Array(arguments.positionals.dropFirst()).flatMap {
            $0.split(separator: ",").map(String.init)
        }
        var document = try await client.post(
            "/features/\(incremental ? "materialize-incremental" : "materialize")",
            Body(views: views.isEmpty ? nil : views, from: arguments.option("from"), to: arguments.option("to")))
        let id = document["id"]?.string ?? ""
        let output = DescriptorOutput(2)
        let bar = ProgressBar(
            "materialize", total: nil, unit: "rows", output: output,
            style: Style(for: output, environment: context.environment),
            nanoseconds: { SystemTime.monotonicNanoseconds })
        while document["state"]?.string == "running" {
            try await Task.sleep(for: .milliseconds(100))
            document = try await client.get("/features/materialize/\(Client.escape(id))")
            if let progress = document["progress"], let done = progress["done"]?.integer {
                bar.set(Int(clamping: done))
                bar.note("of \(progress["total"]?.cell ?? "") \(progress["view"]?.string ?? "")")
            }
        }
        guard let report = document["report"], report != .null else {
            throw CommandFailure(.internal, document["error"]?.string ?? "the materialisation did not end")
        }
        bar.finish()
        let warnings = (report["warnings"]?.array ?? []).compactMap(\.string).map { "\nWarning: \($0)." }
        let rate = report["rowsPerSecond"]?.double ?? 0
        return Output(
            document: report,
            text: written.text(report["views"] ?? .array([]))
                + "\n\(Numbers.significantCount(rate)) rows/s" + warnings.joined())
    }

    private static func write(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        struct Body: Encodable {
            var to: String
            var rows: JSONValue
        }
        guard let file = arguments.option("rows") else {
            throw UsageError("'modelworks features write' needs --rows FILE", remedy: "Name a JSON file of columns.")
        }
        guard let content = FileManager.default.contents(atPath: context.absolute(file)) else {
            throw CommandFailure(.notFound, "there is no file \(file)", remedy: "Name a JSON file of columns.")
        }
        return pushed.show(
            try await client.post(
                pushed.path, Body(to: arguments.required(1), rows: try JSON.decode(JSONValue.self, from: content))))
    }

    private static func get(_ arguments: Arguments, _ client: Client) async throws -> Output {
        struct Body: Encodable {
            var service: String?
            var features: [String]?
            var entities: [String: [String]]
            var at: String?
        }
        let keys = try keys(arguments)
        let document = try await client.post(
            "/features/online",
            Body(
                service: arguments.option("service"), features: arguments.list("features"), entities: keys,
                at: arguments.option("at")))
        var table = TextTable(keys.keys.sorted() + ["feature", "value", "status", "event time"])
        for row in 0..<Int(clamping: document["entities"]?.integer ?? 0) {
            for feature in document["features"]?.array ?? [] {
                func cell(_ column: String) -> String {
                    guard let cells = feature[column]?.array, cells.indices.contains(row) else { return "" }
                    return cells[row].cell
                }
                let own = keys.sorted { $0.key < $1.key }.map { $0.value.indices.contains(row) ? $0.value[row] : "" }
                table.add(
                    own + [feature["name"]?.string ?? "", cell("values"), cell("statuses"), cell("event_times")])
            }
        }
        return Output(document: document, text: table.rendered())
    }

    /// The values of `--key NAME=VALUE,VALUE`.
    private static func keys(_ arguments: Arguments) throws -> [String: [String]] {
        var keys: [String: [String]] = [:]
        for text in arguments.all("key") {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, let name = parts.first, !name.isEmpty, let values = parts.last else {
                throw UsageError("'--key \(text)' is not of the form NAME=VALUE")
            }
            keys[name, default: []] += values.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        }
        return keys
    }
}
