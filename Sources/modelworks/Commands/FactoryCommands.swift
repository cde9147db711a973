import Basics
import Foundation
import Works
import WorksAPI

struct InitCommand: Command {
    let usage = Usage(
        name: "init", summary: "Make a factory directory to start from", positionals: ["DIRECTORY"],
        example: "modelworks init churn")

    func run(_ arguments: Arguments, _ context: Context) async throws -> Output {
        let directory = context.absolute(arguments.required(0))
        let name = (directory as NSString).lastPathComponent
        let manifest = "\(directory)/works.yaml"
        guard !FileManager.default.fileExists(atPath: manifest) else {
            throw CommandFailure(.alreadyExists, "\(manifest) exists already", remedy: "Choose another directory.")
        }
        for folder in ["data", "features", "training", "pipelines", "serving", "monitoring", "governance"] {
            try FileManager.default.createDirectory(atPath: "\(directory)/\(folder)", withIntermediateDirectories: true)
        }
        let text = """
            name: \(name)
            owner: \(context.environment["USER"] ?? "me")
            description: What this factory predicts, for whom.
            data: ./data
            clock: system

            """
        try text.write(toFile: manifest, atomically: true, encoding: .utf8)
        return Output(
            document: ["directory": .string(directory)],
            text:
                "Made \(directory). Describe your tables under data/, then run 'modelworks plan \(arguments.required(0))'."
        )
    }
}

/// An error of a verb itself.
struct CommandFailure: Failure {
    let code: FailureCode
    let message: String
    let remedy: String?

    init(_ code: FailureCode, _ message: String, remedy: String? = nil) {
        self.code = code
        self.message = message
        self.remedy = remedy
    }
}

struct PlanCommand: ClientCommand {
    let usage = Usage(
        name: "plan", summary: "Show what applying a factory directory would change", positionals: ["[DIRECTORY]"],
        example: "modelworks plan Examples/flights")

    func run(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        let files = try FactoryDirectoryReader.read(context.absolute(arguments.positional(0) ?? "."))
        return planned(try await client.post("/plan", files), done: false)
    }
}

struct ApplyCommand: ClientCommand {
    let usage = Usage(
        name: "apply", summary: "Make a factory directory what is in force", positionals: ["[DIRECTORY]"],
        options: [
            .init(
                name: "allow-breaking", value: nil,
                help: "also where a model in use could not go on with its features")
        ],
        example: "modelworks apply Examples/flights")

    func run(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        let files = try FactoryDirectoryReader.read(context.absolute(arguments.positional(0) ?? "."))
        let path = arguments.flag("allow-breaking") ? "/apply?allow-breaking=true" : "/apply"
        return planned(try await client.post(path, files), done: true)
    }
}

private func planned(_ plan: JSONValue, done: Bool) -> Output {
    let marks = ["create": "+", "change": "~", "remove": "-"]
    let lines = (plan["changes"]?.array ?? []).map { change in
        "\(marks[change["action"]?.string ?? ""] ?? " ") \(change["kind"]?.string ?? "") \(change["name"]?.string ?? "")"
    }
    let impacts = (plan["impacts"]?.array ?? []).map { impact in
        let consumers = (impact["consumers"]?.array ?? []).compactMap(\.string).joined(separator: ", ")
        let verb = impact["breaks"]?.bool == true ? "BREAKS" : "changes the values of"
        return
            "! \(verb) \(consumers): service \(impact["service"]?.string ?? ""), \(impact["explanation"]?.string ?? "")"
    }
    let summary = lines.isEmpty ? "Nothing to change." : done ? "Applied." : "Run 'modelworks apply' to make it so."
    return Output(document: plan, text: (lines + impacts + [summary]).joined(separator: "\n"))
}

struct VersionCommand: Command {
    let usage = Usage(name: "version", summary: "Show the version of this program", example: "modelworks version")

    func run(_ arguments: Arguments, _ context: Context) async throws -> Output {
        Output(document: ["version": .string(ProgramVersion.current)], text: "modelworks \(ProgramVersion.current)")
    }
}
