import Basics
import Foundation

/// Runs jobs on a Slurm cluster by its command line: `sbatch`, `scontrol`, `squeue`, `sacct`, `scancel`.
///
/// The execution's id is in the job's name, and before a job is submitted Slurm is asked for that name, so a submission
/// that was cut off is found again. Slurm forgets ended jobs after `MinJobAge` unless it has accounting; therefore the
/// job also writes its exit code to a file in a folder that this machine and the nodes share.
public final class SlurmExecutor: JobExecutor {
    public let name: String
    public var slots: Int? { nil }
    public var isLocal: Bool { false }
    private let folder: String
    private let partition: String?
    private let account: String?
    private let commands: CommandLine
    private let environment: [String: String]
    private static let prefix = "modelworks-"

    /// - Parameters:
    ///   - name: the address without secrets.
    ///   - folder: on a file system that this machine and the nodes share.
    ///   - environment: what the programs and every job get, such as `SLURM_CONF`.
    ///   - timeoutSeconds: for one program.
    public init(
        name: String, folder: String, partition: String? = nil, account: String? = nil,
        environment: [String: String], timeoutSeconds: Double = 30
    ) {
        self.name = name
        self.folder = folder
        self.partition = partition
        self.account = account
        self.environment = environment
        commands = CommandLine(executor: name, environment: environment, timeoutSeconds: timeoutSeconds)
    }

    public func start(_ spec: JobSpec, id: String) async throws -> String {
        try spec.checked()
        try JobExecutionID.check(id, executor: name)
        let folder = folder(of: id)
        if folder.exists, try await number(of: id) != nil || folder.exit != nil { return "slurm:\(id)" }
        try folder.make()
        if let seconds = spec.limits.timeSeconds { try folder.write("\(seconds)", to: "limit") }
        let answer = try await commands.run(
            try words(spec, id, folder),
            environment: spec.environment.merging(spec.secrets.mapValues(\.revealed)) { $1 },
            input: SlurmExecutor.script(spec, folder))
        let printed = answer.output.split(whereSeparator: { $0 == ";" || $0.isWhitespace }).first.map(String.init)
        guard answer.code == 0, let printed, Int64(printed) != nil else {
            // The controller may have taken it although its answer was lost.
            if let failure = unavailable(answer), try await number(of: id) == nil { throw failure }
            if try await number(of: id) != nil { return "slurm:\(id)" }
            throw JobFailure.executorRefused(name, reason: SlurmExecutor.brief(answer.errors))
        }
        try folder.write(printed, to: "job")
        return "slurm:\(id)"
    }

    public func reattach(_ handle: String) async throws -> JobExecution { try await status(handle) }

    public func status(_ handle: String) async throws -> JobExecution {
        let id = try JobExecutionID.id(of: handle, scheme: "slurm", executor: name)
        let folder = folder(of: id)
        guard folder.exists else { throw JobFailure.unknownExecution(id, executor: name) }
        let limited = folder.timeSeconds != nil
        if let number = try await number(of: id) {
            let shown = try await commands.run(["scontrol", "show", "job", number, "-o"])
            if shown.code == 0, let state = SlurmState(line: shown.output) { return state.execution(limited: limited) }
            if let failure = unavailable(shown) { throw failure }
            let kept = try await commands.run(["sacct", "-n", "-P", "-X", "-j", number, "-o", "State,ExitCode"])
            let fields = kept.output.split(whereSeparator: \.isNewline).first?.split(separator: "|").map(String.init)
            if kept.code == 0, let fields, fields.count == 2 {
                return SlurmState(state: fields[0], exit: fields[1]).execution(limited: limited)
            }
        }
        guard let exit = folder.exit else {
            return JobExecution(.interrupted, reason: "Slurm no longer knows it and it left no exit code")
        }
        if exit.code == 0 { return JobExecution(.succeeded, exitCode: 0) }
        if let ending = folder.ending { return JobExecution(ending, exitCode: exit.code) }
        return SlurmState(state: "FAILED", exit: "\(exit.code):0").execution(limited: limited)
    }

    public func logs(_ handle: String, from offset: Int, limit: Int) async throws -> JobLog {
        let id = try JobExecutionID.id(of: handle, scheme: "slurm", executor: name)
        let folder = folder(of: id)
        guard folder.exists else { throw JobFailure.unknownExecution(id, executor: name) }
        return try await BlockingThread(name: "jobs.logs").run {
            LogFile.read(folder.log, from: offset, limit: limit)
        }
    }

    /// Slurm itself sends SIGTERM, and SIGKILL after its `KillWait`.
    public func cancel(_ handle: String, graceSeconds: Double) async throws {
        guard try await !status(handle).state.isFinal else { return }
        let id = try JobExecutionID.id(of: handle, scheme: "slurm", executor: name)
        try folder(of: id).write(JobExecution.State.cancelled.rawValue, to: "ending")
        guard let number = try await number(of: id) else { return }
        let answer = try await commands.run(["scancel", number])
        guard answer.code == 0 else {
            throw unavailable(answer) ?? .executorRefused(name, reason: SlurmExecutor.brief(answer.errors))
        }
    }

    public func forget(_ handle: String) async throws {
        guard try await status(handle).state.isFinal else { return }
        folder(of: try JobExecutionID.id(of: handle, scheme: "slurm", executor: name)).remove()
    }

    public func running() async throws -> [String: String] {
        let answer = try await commands.run(["squeue", "-h", "-a", "-o", "%j"])
        guard answer.code == 0 else {
            throw unavailable(answer) ?? .executorRefused(name, reason: SlurmExecutor.brief(answer.errors))
        }
        let ids = answer.output.split(whereSeparator: \.isNewline).filter { $0.hasPrefix(Self.prefix) }
            .map { String($0.dropFirst(Self.prefix.count)) }
        return Dictionary(ids.map { ($0, "slurm:\($0)") }) { first, _ in first }
    }

    public func check() async throws -> JobExecutorCheck {
        let ping = try await commands.run(["scontrol", "ping"])
        guard ping.code == 0, ping.output.contains("UP") else {
            throw JobFailure.executorUnavailable(
                name, reason: SlurmExecutor.brief(ping.output.isEmpty ? ping.errors : ping.output))
        }
        let version = try await commands.run(["sinfo", "--version"])
        let nodes = try await commands.run(
            ["sinfo", "-h", "-o", "%P %a %D %T"] + (partition.map { ["-p", $0] } ?? []))
        guard !nodes.output.isEmpty else {
            throw JobFailure.executorRefused(name, reason: "there is no partition '\(partition ?? "")'")
        }
        let engine = version.output.split(whereSeparator: \.isWhitespace).last.map(String.init) ?? ""
        return JobExecutorCheck(
            engine: "slurm \(engine)",
            detail: nodes.output.split(whereSeparator: \.isNewline).joined(separator: "; "))
    }

    public func close() async {}
}

extension SlurmExecutor {
    private func folder(of id: String) -> LocalFolder { LocalFolder(path: "\(folder)/\(id)") }

    /// The number Slurm gave, noted by us or found by the job's name.
    private func number(of id: String) async throws -> String? {
        let folder = folder(of: id)
        if let noted = FileManager.default.contents(atPath: "\(folder.path)/job") {
            return String(decoding: noted, as: UTF8.self)
        }
        let found = try await commands.run(
            ["squeue", "-h", "-a", "-t", "all", "-n", "\(Self.prefix)\(id)", "-o", "%i"])
        if let failure = unavailable(found) { throw failure }
        if let number = found.output.split(whereSeparator: \.isWhitespace).first.map(String.init) {
            if folder.exists { try folder.write(number, to: "job") }
            return number
        }
        let kept = try await commands.run(["sacct", "-n", "-P", "-X", "--name", "\(Self.prefix)\(id)", "-o", "JobID"])
        guard kept.code == 0 else { return nil }
        return kept.output.split(whereSeparator: \.isWhitespace).first.map(String.init)
    }

    private func words(_ spec: JobSpec, _ id: String, _ folder: LocalFolder) throws -> [String] {
        var words = [
            "sbatch", "--parsable", "--no-requeue", "--export=ALL", "--job-name=\(Self.prefix)\(id)",
            "--comment=modelworks=\(id)", "--output=\(folder.log)", "--error=\(folder.log)", "--open-mode=append",
            "--chdir=\(spec.workingDirectory ?? folder.path)",
        ]
        if let partition { words.append("--partition=\(partition)") }
        if let account { words.append("--account=\(account)") }
        // Slurm counts in minutes; ours is exact and this one stands behind it.
        if let seconds = spec.limits.timeSeconds { words.append("--time=\(seconds / 60 + 2)") }
        if let memory = spec.limits.memoryBytes { words.append("--mem=\(max(1, memory >> 20))M") }
        if let cores = spec.limits.millicores {
            words.append("--cpus-per-task=\(max(1, cores / 1000 + (cores % 1000 == 0 ? 0 : 1)))")
        }
        return words
    }

    private static func script(_ spec: JobSpec, _ folder: LocalFolder) -> String {
        let exit = ShellText.quoted("\(folder.path)/exit")
        return """
            #!/bin/sh
            (\(ShellText.line(spec)))
            code=$?
            echo $code >\(exit).new && mv \(exit).new \(exit)
            exit $code

            """
    }

    private func unavailable(_ answer: CommandLine.Answer) -> JobFailure? {
        let signs = [
            "Unable to contact slurm controller", "Connection refused", "timed out", "Zero Bytes were transmitted",
        ]
        guard answer.code != 0, signs.contains(where: answer.errors.contains) else { return nil }
        return .executorUnavailable(name, reason: SlurmExecutor.brief(answer.errors))
    }

    private static func brief(_ text: String) -> String {
        String((text.split(whereSeparator: \.isNewline).last ?? "no word why").prefix(300))
    }
}
