import Basics
import Foundation
import ModelworksClient

/// `features history` and `features explain`: entity rows of a file go to the server, what it answers into a file.
enum FeatureHistoryCommands {
    static let options: [Usage.Option] = [
        .init(
            name: "entities", value: "FILE", help: "history, explain: entity rows (.parquet, .arrows, .csv or .jsonl)"),
        .init(name: "service", value: "NAME", help: "history, explain, get: the features of a service"),
        .init(
            name: "features", value: "LIST",
            help: "history, explain, get: view:feature,… or view,… in place of a service"),
        .init(name: "out", value: "FILE", help: "history: where the result goes"),
        .init(
            name: "time", value: "COLUMN", help: "history, explain: the entity rows' time (default: event_timestamp)"),
        .init(name: "full-names", value: nil, help: "history: call features view__feature"),
        .init(name: "late-data", value: "visible", help: "history, explain: use rows known only later, as Feast does"),
        .init(
            name: "format", value: "FORMAT",
            help: "history: parquet, arrow, csv or json (default: by the file's ending)"),
        .init(name: "row", value: "N", help: "explain: which entity row, from 1"),
    ]

    static let words = [Word("history", run: history), Word("explain", run: explain)]

    /// By the ending of a file's name; all others are Parquet.
    private static let formats: [String: RowFormat] = [
        "csv": .csv, "json": .json, "jsonl": .json, "ndjson": .json, "arrow": .arrow, "arrows": .arrow,
    ]

    private static func format(of path: String) -> RowFormat {
        formats[(path as NSString).pathExtension.lowercased()] ?? .parquet
    }

    private static func history(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        guard let out = arguments.option("out").map(context.absolute) else {
            throw UsageError("'modelworks features history' needs --out FILE")
        }
        let format = arguments.option("format") ?? format(of: out).rawValue
        let bytes = try await ask(arguments, client, context, "/features/history", [("format", format)])
        // Whole or not at all: a reader of the file never sees a part of it.
        try Data(bytes).write(to: URL(fileURLWithPath: out), options: .atomic)
        return Output(
            document: .object(["out": .string(out), "bytes": .integer(Int64(bytes.count)), "format": .string(format)]),
            text: "Wrote \(out) (\(bytes.count) bytes, \(format)).")
    }

    private static func explain(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        let row = try arguments.integer("row", default: 1, in: 1...Int.max)
        let bytes = try await ask(arguments, client, context, "/features/history/explain", [("row", "\(row)")])
        let document = try JSON.decode(JSONValue.self, from: bytes)
        var lines = ["row \(document["row"]?.cell ?? "") asks for \(document["time"]?.cell ?? "")"]
        for view in document["views"]?.array ?? [] {
            lines.append("")
            lines.append("\(view["name"]?.cell ?? "") of \(view["keys"]?.cell ?? ""): \(view["reason"]?.cell ?? "")")
            if let used = view["used"], used != .null { lines.append("  used  \(line(used))") }
            for source in view["passedOver"]?.array ?? [] {
                lines.append("  not   \(line(source)): \(source["reason"]?.cell ?? "")")
            }
        }
        return Output(document: document, text: lines.joined(separator: "\n"))
    }

    private static func line(_ source: JSONValue) -> String {
        let created = source["created"].flatMap { $0 == .null ? nil : ", created \($0.cell)" } ?? ""
        return "\(source["eventTime"]?.cell ?? "")\(created), \(source["values"]?.cell ?? "")"
    }

    private static func ask(
        _ arguments: Arguments, _ client: Client, _ context: Context, _ path: String, _ more: [(String, String?)]
    ) async throws -> [UInt8] {
        guard let entities = arguments.option("entities").map(context.absolute) else {
            throw UsageError("'modelworks features' needs --entities FILE for this")
        }
        guard (arguments.option("service") == nil) != (arguments.option("features") == nil) else {
            throw UsageError("either --service NAME or --features LIST is needed")
        }
        let rows: Data
        do {
            rows = try await BlockingThread(name: "entities").run {
                try Data(contentsOf: URL(fileURLWithPath: entities), options: .mappedIfSafe)
            }
        } catch {
            throw CommandFailure(.notFound, "the file \(entities) can not be read", remedy: "Check --entities.")
        }
        let query: [(String, String?)] =
            [
                ("service", arguments.option("service")), ("features", arguments.option("features")),
                ("time", arguments.option("time")), ("late_data", arguments.option("late-data")),
                ("full_names", arguments.flag("full-names") ? "true" : nil),
            ] + more
        return try await client.send(path, query, Array(rows), contentType: format(of: entities).contentType)
    }
}
