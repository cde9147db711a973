import Basics
import Imports
import Synchronization

struct ImportCommand: ClientCommand {
    let usage = Usage(
        name: "import", summary: "Move another system's experiments, runs, models and artifacts into the factory",
        positionals: ["SYSTEM"],
        options: [
            .init(name: "from", value: "PLACE", help: "sqlite:///FILE, a folder such as ./mlruns, or http://HOST:PORT"),
            .init(
                name: "artifacts", value: "DIR",
                help: "what the old server kept artifacts in (default: mlartifacts beside it); none for no artifacts"),
            .init(name: "merge", value: nil, help: "add runs to experiments that are here under the same name"),
            .init(name: "dry-run", value: nil, help: "only tell what is there and what stands in the way"),
        ], example: "modelworks import mlflow --from sqlite:///srv/mlflow/mlflow.db --artifacts /srv/mlflow/mlartifacts"
    )

    func run(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        guard arguments.required(0) == "mlflow" else {
            throw UsageError("'modelworks import' knows no '\(arguments.required(0))'", remedy: "Use mlflow.")
        }
        guard let place = arguments.option("from") else {
            throw UsageError(
                "'--from' is needed", remedy: "Name a database, a folder or a server: --from sqlite:///mlflow.db.")
        }
        let takesArtifacts = arguments.option("artifacts") != "none"
        let source = try await MLflowStore.open(
            place, artifacts: takesArtifacts ? arguments.option("artifacts") : nil, from: context.workingDirectory,
            environment: context.environment)
        let screen = Screen(json: arguments.flag("json"), environment: context.environment)
        let bar = Mutex<ProgressBar?>(nil)
        let work = StoreImport(
            from: source, into: client.connection,
            .init(
                isMerging: arguments.flag("merge"), isRehearsal: arguments.flag("dry-run"),
                takesArtifacts: takesArtifacts)
        ) { done, total in
            let shown = bar.withLock { bar in
                if bar == nil { bar = screen.bar("import", total: total, unit: "runs") }
                return bar
            }
            shown?.set(done)
        }
        let report: ImportReport
        do { report = try await work.run() } catch {
            await source.close()
            throw error
        }
        bar.withLock { $0?.finish() }
        await source.close()
        return Output(document: try JSON.value(report), text: text(report), good: report.isEqual)
    }

    private func text(_ report: ImportReport) -> String {
        var table = TextTable(report.isRehearsal ? ["what", "there"] : ["what", "there", "here", "digest"])
        for part in report.parts {
            let isSame = part.thereDigest == part.hereDigest
            table.add(
                [part.name, "\(part.there)"]
                    + (report.isRehearsal ? [] : ["\(part.here)", isSame ? part.hereDigest.short : "differs"]))
        }
        var lines = [table.rendered()]
        lines += report.notes.map { "Note: \($0)." }
        lines += report.differences.prefix(50).map { "DIFFERS \($0.what): \($0.reason)" }
        if report.differences.count > 50 { lines.append("... and \(report.differences.count - 50) more; see --json") }
        if report.isRehearsal {
            lines.append(report.isEqual ? "Nothing stands in the way." : "Nothing was changed.")
        } else {
            lines.append(
                report.isEqual
                    ? "All of \(report.source) is here, and equal."
                    : "Not all of it is here: put right what is told above, and import again.")
        }
        return lines.joined(separator: "\n")
    }
}
