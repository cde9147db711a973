import Basics
import HTTP
import Security
import Upkeep

extension WorksAPI {
    func installUpkeep(on router: Router) {
        router.post(
            "\(Self.prefix)/collect", needs: .right(to: .administer),
            about: .init(
                "Removes what was deleted long ago, and objects that nothing names", body: .json(CollectBody.self),
                answer: .json(Collector.Report.self))
        ) { request in
            let body = try body(CollectBody.self, request)
            let (deleted, grace) = (body.deletedSeconds ?? 30 * 86_400, body.graceSeconds ?? 86_400)
            let century: Int64 = 3_155_760_000
            guard (0...century).contains(deleted) else {
                throw WorksAPIFailure.badParameter("deletedSeconds", "must be a number of seconds, at most a century")
            }
            // Less would take the bytes of uploads that are under way and that nothing names yet.
            guard (3600...century).contains(grace) else {
                throw WorksAPIFailure.badParameter("graceSeconds", "must be from an hour to a century, in seconds")
            }
            return try .json(
                try await services.collector.collect(
                    deletedSeconds: deleted, graceSeconds: grace, isRehearsal: body.isRehearsal ?? false,
                    by: principal(request)))
        }
    }
}

private struct CollectBody: Codable {
    /// What was deleted longer ago goes for good.
    var deletedSeconds: Int64?
    /// How long an object must have been named by nothing before it goes: an hour at least.
    var graceSeconds: Int64?
    var isRehearsal: Bool?
}
