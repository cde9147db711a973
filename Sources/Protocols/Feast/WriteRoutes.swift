import Basics
import Datasets
import Features
import HTTP
import Security

/// Rows that callers write: to a push source, or to one view.
extension Feast {
    func installWrites(on router: Router) {
        post("/push", needs: .right(to: .define), on: router) { request in
            var body = try FeastBody(request.body)
            let source = body.text("push_source_name", isNeeded: true)
            let frame = body.frame("df")
            let target = body.text("to") ?? "online"
            try body.check()
            guard target == "online" else {
                throw FeastFailure.value(
                    ["offline", "online_and_offline"].contains(target)
                        ? "rows can not be pushed to the offline store here"
                        : "'\(target)' is no place to push to", remedy: "Push with \"to\": \"online\".")
            }
            try await push(DataFrame(frame), to: source ?? "")
            return .bytes([], contentType: "application/json")
        }
        post("/write-to-online-store", needs: .right(to: .define), on: router) { request in
            var body = try FeastBody(request.body)
            let name = body.text("feature_view_name", isNeeded: true) ?? ""
            let frame = body.frame("df")
            try body.check()
            let view = try features.catalogue.view(name)
            let rows = try DataFrame(frame).rows(
                eventTimes: [view.eventTime], createdTimes: Set([view.createdTime].compactMap(\.self)))
            _ = try await features.onlineWriter(name).write(rows)
            return Feast.nothing
        }
    }

    /// What Feast's server answers where there is nothing to tell.
    static var nothing: HTTPResponse { .bytes(Array("null".utf8), contentType: "application/json") }

    /// Writes rows to the views of an event source, or to the view of that name.
    private func push(_ frame: DataFrame, to name: String) async throws {
        let catalogue = features.catalogue
        var eventTimes: Set<String> = []
        var createdTimes: Set<String> = []
        if let view = catalogue.views[name] {
            eventTimes = [view.eventTime]
            createdTimes = Set([view.createdTime].compactMap(\.self))
        } else if let source = catalogue.events[name] {
            eventTimes = [source.eventTime]
            for view in catalogue.views.values where view.sources == [name] {
                if let created = view.createdTime { createdTimes.insert(created) }
            }
        } else {
            throw FeastFailure.pushSource(name, known: Array(catalogue.events.keys) + catalogue.views.keys)
        }
        _ = try await features.pushOnline(name, try frame.rows(eventTimes: eventTimes, createdTimes: createdTimes))
    }
}
