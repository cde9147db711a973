import Basics
import Datasets
import Features
import HTTP
import Security

/// Rows that callers write: to a stream or another push source, or to one view.
extension Feast {
    func installWrites(on router: Router) {
        post("/push", needs: .right(to: .define), on: router) { request in
            var body = try FeastBody(request.body)
            let source = body.text("push_source_name", isNeeded: true)
            let frame = body.frame("df")
            let target = body.text("to")
            try body.check()
            try await push(DataFrame(frame), to: source ?? "", target ?? "online")
            return .bytes([], contentType: "application/json")
        }
        post("/write-to-online-store", needs: .right(to: .define), on: router) { request in
            var body = try FeastBody(request.body)
            let name = body.text("feature_view_name", isNeeded: true) ?? ""
            let frame = body.frame("df")
            try body.check()
            let view = try features.catalogue.view(name)
            let rows = try DataFrame(frame).rows(
                eventTimes: [view.eventTime], createdTimes: Set([view.createdTime].compactMap(\.self)),
                moments: Self.moments(of: [view]))
            _ = try await features.onlineWriter(name).write(rows)
            return Feast.nothing
        }
    }

    /// What Feast's server answers where there is nothing to tell.
    static var nothing: HTTPResponse { .bytes(Array("null".utf8), contentType: "application/json") }

    /// Takes in rows of a stream, or writes them online: to the views of an event source, or to the view of that name.
    /// - Parameter target: `online`, `offline` or `online_and_offline`.
    private func push(_ frame: DataFrame, to name: String, _ target: String) async throws {
        let catalogue = features.catalogue
        let view = catalogue.views[name]
        let source = view == nil ? catalogue.events[name] : nil
        guard view != nil || source != nil else {
            throw FeastFailure.pushSource(name, known: Array(catalogue.events.keys) + catalogue.views.keys)
        }
        if let source, let stream = source.stream {
            // Events are kept first, and every view over them follows from what is kept.
            let created = Set(stream.columns.map(\.name)).intersection([source.availableAt, DataFrame.createdTime])
            _ = try await streams.push(
                name,
                try frame.rows(
                    eventTimes: [source.eventTime], createdTimes: created,
                    moments: Set(stream.columns.filter { $0.type == .timestamp }.map(\.name))), to: target)
            return
        }
        guard target == "online" else {
            throw FeastFailure.value(
                ["offline", "online_and_offline"].contains(target)
                    ? "the history of '\(name)' is computed from tables, and takes no rows"
                    : "'\(target)' is no place to push to",
                remedy: "Push with \"to\": \"online\", or to an event source that is defined with 'stream'.")
        }
        let views = view.map { [$0] } ?? catalogue.views.values.filter { $0.sources == [name] }
        let eventTimes = Set(source.map { [$0.eventTime] } ?? views.map(\.eventTime))
        let rows = try frame.rows(
            eventTimes: eventTimes, createdTimes: Set(views.compactMap(\.createdTime)), moments: Self.moments(of: views)
        )
        _ = try await features.pushOnline(name, rows)
    }

    /// The features of views that are moments, or lists of them.
    private static func moments(of views: [FeatureView]) -> Set<String> {
        Set(views.flatMap(\.features).filter { $0.type.scalar == .timestamp }.map(\.name))
    }
}
