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
            for (name, seconds) in [("deletedSeconds", deleted), ("graceSeconds", grace)] {
                guard (0...3_155_760_000).contains(seconds) else {
                    throw WorksAPIFailure.badParameter(name, "must be a number of seconds, at most a century")
                }
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
    /// How long an object must have been named by nothing before it goes.
    var graceSeconds: Int64?
    var isRehearsal: Bool?
}
