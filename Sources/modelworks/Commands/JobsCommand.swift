import Basics
import Foundation
import Jobs
import WorksAPI

struct JobsCommand: WordedCommand {
    let usage = Usage(
        name: "jobs", summary: "Submit, follow and cancel jobs; their limits and schedules",
        positionals: [
            "[list|submit|run|show|explain|logs|cancel|limits|schedules]", "[ID|NAME|COMMAND]", "[ARGUMENT...]",
        ],
        options: [
            .init(name: "state", value: "A,B", help: "list: queued, running, succeeded, failed, cancelled"),
            .init(name: "owner", value: "NAME", help: "list: only jobs of this owner; limits: the owner's limit"),
            .init(name: "tag", value: "TAG", help: "submit: of the job, may be given again; list, limits: this tag"),
            .init(name: "queue", value: "QUEUE", help: "submit, list, limits: the queue (default: default)"),
            .init(
                name: "token", value: "NAME", help: "submit: NAME=N it takes, may be given again; limits: this token"),
            .init(name: "limit", value: "N", help: "list: at most this many (default 100)"),
            .init(name: "env", value: "NAME=VALUE", help: "submit: a variable, may be given again; it is stored"),
            .init(name: "secret", value: "NAME", help: "submit: a variable of the server's, may be given again"),
            .init(name: "directory", value: "DIR", help: "submit: where it runs (default: a folder of its own)"),
            .init(name: "priority", value: "N", help: "submit: higher goes first (default 0)"),
            .init(name: "retries", value: "N", help: "submit: tries after failures (default 2)"),
            .init(name: "time-limit", value: "SECONDS", help: "submit: how long it may take"),
            .init(name: "slots", value: "N", help: "submit: of the worker (default 1)"),
            .init(name: "millicores", value: "N", help: "submit: thousandths of a core"),
            .init(name: "memory-mb", value: "N", help: "submit: MiB it needs and may have at most"),
            .init(
                name: "key", value: "KEY", help: "submit, run: a second request with the same key gives the same job"),
            .init(name: "wait", value: nil, help: "submit, run: print what it writes, and end as it ends"),
            .init(name: "attempt", value: "N", help: "logs: of this attempt (default: the last)"),
            .init(name: "follow", value: nil, help: "logs: until the job ends"),
            .init(name: "reason", value: "TEXT", help: "cancel: why; kept in the journal"),
            .init(name: "running", value: "N|none", help: "limits: how many may run at once"),
            .init(name: "waiting", value: "N|none", help: "limits: how many jobs of an owner may wait"),
        ], example: "modelworks jobs submit --tag nightly --time-limit 600 -- python3 report.py --all")

    private static let table = Listing(
        "/jobs",
        [
            "job": "id", "state": "state", "command": "payload.command", "owner": "owner", "tags": "tags",
            "attempts": "attempts", "created": "created", "ended": "ended", "error": "error",
        ], empty: "No jobs yet.")

    private static let limits = Listing(
        "/limits", ["of": "scope", "name": "name", "running": "runningMax", "waiting": "queuedMax"],
        empty: "No limits.")

    private static let schedules = Listing(
        "/schedules",
        [
            "job": "name", "every (s)": "everySeconds", "next": "next", "command": "command.command", "owner": "owner",
            "description": "description",
        ], empty: "No jobs are defined.")

    private static let attempts = Listing(
        "/jobs",
        [
            "attempt": "number", "state": "state", "worker": "worker", "started": "started", "ended": "ended",
            "error": "error",
        ], empty: "It has not begun.")

    var words: [Word] {
        [
            .list(
                Self.table,
                query: [
                    ("state", "state"), ("owner", "owner"), ("tag", "tag"), ("queue", "queue"), ("limit", "limit"),
                ]),
            Word("submit", needs: "COMMAND") { arguments, client, context in
                let document = try await client.post("/jobs", try JobSubmissionWords(arguments).submission())
                return try await Self.submitted(document, arguments, client)
            },
            Word("run", needs: "NAME") { arguments, client in
                struct Body: Encodable { var idempotencyKey: String? }
                let document = try await client.post(
                    "/schedules/\(Client.escape(arguments.required(1)))/run",
                    Body(idempotencyKey: arguments.option("key")))
                return try await Self.submitted(document, arguments, client)
            },
            Word("show", needs: "ID") { arguments, client in
                let document = try await client.get(Self.path(arguments))
                return Output(document: document, text: Self.describe(document))
            },
            Word("explain", needs: "ID") { arguments, client in
                let document = try await client.get(Self.path(arguments))["explanation"] ?? .null
                return Output(document: document, text: Self.explain(document))
            },
            Word("logs", needs: "ID") { arguments, client in
                try await JobOutput(
                    client, id: arguments.required(1), attempt: arguments.option("attempt"),
                    printing: !arguments.flag("json")
                ).read(following: arguments.flag("follow"))
            },
            Word("cancel", needs: "ID") { arguments, client in
                let document = try await client.post(
                    Self.path(arguments) + "/cancel", ["reason": arguments.option("reason") ?? ""])
                let state = document["state"]?.string ?? ""
                return Output(
                    document: document,
                    text: state == "running"
                        ? "\(arguments.required(1)) is asked to end."
                        : "\(arguments.required(1)) is \(state).")
            },
            Word("limits") { arguments, client in
                guard let change = try JobSubmissionWords(arguments).limit() else {
                    return try await Self.limits.read(client)
                }
                _ = try await client.post("/limits", change)
                return try await Self.limits.read(client)
            },
            Word("schedules") { _, client in try await Self.schedules.read(client) },
        ]
    }

    private static func path(_ arguments: Arguments) -> String { "/jobs/\(Client.escape(arguments.required(1)))" }

    private static func submitted(_ document: JSONValue, _ arguments: Arguments, _ client: Client) async throws
        -> Output
    {
        let id = document["id"]?.string ?? ""
        guard arguments.flag("wait") else { return Output(document: document, text: id) }
        _ = try await JobOutput(client, id: id, attempt: nil, printing: !arguments.flag("json")).read(following: true)
        let end = try await client.get("/jobs/\(Client.escape(id))")
        let good = end.at("job.state")?.string == JobState.succeeded.rawValue
        return Output(document: end, text: good ? "" : explain(end["explanation"] ?? .null), good: good)
    }

    private static func describe(_ document: JSONValue) -> String {
        let job = document["job"] ?? .null
        let command =
            [job.at("payload.command")?.string ?? ""]
            + (job.at("payload.arguments")?.array ?? []).compactMap(\.string)
        let attempts = Self.attempts.text(document["attempts"] ?? .array([]))
        return """
            job      \(job["id"]?.cell ?? "")
            state    \(job["state"]?.cell ?? "")
            command  \(command.joined(separator: " "))
            owner    \(job["owner"]?.cell ?? "")

            \(attempts)

            \(explain(document["explanation"] ?? .null))
            """
    }

    private static func explain(_ explanation: JSONValue) -> String {
        let summary = (explanation["summary"]?.string ?? "") + "."
        let reasons = (explanation["reasons"]?.array ?? []).map { reason in
            let holders = (reason["holders"]?.array ?? []).map { holder in
                "\n    held by \(holder["job"]?.cell ?? "") on \(holder["worker"]?.cell ?? "")"
            }
            let remedy = reason["remedy"]?.string.map { "\n    \($0)." } ?? ""
            return "  - \(reason["message"]?.string ?? "")\(holders.joined())\(remedy)"
        }
        return ([summary.prefix(1).uppercased() + summary.dropFirst()] + reasons).joined(separator: "\n")
    }
}

/// What the words after `jobs submit` and `jobs limits` mean.
private struct JobSubmissionWords {
    private let arguments: Arguments

    init(_ arguments: Arguments) { self.arguments = arguments }

    func submission() throws -> WorksAPI.JobSubmission {
        var wanted = WorksAPI.JobSubmission(command: arguments.required(1))
        wanted.arguments = Array(arguments.positionals.dropFirst(2))
        wanted.environment = Dictionary(try arguments.all("env").map { try pair("env", $0) }) { $1 }
        wanted.secrets = arguments.all("secret")
        wanted.directory = arguments.option("directory")
        wanted.queue = arguments.option("queue")
        wanted.tags = arguments.all("tag")
        wanted.idempotencyKey = arguments.option("key")
        if arguments.option("priority") != nil {
            wanted.priority = try arguments.integer("priority", default: 0, in: -1_000_000...1_000_000)
        }
        if arguments.option("retries") != nil {
            wanted.retries = try arguments.integer("retries", default: 2, in: 0...999)
        }
        if arguments.option("time-limit") != nil {
            wanted.timeLimitSeconds = try arguments.integer("time-limit", default: 0, in: 1...31_536_000)
        }
        wanted.resources = JobResources(
            slots: try arguments.integer("slots", default: 1, in: 0...1_000_000_000),
            millicores: try arguments.integer("millicores", default: 0, in: 0...1_000_000_000),
            memoryBytes: Int64(try arguments.integer("memory-mb", default: 0, in: 0...(1 << 30))) << 20,
            tokens: Dictionary(
                try arguments.all("token").map { text in
                    let (name, number) = try pair("token", text)
                    guard let weight = Int(number), weight >= 0 else {
                        throw UsageError("'--token' must be NAME=N with a whole number, and is '\(text)'")
                    }
                    return (name, weight)
                }
            ) { $1 })
        return wanted
    }

    /// The limit that is to be set; nil where the limits are only asked for.
    func limit() throws -> WorksAPI.JobLimitDocument? {
        guard arguments.option("running") != nil || arguments.option("waiting") != nil else { return nil }
        let named = JobLimit.Scope.allCases.compactMap { scope in
            arguments.option(scope.rawValue).map { (scope, $0) }
        }
        guard named.count == 1, let (scope, name) = named.first else {
            throw UsageError("name one thing to limit: --tag, --owner, --queue or --token")
        }
        return WorksAPI.JobLimitDocument(
            scope: scope, name: name, runningMax: try number("running"), queuedMax: try number("waiting"))
    }

    private func number(_ option: String) throws -> Int? {
        arguments.option(option) == "none" ? nil : try optional(option)
    }

    private func optional(_ option: String) throws -> Int? {
        guard arguments.option(option) != nil else { return nil }
        return try arguments.integer(option, default: 0, in: 0...1_000_000_000)
    }

    private func pair(_ option: String, _ text: String) throws -> (String, String) {
        guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
            throw UsageError("'--\(option)' must be NAME=VALUE, and is '\(text)'")
        }
        return (String(text[..<equals]), String(text[text.index(after: equals)...]))
    }
}

/// Reads what a job writes.
private struct JobOutput {
    private let client: Client
    private let path: String
    private let attempt: String?
    private let printing: Bool

    /// - Parameter printing: whether it goes to standard output as it comes; else it is all in the document.
    init(_ client: Client, id: String, attempt: String?, printing: Bool) {
        self.client = client
        path = "/jobs/\(Client.escape(id))/logs"
        self.attempt = attempt
        self.printing = printing
    }

    func read(following: Bool) async throws -> Output {
        var (offset, text) = (0, "")
        while true {
            let piece = try await client.get(
                path, [("offset", "\(offset)"), ("attempt", attempt)], as: WorksAPI.JobLogDocument.self)
            offset = piece.next
            if printing { FileHandle.standardOutput.write(Data(piece.text.utf8)) } else { text += piece.text }
            if !piece.more || (piece.text.isEmpty && !following) { break }
            if piece.text.isEmpty { try await Task.sleep(for: .milliseconds(500)) }
        }
        return Output(document: ["text": .string(text), "next": .integer(Int64(offset))], text: "")
    }
}
