import Basics
import Foundation

struct ModelsCommand: WordedCommand {
    let usage = Usage(
        name: "models",
        summary: "Model versions: list, show, promote, ask and agree, export, import, register; check files",
        positionals: [
            "[list|show|promote|history|bom|diff|export|import|requests|request|approve|reject|comment|comments|register|check]",
            "[MODEL/VERSION|FILE|NAME]", "[MODEL/VERSION|FILE]",
        ],
        options: [
            .init(name: "stage", value: "STAGE", help: "promote, request: Staging, Production or Archived"),
            .init(name: "reason", value: "TEXT", help: "why; kept in the journal"),
            .init(name: "override", value: "TEXT", help: "promote: why, although not all is known that should be"),
            .init(name: "request", value: "N", help: "approve, reject: this one (default: the open one)"),
            .init(
                name: "state", value: "STATE", help: "requests: open, done, rejected, withdrawn, expired or superseded"),
            .init(name: "text", value: "TEXT", help: "comment: what to say"),
            .init(name: "out", value: "FILE", help: "export: the tar file to write"),
            .init(name: "model", value: "NAME", help: "import: the model it becomes a version of"),
            ModelCheck.hereOption,
        ] + ModelRegistration.options + ModelCheck.limitOptions,
        example: "modelworks models promote flight-delay/1 --stage Production")

    private static let versions = Listing(
        "/models",
        [
            "model": "id.model", "version": "id.version", "stage": "stage", "AUC": "metrics.auc", "bundle": "bundle",
            "since": "staged",
        ], empty: "No models yet.")

    private static let events = Listing(
        "",
        [
            "time": "time", "by": "principal", "what": "type", "from": "body.from", "to": "body.to",
            "why": "body.reason",
        ],
        empty: "Nothing was done to it.")

    private static let requests = Listing(
        "/requests",
        [
            "model": "version.model", "request": "number", "version": "version.version", "to": "stage",
            "state": "state",
            "by": "requester", "reason": "reason", "expires": "expires",
        ], empty: "No requests.")

    private static let comments = Listing(
        "", ["time": "created", "by": "principal", "text": "text"], empty: "No comments.")

    private static let differences = Listing(
        "", ["what": "path", "first": "first", "second": "second"], empty: "They do not differ.")

    var words: [Word] {
        [
            .list(Self.versions),
            Word("show", needs: "MODEL/VERSION") { arguments, client in
                let document = try await client.get(try versionPath(arguments.required(1)))
                return Output(document: document, text: try JSON.pretty(document))
            },
            Word("promote", needs: "MODEL/VERSION") { arguments, client in
                struct Body: Encodable {
                    var stage: String
                    var reason: String
                    var override: String?
                }
                let reference = arguments.required(1)
                let stage = try Self.stage(arguments)
                let document = try await client.post(
                    try versionPath(reference) + "/stage",
                    Body(
                        stage: stage, reason: arguments.option("reason") ?? "asked for",
                        override: arguments.option("override")))
                return Output(document: document, text: "\(reference) is in \(stage).")
            },
            Word("history", needs: "MODEL/VERSION") { arguments, client in
                Self.events.show(try await client.get(try versionPath(arguments.required(1)) + "/history"))
            },
            Word("bom", needs: "MODEL/VERSION") { arguments, client in
                let document = try await client.get(try versionPath(arguments.required(1)) + "/bom")
                return Output(document: document, text: try JSON.pretty(document))
            },
            Word("diff", needs: "MODEL/VERSION", "MODEL/VERSION") { arguments, client in
                let other = arguments.required(2)
                _ = try versionPath(other)
                return Self.differences.show(
                    try await client.get(try versionPath(arguments.required(1)) + "/diff", [("with", other)]))
            },
        ] + transport + agreement
    }

    /// What concerns files of this machine alone is done without opening a factory.
    func run(_ arguments: Arguments, _ context: Context) async throws -> Output {
        guard arguments.positional(0) == "check" else { return try await runWithClient(arguments, context) }
        return try await ModelCheck(context: context).run(arguments)
    }

    /// What brings versions from one installation to another, or from a file.
    private var transport: [Word] {
        [
            Word("register", needs: "NAME", "FILE") { arguments, client, context in
                try await ModelRegistration(arguments, context).run(client, context)
            },
            Word("export", needs: "MODEL/VERSION") { arguments, client, context in
                let reference = arguments.required(1)
                let name = reference.replacing("/", with: "-") + ".tar"
                let file = context.absolute(arguments.option("out") ?? name)
                let saved = try await SavedFile(at: file) {
                    try await client.save(try versionPath(reference) + "/export", to: $0)
                }
                return Output(
                    document: [
                        "version": .string(reference), "file": .string(file), "bytes": .integer(saved.bytes),
                        "digest": .string(saved.digest.description),
                    ], text: "\(reference) is in \(file), \(saved.bytes) bytes, \(saved.digest).")
            },
            Word("import", needs: "FILE") { arguments, client, context in
                let file = context.absolute(arguments.required(1))
                guard FileManager.default.isReadableFile(atPath: file) else {
                    throw CommandFailure(.notFound, "there is no file '\(file)' that can be read", remedy: nil)
                }
                guard let model = arguments.option("model") else {
                    throw UsageError(
                        "'modelworks models import' needs --model NAME",
                        remedy: "The version becomes the next of that model.")
                }
                let answer = try await client.send(
                    "/models/\(Client.escape(model))/import", file: file, contentType: "application/x-tar")
                let document = try JSON.decode(JSONValue.self, from: answer)
                return Output(
                    document: document,
                    text:
                        "It is \(Self.reference(document["id"])), from \(Self.reference(document.at("materials.origin.version")))."
                )
            },
        ]
    }

    /// What people say and agree to.
    private var agreement: [Word] {
        [
            Word("requests") { arguments, client in
                let model = arguments.positional(1)
                return Self.requests.show(
                    try await client.get(
                        model.map { "/models/\(Client.escape($0))/requests" } ?? "/requests",
                        [("state", arguments.option("state"))]))
            },
            Word("request", needs: "MODEL/VERSION") { arguments, client in
                let reference = arguments.required(1)
                guard let reason = arguments.option("reason") else {
                    throw UsageError("'modelworks models request' needs --reason TEXT", remedy: "Others decide by it.")
                }
                let stage = try Self.stage(arguments)
                let document = try await client.post(
                    try versionPath(reference) + "/requests", ["stage": stage, "reason": reason])
                let needed = document["needed"]?.cell ?? "1"
                return Output(
                    document: document,
                    text: """
                        Request \(document["number"]?.cell ?? ""): \(reference) to \(stage), \(needed) to agree until \
                        \(document["expires"]?.cell ?? "").
                        """)
            },
            Word("approve", needs: "MODEL/VERSION") { arguments, client in
                try await Self.answer("approve", arguments, client)
            },
            Word("reject", needs: "MODEL/VERSION") { arguments, client in
                try await Self.answer("reject", arguments, client)
            },
            Word("comment", needs: "MODEL/VERSION") { arguments, client in
                guard let text = arguments.option("text") else {
                    throw UsageError("'modelworks models comment' needs --text TEXT")
                }
                let document = try await client.post(
                    try versionPath(arguments.required(1)) + "/comments", ["text": text])
                return Output(document: document, text: "Said.")
            },
            Word("comments", needs: "MODEL/VERSION") { arguments, client in
                Self.comments.show(try await client.get(try versionPath(arguments.required(1)) + "/comments"))
            },
        ]
    }

    /// Answers a request for a version.
    private static func answer(_ word: String, _ arguments: Arguments, _ client: Client) async throws -> Output {
        let reference = arguments.required(1)
        _ = try versionPath(reference)
        let model = reference.split(separator: "/").first.map { Client.escape(String($0)) } ?? ""
        var number = arguments.option("request").flatMap { Int64($0) }
        if number == nil {
            let open = try await client.get("/models/\(model)/requests", [("state", "open")]).array ?? []
            let mine = open.filter { Self.reference($0["version"]) == reference }.compactMap { $0["number"]?.integer }
            guard mine.count == 1 else {
                throw CommandFailure(
                    .notFound, "\(reference) has \(mine.isEmpty ? "no open request" : "several open requests")",
                    remedy: mine.isEmpty ? "Make one with 'modelworks models request'." : "Name one with --request.")
            }
            number = mine.first
        }
        let document = try await client.post(
            "/models/\(model)/requests/\(number ?? 0)/\(word)", ["reason": arguments.option("reason") ?? ""])
        let agreed = document["approvals"]?.array?.count ?? 0
        let state = document["state"]?.string ?? ""
        return Output(
            document: document,
            text: state == "open"
                ? "\(agreed) of \(document["needed"]?.cell ?? "") agreed."
                : "Request \(number ?? 0) for \(reference) is \(state).")
    }

    private static func stage(_ arguments: Arguments) throws -> String {
        guard let stage = arguments.option("stage") else {
            throw UsageError("it needs --stage", remedy: "Stages: Staging, Production, Archived.")
        }
        return stage
    }

    private static func reference(_ document: JSONValue?) -> String {
        "\(document?["model"]?.cell ?? "")/\(document?["version"]?.cell ?? "")"
    }
}

struct LineageCommand: ClientCommand {
    let usage = Usage(
        name: "lineage", summary: "Tell which data, code, hyperparameters and metrics a version has",
        positionals: ["MODEL/VERSION"], example: "modelworks lineage flight-delay/3")

    func run(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        let reference = arguments.required(0)
        let document = try await client.get(try versionPath(reference) + "/lineage")
        func lines(_ name: String) -> [String] {
            (document[name]?.object ?? [:]).sorted { $0.key < $1.key }.map { "  \($0.key)  \($0.value.cell)" }
        }
        let data = (document["data"]?.array ?? []).map {
            "  \($0["name"]?.cell ?? "")  \($0["digest"]?.cell ?? "")  \($0["source"]?.string ?? "")"
        }
        let code = document["code"]?.string ?? ""
        let diff = document["diff"]?.string.map { " with changes \($0)" } ?? ""
        let missing = (document["missing"]?.array ?? []).compactMap(\.string)
        let parts = [
            "version     \(reference)", "run         \(document["run"]?.cell ?? "–")",
            "code        \(code.isEmpty ? "–" : code)\(diff)", "bundle      \(document["bundle"]?.cell ?? "")",
            (["data"] + data).joined(separator: "\n"), (["parameters"] + lines("parameters")).joined(separator: "\n"),
            (["metrics"] + lines("metrics")).joined(separator: "\n"),
        ]
        let end = missing.isEmpty ? "" : "\nNot known: \(missing.joined(separator: ", "))."
        return Output(document: document, text: parts.joined(separator: "\n") + end)
    }
}
