import Basics
import HTTP
import Jobs
import Security

/// Reading needs `read`, as everywhere. A command runs as the server itself, so who submits one can do anything that the
/// server can: that needs `operate`, as do limits and cancelling. To run a job that the definitions name, `train` is
/// enough: what it does was said by somebody who may say so.
extension WorksAPI {
    private static let jobs = "\(prefix)/jobs"

    func installJobs(on router: Router) {
        let jobs = services.jobs
        router.get(
            Self.jobs, needs: .right(to: .read),
            about: .init(
                "Lists jobs, newest first",
                query: [
                    .optional("state", "only in these states, with commas"),
                    .optional("owner", "only of this owner"),
                    .optional("kind", "only of this kind"),
                    .optional("queue", "only of this queue"),
                    .optional("tag", "only with this tag"),
                    .optional("before", "only jobs submitted before this number", Int64.self),
                    .optional("limit", "jobs at most", Int.self),
                ], answer: .json([JobDocument].self))
        ) { request in
            let limit = try request.integer("limit", default: 100, in: 1...10_000)
            return try .json(try await jobs.queue.jobs(try filter(request), limit: limit).map(JobDocument.init))
        }
        router.post(
            Self.jobs, needs: .right(to: .operate),
            about: .init(
                "Submits a job", body: .json(JobSubmission.self), answer: .json(JobDocument.self))
        ) { request in
            let who = principal(request)
            let job = try await jobs.queue.submit(
                try body(JobSubmission.self, request).request(owner: who), by: who)
            await jobs.wake()
            return try .json(JobDocument(job))
        }
        router.get(
            "\(Self.jobs)/{id}", needs: .right(to: .read),
            about: .init(
                "Shows a job with its attempts and why it stands as it does", answer: .json(JobDetail.self))
        ) { request in
            let id = try request.parameter("id")
            return try .json(
                JobDetail(
                    job: JobDocument(try await jobs.queue.job(id)), attempts: try await jobs.queue.attempts(of: id),
                    explanation: try await jobs.queue.explain(id)))
        }
        router.get(
            "\(Self.jobs)/{id}/logs", needs: .right(to: .read),
            about: .init(
                "Gives a piece of what a job wrote",
                query: [
                    .optional("attempt", "which; the last where it is left out", Int.self),
                    .optional("offset", "the first byte", Int.self),
                    .optional("limit", "bytes at most", Int.self),
                ], answer: .json(JobLogDocument.self))
        ) { request in
            let id = try request.parameter("id")
            // Asked before the log is read: what is written after the end was seen is nothing.
            let ended = try await jobs.queue.job(id).state.isFinal
            let log = try await jobs.log(
                of: id, attempt: try request.query("attempt", as: Int.self),
                from: try request.integer("offset", default: 0, in: 0...Int.max),
                limit: try request.integer("limit", default: 65_536, in: 1...(4 << 20)))
            return try .json(JobLogDocument(log, ended: ended))
        }
        router.post(
            "\(Self.jobs)/{id}/cancel", needs: .right(to: .operate),
            about: .init(
                "Cancels a job", body: .json(CancelBody.self), answer: .json(JobDocument.self))
        ) { request in
            let job = try await jobs.queue.cancel(
                try request.parameter("id"), by: principal(request),
                reason: try body(CancelBody.self, request).reason ?? "")
            await jobs.wake()
            return try .json(JobDocument(job))
        }
        installJobLimits(on: router)
        installJobSchedules(on: router)
    }

    private func installJobLimits(on router: Router) {
        let jobs = services.jobs
        router.get(
            "\(Self.prefix)/limits", needs: .right(to: .read),
            about: .init(
                "Lists the limits of jobs", answer: .json([JobLimitDocument].self))
        ) { _ in
            try .json(
                try await jobs.queue.limits().map {
                    JobLimitDocument(
                        scope: $0.scope, name: $0.name, runningMax: $0.runningMax, queuedMax: $0.queuedMax)
                })
        }
        router.post(
            "\(Self.prefix)/limits", needs: .right(to: .operate),
            about: .init(
                "Sets a limit, or removes it where no number is given", body: .json(JobLimitDocument.self),
                answer: .json(JobLimitDocument.self))
        ) { request in
            let wanted = try body(JobLimitDocument.self, request)
            if wanted.runningMax == nil, wanted.queuedMax == nil {
                try await jobs.queue.removeLimit(wanted.scope, wanted.name)
            } else {
                try await jobs.queue.setLimit(
                    JobLimit(
                        wanted.scope, wanted.name, runningMax: wanted.runningMax, queuedMax: wanted.queuedMax))
            }
            await jobs.wake()
            return try .json(wanted)
        }
    }

    private func installJobSchedules(on router: Router) {
        let jobs = services.jobs
        router.get(
            "\(Self.prefix)/schedules", needs: .right(to: .read),
            about: .init(
                "Lists the jobs that the definitions name, with when they run",
                answer: .json([JobScheduleDocument].self))
        ) { _ in
            try .json(jobs.defined.map { JobScheduleDocument($0, now: jobs.queue.now) })
        }
        router.post(
            "\(Self.prefix)/schedules/{name}/run", needs: .right(to: .train),
            about: .init(
                "Submits a job that the definitions name", body: .json(ScheduleRunBody.self),
                answer: .json(JobDocument.self))
        ) { request in
            let name = try request.parameter("name")
            guard var wanted = jobs.defined.first(where: { $0.name == name })?.request else {
                throw JobFailure.unknownSchedule(name)
            }
            wanted.idempotencyKey = try body(ScheduleRunBody.self, request).idempotencyKey
            let job = try await jobs.queue.submit(wanted, by: principal(request))
            await jobs.wake()
            return try .json(JobDocument(job))
        }
    }

    private func filter(_ request: HTTPRequest) throws -> JobFilter {
        var filter = JobFilter(
            owner: request.query("owner"), kind: request.query("kind"), queue: request.query("queue"),
            tag: request.query("tag"))
        if let words = request.query("state") {
            filter.states = Set(
                try words.split(separator: ",").map { word in
                    guard let state = JobState(rawValue: String(word)) else {
                        let known = JobState.allCases.map(\.rawValue).joined(separator: ", ")
                        throw WorksAPIFailure.badParameter("state", "must be of \(known), and is '\(word)'")
                    }
                    return state
                })
        }
        if let sequence = try request.query("before", as: Int64.self) { filter.before = sequence }
        return filter
    }
}

private struct CancelBody: Codable { var reason: String? }

private struct ScheduleRunBody: Codable { var idempotencyKey: String? }
