import Basics
import Foundation

/// `features push`, `features streams` and `features flush`: events into streams, and how far those have come.
enum FeatureStreamCommands {
    static let options: [Usage.Option] = [
        .init(name: "file", value: "FILE", help: "push: events of a stream as JSON lines"),
        .init(name: "store", value: "PLACE", help: "push: online, offline or online_and_offline (default)"),
    ]

    static let words = [
        Word("streams", run: streams), Word("flush", run: flush),
    ]

    private static let path = "/features/streams"
    /// Events of one request.
    private static let rowsMax = 1000

    static func push(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        guard let file = arguments.option("file").map(context.absolute) else {
            throw UsageError("'modelworks features push' needs --file FILE")
        }
        let bytes: Data
        do {
            bytes = try await BlockingThread(name: "events").run {
                try Data(contentsOf: URL(fileURLWithPath: file), options: .mappedIfSafe)
            }
        } catch {
            throw CommandFailure(.notFound, "the file \(file) can not be read", remedy: "Check --file.")
        }
        struct Body: Encodable {
            var rows: [JSONValue]
            var to: String?
        }
        let events = arguments.required(1)
        var rows: [JSONValue] = []
        var pushed = 0
        var applied = true
        func send(_ rows: [JSONValue]) async throws -> Bool {
            let answer = try await client.post(
                "\(path)/\(Client.escape(events))/push", Body(rows: rows, to: arguments.option("store")))
            return answer["isApplied"]?.bool ?? false
        }
        for (number, line) in bytes.split(separator: UInt8(ascii: "\n")).enumerated()
        where !line.allSatisfy({ $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\r") }) {
            do { rows.append(try JSON.decode(JSONValue.self, from: Array(line))) } catch {
                throw CommandFailure(
                    .invalidArgument, "line \(number + 1) of \(file) is no JSON",
                    remedy: "Write one object a line. \(pushed) events before it were kept.")
            }
            guard rows.count == rowsMax else { continue }
            applied = try await send(rows)
            pushed += rows.count
            rows = []
        }
        if !rows.isEmpty {
            applied = try await send(rows)
            pushed += rows.count
        }
        return Output(
            document: .object(["events": .integer(Int64(pushed)), "isApplied": .bool(applied)]),
            text: "Kept \(pushed) events"
                + (applied ? "; what is computed from them is online." : "; they are still being brought online."))
    }

    private static func streams(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        let document = try await client.get(path)
        let found = document.array ?? []
        guard !found.isEmpty else { return Output(document: document, text: "No streams are defined.") }
        var lines: [String] = []
        func cell(_ value: JSONValue, _ name: String) -> String { value[name]?.cell ?? "" }
        for stream in found {
            let topic = stream["topic"].flatMap { $0 == .null ? nil : ", from the topic \($0.cell)" } ?? ""
            lines.append("\(cell(stream, "source"))\(topic): \(cell(stream, "records")) records")
            for view in stream["views"]?.array ?? [] {
                lines.append(
                    "  \(cell(view, "view")): \(cell(view, "events")) events, \(cell(view, "late")) late, "
                        + "\(cell(view, "keyless")) without key, lag \(cell(view, "lag"))")
            }
            lines.append(
                "  history: \(cell(stream, "historyEvents")) events, \(cell(stream, "historyLate")) late, "
                    + "lag \(cell(stream, "historyLag")); rejected: \(cell(stream, "rejected"))")
        }
        return Output(document: document, text: lines.joined(separator: "\n"))
    }

    private static func flush(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        let document = try await client.post("\(path)/flush", [String: String]())
        return Output(document: document, text: "Wrote \(document["events"]?.cell ?? "0") events into history.")
    }
}
