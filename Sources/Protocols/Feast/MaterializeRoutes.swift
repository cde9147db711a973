import Basics
import Features
import HTTP
import Security

/// Bringing computed features online.
extension Feast {
    func installMaterialize(on router: Router) {
        post("/materialize", needs: .right(to: .define), on: router) { request in
            var body = try FeastBody(request.body)
            let (start, end) = (body.text("start_ts"), body.text("end_ts"))
            let views = body.texts("feature_views")
            let isWhole = body.flag("disable_event_timestamp")
            try body.check()
            guard isWhole || (start != nil && end != nil) else {
                throw FeastFailure.value(
                    "start_ts and end_ts are required when disable_event_timestamp is False", remedy: nil)
            }
            let from = isWhole ? nil : try start.map { try FeastTime.moment($0, "start_ts") }
            let to = isWhole ? nil : try end.map { try FeastTime.moment($0, "end_ts") }
            return try await materialize(views, from: from, to: to, incremental: false, request)
        }
        post("/materialize-incremental", needs: .right(to: .define), on: router) { request in
            var body = try FeastBody(request.body)
            let end = body.text("end_ts", isNeeded: true)
            let views = body.texts("feature_views")
            try body.check()
            let to = try FeastTime.moment(end ?? "", "end_ts")
            return try await materialize(views, from: nil, to: to, incremental: true, request)
        }
    }

    private func materialize(
        _ views: [String]?, from: Timestamp?, to: Timestamp?, incremental: Bool, _ request: HTTPRequest
    ) async throws -> HTTPResponse {
        // An empty list stands for all views there.
        let named = views?.isEmpty == true ? nil : views
        let who = request.principal ?? "user:anonymous"
        if ["true", "True", "1"].contains(request.query("async") ?? "") {
            _ = try features.startMaterialisation(named, from: from, to: to, incremental: incremental, by: who)
            let all = features.catalogue.views.values.filter { $0.isOnline }.map(\.name).sorted()
            return try .json(
                ["status": "accepted", "feature_views": .array((named ?? all).map { .string($0) })] as JSONValue,
                status: .accepted)
        }
        if incremental {
            _ = try await features.materializeIncremental(named, to: to, by: who)
        } else {
            _ = try await features.materialize(named, from: from, to: to, by: who)
        }
        return Feast.nothing
    }
}
