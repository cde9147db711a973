import Basics
import SQL

extension JobQueue {
    /// Says why a job is where it is, with who holds what it waits for and what can be done.
    /// - Throws: `JobFailure.unknownJob`.
    public func explain(_ id: String) async throws -> JobExplanation {
        let now = time.now
        let silence = leases.seconds
        return try await database.read { transaction in
            let job = try JobQueue.job(id, in: transaction)
            switch job.state {
            case .queued: return try JobQueue.explainWaiting(job, at: now, silence: silence, in: transaction)
            case .running:
                let age = max(0, now.seconds(since: job.started ?? job.created))
                let note = job.cancelRequestedBy.map { ", its end was asked for by \($0)" } ?? ""
                return JobExplanation(
                    job: id, state: .running, ageSeconds: age, reasons: [],
                    summary: "it runs on '\(job.worker ?? "")' as attempt \(job.attempts)\(note)")
            case .succeeded, .failed, .cancelled:
                return JobExplanation(
                    job: id, state: job.state, ageSeconds: max(0, now.seconds(since: job.created)), reasons: [],
                    summary: job.error.map { "it ended as \(job.state.rawValue): \($0)" } ?? "it succeeded")
            }
        }
    }

    /// Waiting jobs that nothing stands in the way of and that a live worker serves, yet that nobody has taken: there
    /// should never be one for longer than a few looks of a worker.
    /// - Parameter seconds: how long they must have been free to run.
    public func overlooked(forSeconds seconds: Double) async throws -> [String] {
        let now = time.now
        return try await database.read { transaction in
            let admission = JobAdmission(
                limits: try JobQueue.limits(in: transaction), holdings: try JobQueue.holdings(in: transaction))
            let workers = try JobQueue.workers(in: transaction).map(\.worker)
            return try JobQueue.heads(at: now, in: transaction).filter { head in
                now.seconds(since: head.waitingSince) >= seconds
                    && workers.contains { admission.obstacles(for: head.shape, on: $0).isEmpty }
            }.map(\.id)
        }
    }

    private static func explainWaiting(
        _ job: Job, at now: Timestamp, silence: Double, in transaction: Transaction
    ) throws -> JobExplanation {
        let shape = job.request.shape
        var reasons: [JobExplanation.Reason] = []
        if let moment = job.request.notBefore, moment > now {
            reasons.append(.init("it was asked for not before \(moment)", until: moment))
        }
        if let moment = job.retryAt, moment > now {
            reasons.append(
                .init(
                    "it is tried again after failure \(job.failures) of \(job.request.retry.attempts): "
                        + (job.error ?? ""), until: moment))
        }
        let admission = JobAdmission(limits: try limits(in: transaction), holdings: try holdings(in: transaction))
        for obstacle in admission.obstacles(for: shape, on: nil) {
            reasons.append(try describe(obstacle, at: now, in: transaction))
        }
        // A worker shows itself about once per lease; give it three.
        let known = try workers(in: transaction).filter { now.seconds(since: $0.seen) <= 3 * silence + 60 }
        let serving = known.map(\.worker).filter { $0.serves(shape) }
        if serving.isEmpty {
            reasons.append(
                .init(
                    "no worker serves jobs of kind '\(shape.kind)' in the queue '\(shape.queue)'",
                    remedy: "Start a worker that does, or look why it stopped"))
        } else if reasons.isEmpty {
            let found = serving.map { admission.obstacles(for: shape, on: $0) }
            if found.allSatisfy({ !$0.isEmpty }) {
                for obstacle in found.joined() {
                    reasons.append(try describe(obstacle, at: now, in: transaction))
                }
            } else if let reason = try reserved(job, for: serving, admission, at: now, in: transaction) {
                reasons.append(reason)
            }
        }
        let ahead = try transaction.first(
            """
            SELECT COUNT(*) AS jobs FROM jobs WHERE state = 'queued'
            AND (priority > ? OR (priority = ? AND sequence < ?))
            """, [.init(job.request.priority), .init(job.request.priority), .integer(job.sequence)])
        let before = try ahead?.integer("jobs") ?? 0
        return JobExplanation(
            job: job.id, state: .queued, ageSeconds: max(0, now.seconds(since: job.created)), reasons: reasons,
            summary: reasons.first.map { "it waits: \($0.message)" }
                ?? "it runs at the next look of a worker, after at most \(before) jobs before it")
    }

    private static func reserved(
        _ job: Job, for workers: [JobWorker], _ admission: JobAdmission, at now: Timestamp, in transaction: Transaction
    ) throws -> JobExplanation.Reason? {
        let ahead = try heads(at: now, in: transaction).filter {
            ($0.sequence < job.sequence && $0.priority == job.request.priority) || $0.priority > job.request.priority
        }
        for head in ahead {
            let held = workers.filter { worker in
                isReserved(
                    admission.obstacles(for: head.shape, on: worker), waitingSince: head.waitingSince, at: now)
            }
            if held.count == workers.count {
                return .init(
                    "the room that becomes free is kept for job '\(head.id)', which is larger and waits longer",
                    remedy: "Give this job a higher priority, or add a worker")
            }
        }
        return nil
    }

    private static func describe(
        _ obstacle: JobAdmission.Obstacle, at now: Timestamp, in transaction: Transaction
    ) throws -> JobExplanation.Reason {
        switch obstacle {
        case .limit(.queue, let name, most: 0, _, _):
            return .init("the queue '\(name)' is paused", remedy: "Raise or remove the limit of the queue '\(name)'")
        case .limit(let scope, let name, let most, let inUse, let wanted):
            return .init(
                "the \(scope.rawValue) '\(name)' allows \(most) at once, \(inUse) in use, \(wanted) wanted",
                holders: try holders(at: now, in: transaction) { shape, _ in
                    switch scope {
                    case .tag: shape.tags.contains(name)
                    case .owner: shape.owner == name
                    case .queue: shape.queue == name
                    case .token: (shape.resources.tokens[name] ?? 0) > 0
                    }
                },
                remedy: wanted > most
                    ? "It can never run so: raise the limit to \(wanted) or more"
                    : "Wait for a holder to end, cancel one, or raise the limit of \(scope.rawValue) '\(name)'")
        case .undefinedToken(let name):
            return .init(
                "nothing offers the token '\(name)'",
                remedy: "Set a limit of token '\(name)', or start a worker that has it")
        case .tooLarge(let worker, let what, let wanted, let capacity):
            return .init(
                "it wants \(wanted) \(what), the worker '\(worker)' has \(capacity) in all",
                remedy: "Start a larger worker, or ask for less")
        case .room(let worker, let what, let wanted, let free):
            return .init(
                "it wants \(wanted) \(what), the worker '\(worker)' has \(free) free",
                holders: try holders(at: now, in: transaction) { $1 == worker },
                remedy: "Wait for a holder to end, or start another worker")
        case .notServed(let worker): return .init("the worker '\(worker)' does not serve it")
        }
    }

    private static func holders(
        at now: Timestamp, in transaction: Transaction, where holds: (JobShape, String) -> Bool
    ) throws -> [JobExplanation.Holder] {
        var found: [JobExplanation.Holder] = []
        try transaction.forEach(
            """
            SELECT jobs.id AS id, jobs.worker AS worker, jobs.started AS started, job_shapes.shape AS shape
            FROM jobs JOIN job_shapes ON job_shapes.digest = jobs.shape
            WHERE jobs.state = 'running' ORDER BY jobs.started, jobs.sequence
            """
        ) { row in
            guard found.count < 5 else { return }
            let shape = try JSON.decode(JobShape.self, from: try row.string("shape"))
            let worker = try row.string("worker")
            guard holds(shape, worker) else { return }
            found.append(
                .init(
                    job: try row.string("id"), kind: shape.kind, worker: worker,
                    ageSeconds: max(0, now.seconds(since: try row.timestamp("started")))))
        }
        return found
    }
}
