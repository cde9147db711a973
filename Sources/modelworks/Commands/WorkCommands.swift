import Basics
import Training

struct TrainCommand: ClientCommand {
    let usage = Usage(
        name: "train", summary: "Train a model, check its gates and register it", positionals: ["TRAINING"],
        options: [
            .init(name: "from", value: "TIME", help: "rows from here (default: as defined)"),
            .init(name: "to", value: "TIME", help: "rows up to here; labels known by then"),
            .init(name: "no-register", value: nil, help: "keep the run only"),
            .init(name: "strict", value: nil, help: "refuse where the code here is not all committed"),
        ], example: "modelworks train flight_delay --to 2013-07-01")

    func run(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        struct Body: Encodable {
            var from: String?
            var to: String?
            var register: Bool
            var code: CodeState?
        }
        let code = try await Git.state(of: context.workingDirectory, isStrict: arguments.flag("strict"))
        let document = try await client.post(
            "/train/\(Client.escape(arguments.required(0)))",
            Body(
                from: arguments.option("from"), to: arguments.option("to"), register: !arguments.flag("no-register"),
                code: code))
        let version = document.at("version.id").map { "\($0["model"]?.cell ?? "")/\($0["version"]?.cell ?? "")" }
        let warnings = (document.at("candidate.warnings")?.array ?? []).compactMap(\.string)
        return Output(
            document: document,
            text: """
                run      \(document.at("candidate.run")?.cell ?? "")
                version  \(version ?? "not registered")
                AUC      \(document.at("candidate.metrics.auc")?.cell ?? "–") on \(document.at("candidate.metrics.holdout_rows")?.cell ?? "0") held-out rows
                """ + warnings.map { "\nWarning: \($0)." }.joined())
    }
}

/// The API path of `MODEL/VERSION`.
func versionPath(_ reference: String) throws -> String {
    let parts = reference.split(separator: "/")
    guard parts.count == 2, let model = parts.first, let version = parts.last, Int(version) != nil else {
        throw UsageError(
            "'\(reference)' is no model version", remedy: "Write MODEL/VERSION, for example flight-delay/3.")
    }
    return "/models/\(Client.escape(String(model)))/versions/\(version)"
}

struct DeployCommand: ClientCommand {
    let usage = Usage(
        name: "deploy", summary: "Put a model version on an endpoint", positionals: ["ENDPOINT", "MODEL/VERSION"],
        options: [
            .init(name: "canary", value: nil, help: "roll it out step by step by the endpoint's plan"),
            .init(name: "reason", value: "TEXT", help: "why; kept in the journal"),
            .init(
                name: "emergency", value: "TEXT",
                help: "why it can not wait until people agree to it; kept in the journal"),
        ], example: "modelworks deploy flight-delay flight-delay/2 --canary")

    func run(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        struct Body: Encodable {
            var version: String
            var canary: Bool
            var reason: String?
            var emergency: String?
        }
        let version = arguments.required(1)
        _ = try versionPath(version)
        let document = try await client.post(
            "/endpoints/\(Client.escape(arguments.required(0)))/deploy",
            Body(
                version: version, canary: arguments.flag("canary"), reason: arguments.option("reason"),
                emergency: arguments.option("emergency")))
        let what = arguments.flag("canary") ? "is being rolled out on" : "answers on"
        return Output(document: document, text: "\(version) \(what) \(arguments.required(0)).")
    }
}

struct RollbackCommand: ClientCommand {
    let usage = Usage(
        name: "rollback", summary: "Take the canary away, or put the version before back", positionals: ["ENDPOINT"],
        options: [.init(name: "reason", value: "TEXT", help: "why; kept in the journal")],
        example: "modelworks rollback flight-delay --reason 'odd scores'")

    func run(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        let document = try await client.post(
            "/endpoints/\(Client.escape(arguments.required(0)))/rollback",
            ["reason": arguments.option("reason") ?? "asked for"])
        return Output(
            document: document,
            text:
                "\(document.at("stable.model")?.cell ?? "")/\(document.at("stable.version")?.cell ?? "") answers on \(arguments.required(0))."
        )
    }
}

struct MonitorCommand: ClientCommand {
    let usage = Usage(
        name: "monitor", summary: "Show what monitoring found on an endpoint", positionals: ["ENDPOINT"],
        example: "modelworks monitor flight-delay")

    func run(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        let document = try await client.get("/endpoints/\(Client.escape(arguments.required(0)))/monitor")
        return Output(
            document: document,
            text: table(
                document,
                [
                    (title: "from", path: "start"), (title: "to", path: "end"), (title: "requests", path: "requests"),
                    (title: "labels", path: "labels"), (title: "AUC", path: "servedAUC"),
                    (title: "baseline", path: "baselineAUC"), (title: "score PSI", path: "scorePSI"),
                    (title: "alerts", path: "alerts"),
                ], empty: "No window has been judged yet."))
    }
}
