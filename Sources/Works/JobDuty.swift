import Basics
import Foundation
import Jobs
import SQL
import Synchronization
import Telemetry
import WorksAPI

/// The jobs of a factory in this process: the queue, where this process runs jobs, and the jobs that are defined.
final class JobDuty: JobControl {
    let queue: JobQueue
    private let executor: any JobExecutor
    private let runner: JobRunner
    private let worker: String
    private let logger: Logger
    private let definitions = Mutex<[JobDefinition]>([])

    /// The variable of the server's environment that names those which jobs may have as secrets.
    static let secretsVariable = "MODELWORKS_JOB_SECRETS"
    /// Variables of the server that every local job gets.
    private static let inherited = [
        "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SLURM_CONF",
    ]

    init(
        _ options: WorksOptions, database: Database, url: StoreURL, metrics: MetricsRegistry, logger: Logger
    ) throws {
        let folder = "\(options.root)/jobs"
        self.logger = logger
        queue = try JobQueue(
            database: database, time: options.time, random: options.random, leases: options.jobLeases,
            metrics: metrics)
        executor = try JobExecutors.open(
            url, folder: folder,
            // With its root a command finds the factory that runs it.
            environment: options.environment.filter { Self.inherited.contains($0.key) }
                .merging(["MODELWORKS_ROOT": options.root]) { $1 },
            random: options.random)
        worker = try WorkerName.of(root: options.root, folder: folder, random: options.random)
        runner = JobRunner(
            queue: queue, executor: executor, name: worker,
            handlers: [CommandJob.kind: CommandJob.handler(secrets: Self.secrets(options.environment))],
            logger: logger, claimSeconds: 1, retention: JobRetention())
    }

    private static func secrets(_ environment: [String: String]) -> [String: Secret] {
        let names = (environment[secretsVariable] ?? "").split(separator: ",").map {
            $0.trimmingCharacters(in: .whitespaces)
        }
        return Dictionary(names.compactMap { name in environment[name].map { (name, Secret($0)) } }) { $1 }
    }

    /// Begins to work on jobs, as soon as that is possible.
    func work() async {
        var seconds = 1.0
        while !Task.isCancelled {
            do {
                try await runner.start()
                return
            } catch {
                logger.error("jobs are not worked on yet", ["error": .string("\(error)")])
                try? await Task.sleep(for: .seconds(seconds))
                seconds = min(seconds * 2, 30)
            }
        }
    }

    /// Stops working on jobs.
    /// - Parameter endJobs: whether what runs is ended and given back; else the next process of this root carries it on.
    func stop(endJobs: Bool) async { await runner.stop(endJobs: endJobs) }

    func close() async { await executor.close() }

    func use(_ definitions: [JobDefinition]) { self.definitions.withLock { $0 = definitions } }

    var defined: [DefinedJob] {
        definitions.withLock { $0 }.map {
            DefinedJob(name: $0.name, description: $0.description, request: $0.request, schedule: $0.schedule)
        }
    }

    func wake() async { await runner.wake() }

    func log(of id: String, attempt number: Int?, from offset: Int, limit: Int) async throws -> JobLog {
        let attempts = try await queue.attempts(of: id)
        let attempt = number.map { wanted in attempts.first { $0.number == wanted } } ?? attempts.last
        guard let attempt, let handle = attempt.handle else {
            // A job that has not begun has written nothing yet.
            guard try await !queue.job(id).state.isFinal, number == nil || attempt != nil else {
                throw JobFailure.noLog(job: id)
            }
            return JobLog(bytes: [], nextOffset: offset)
        }
        guard !executor.isLocal || attempt.worker == worker else {
            throw JobFailure.logElsewhere(job: id, worker: attempt.worker)
        }
        do {
            return try await executor.logs(handle, from: offset, limit: limit)
        } catch JobFailure.unknownExecution {
            throw JobFailure.noLog(job: id)
        }
    }
}
