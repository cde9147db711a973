import Basics
import Configuration

/// Every verb, in the order the help shows them.
enum Verbs {
    static let all: [any Command] = [
        InitCommand(), PlanCommand(), ApplyCommand(), UpCommand(), DemoCommand(), DoctorCommand(), MigrateCommand(),
        ImportCommand(), CollectCommand(), VersionCommand(),
        DataCommand(), FeaturesCommand(), TrainCommand(), RunsCommand(), ModelsCommand(), LineageCommand(),
        ScoreCommand(), ExportCommand(),
        DeployCommand(),
        PromoteCommand(), RollbackCommand(), TrafficCommand(), DrillCommand(), AutoscaleCommand(), LatencyCommand(),
        AdviseCommand(), CostsCommand(),
        PredictionsCommand(), MonitorCommand(), JobsCommand(), StreamCommand(), JournalCommand(), PrincipalCommand(),
        TokenCommand(), APIKeyCommand(),
    ]

    static func find(_ name: String) throws -> any Command {
        if let verb = all.first(where: { $0.usage.name == name }) { return verb }
        let nearest = NearestWord.of(name, among: all.map(\.usage.name))
        throw UsageError(
            "there is no verb '\(name)'",
            remedy: nearest.map { "Did you mean 'modelworks \($0)'? See 'modelworks --help'." })
    }

    static var help: String {
        let width = (all.map { $0.usage.name.count }.max() ?? 0) + 2
        let lines = all.map { verb in
            let name = verb.usage.name
            return "  \(name)\(String(repeating: " ", count: width - name.count))\(verb.usage.summary)"
        }
        return """
            Modelworks: features, training, registry, serving, monitoring and automation in one program.

            Usage: modelworks VERB [arguments]

            \(lines.joined(separator: "\n"))

            'modelworks VERB --help' tells more. Exit codes: 0 done, 1 the work failed, 2 wrong use.
            """
    }
}
