import Basics
import Configuration
import Upkeep

struct CollectCommand: ClientCommand {
    let usage = Usage(
        name: "gc", summary: "Remove what was deleted long ago, and stored bytes that nothing names",
        options: [
            .init(name: "older-than", value: "TIME", help: "what was deleted before that long (default: 30d)"),
            .init(
                name: "grace", value: "TIME",
                help: "bytes that a collection that long ago found unnamed too (default: 1d, at least 1h)"),
            .init(name: "dry-run", value: nil, help: "only tell what would go"),
        ], example: "modelworks gc --older-than 90d --dry-run")

    func run(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        func seconds(_ name: String) throws -> Int64? {
            guard let text = arguments.option(name) else { return nil }
            guard let seconds = ConfigurationMapping.seconds(of: text) else {
                throw UsageError("'--\(name)' must be a length of time such as 90s, 15m, 2h, 7d or 1w")
            }
            return seconds
        }
        struct Body: Encodable {
            var deletedSeconds: Int64?
            var graceSeconds: Int64?
            var isRehearsal: Bool
        }
        let report = try await client.post(
            "/collect",
            Body(
                deletedSeconds: try seconds("older-than"), graceSeconds: try seconds("grace"),
                isRehearsal: arguments.flag("dry-run")), as: Collector.Report.self)
        var table = TextTable([report.isRehearsal ? "would go" : "gone", ""])
        table.add("experiments", "\(report.experiments.count)")
        table.add("runs", "\(report.runs.count)")
        table.add("logged models", "\(report.loggedModels.count)")
        if !report.isRehearsal { table.add("objects", "\(report.removed) (\(report.removedBytes) bytes)") }
        let waiting = report.unnamed - report.removed
        var text = table.rendered()
        if waiting > 0 {
            text +=
                "Of \(report.objects) objects \(waiting) are named by nothing; a later gc removes them after the grace.\n"
        }
        if !report.keptForVersions.isEmpty {
            text += "Kept, because versions were made from them: \(report.keptForVersions.joined(separator: ", ")).\n"
        }
        return Output(document: try JSON.value(report), text: text)
    }
}
