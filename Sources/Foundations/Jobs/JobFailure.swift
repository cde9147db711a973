import Basics

/// What can go wrong with queued jobs and with the executors that run them.
public enum JobFailure: Failure, Hashable {
    case unknownJob(String)
    case unknownSchedule(String)
    /// A request that can never run as it is, and why.
    case request(String, reason: String)
    /// An idempotency key that names a job of another kind.
    case keyTaken(key: String, kind: String)
    /// The owner has as many jobs waiting as the owner may have.
    case quota(owner: String, queuedMax: Int)
    /// Settings of a queue, worker, schedule or limit that contradict each other.
    case settings(String, reason: String, remedy: String)
    /// The executor can not be reached or does not answer in time.
    case executorUnavailable(String, reason: String)
    /// The executor understood and refused.
    case executorRefused(String, reason: String)
    case executorMissing(String, program: String)
    case noFreeSlot(String, slots: Int)
    /// Nothing is known of an execution: it was never started here, or its record is gone.
    case unknownExecution(String, executor: String)
    /// The executor would show secrets to others who may read its jobs.
    case secretsShown(String)
    /// A variable that a command wants and that jobs of this worker may not have.
    case noSecret(String)
    /// What an attempt wrote is kept no longer, or was never begun.
    case noLog(job: String)
    /// What a job wrote is on the machine of another worker.
    case logElsewhere(job: String, worker: String)
    case closed(String)

    public var code: FailureCode {
        switch self {
        case .unknownJob, .unknownSchedule, .unknownExecution, .noLog: .notFound
        case .request, .settings: .invalidArgument
        case .keyTaken: .alreadyExists
        case .quota, .noFreeSlot: .resourceExhausted
        case .executorUnavailable: .unavailable
        case .executorRefused, .executorMissing, .secretsShown, .noSecret, .logElsewhere, .closed: .failedPrecondition
        }
    }

    public var message: String {
        switch self {
        case .unknownJob(let id): "there is no job '\(id)'"
        case .unknownSchedule(let name): "there is no job schedule '\(name)'"
        case .request(let kind, let reason): "the request for a job of kind '\(kind)' can not be taken: \(reason)"
        case .keyTaken(let key, let kind): "the idempotency key '\(key)' names a job of another kind, '\(kind)'"
        case .quota(let owner, let most): "'\(owner)' has \(most) jobs waiting, the most that are allowed"
        case .settings(let what, let reason, _): "the settings of \(what) can not be used: \(reason)"
        case .executorUnavailable(let executor, let reason): "the job executor '\(executor)' does not answer: \(reason)"
        case .executorRefused(let executor, let reason): "the job executor '\(executor)' refused: \(reason)"
        case .executorMissing(let executor, let program):
            "the job executor '\(executor)' needs the program '\(program)', which can not be run"
        case .noFreeSlot(let executor, let slots): "all \(slots) slots of the job executor '\(executor)' are taken"
        case .unknownExecution(let id, let executor): "the job executor '\(executor)' knows no execution '\(id)'"
        case .secretsShown(let executor):
            "the job executor '\(executor)' shows the environment of jobs to all its users, so secrets can not go there"
        case .noSecret(let name): "jobs of this worker may not have the variable '\(name)', or it has no value"
        case .noLog(let job): "nothing is kept of what the job '\(job)' wrote in this attempt"
        case .logElsewhere(let job, let worker):
            "what the job '\(job)' wrote is on the machine of the worker '\(worker)'"
        case .closed(let what): "\(what) is closed"
        }
    }

    public var remedy: String? {
        switch self {
        case .request, .unknownJob, .unknownSchedule, .unknownExecution, .executorRefused, .closed: nil
        case .noSecret(let name): "Set '\(name)' for the server, and name it in MODELWORKS_JOB_SECRETS"
        case .noLog: "See its attempts with 'modelworks jobs show'; logs are kept for 7 days"
        case .logElsewhere: "Ask the server whose worker that is"
        case .keyTaken: "Choose another key"
        case .quota: "Wait until some have run, cancel some, or raise the owner's limit of waiting jobs"
        case .settings(_, _, let remedy): remedy
        case .executorUnavailable: "Check its address and that it runs; jobs go on when it answers again"
        case .executorMissing(_, let program): "Install \(program), or choose another executor"
        case .noFreeSlot: "Wait until a job ends, or give the executor more slots"
        case .secretsShown: "Add 'expose_secrets=true' to its address if all its users may see them"
        }
    }
}
