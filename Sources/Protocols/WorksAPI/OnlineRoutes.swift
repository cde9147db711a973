import Basics
import Datasets
import Features
import HTTP
import Security

/// Bringing features online and reading them there. Reading needs `read`; what changes values needs `define`, as computing
/// features does; removing a subject's values needs `operate`.
extension WorksAPI {
    private static let features = "\(prefix)/features"

    func installOnline(on router: Router) {
        let store = services.features
        for (path, incremental) in [("materialize", false), ("materialize-incremental", true)] {
            router.post(
                "\(Self.features)/\(path)", needs: .right(to: .define),
                about: .init(
                    "Brings the values of views online, or those since the last time",
                    body: .json(MaterializeBody.self), answer: .json(MaterialisationReport.self))
            ) { request in
                let wanted = try body(MaterializeBody.self, request)
                let from = incremental ? nil : wanted.from
                let who = principal(request)
                if wanted.async == true {
                    let run = try store.startMaterialisation(
                        wanted.views, from: from, to: wanted.to, incremental: incremental, by: who)
                    return try .json(run.status, status: .accepted)
                }
                return try .json(
                    incremental
                        ? try await store.materializeIncremental(wanted.views, to: wanted.to, by: who)
                        : try await store.materialize(wanted.views, from: from, to: wanted.to, by: who))
            }
        }
        router.get(
            "\(Self.features)/materialize/{id}", needs: .right(to: .read),
            about: .init(
                "Tells how far a materialisation is", answer: .json(MaterialisationRun.Status.self))
        ) { request in
            try .json(try store.materialisation(try request.parameter("id")))
        }
        router.post(
            "\(Self.features)/push", needs: .right(to: .define),
            about: .init(
                "Writes rows to a view, or events to a stream", body: .json(PushBody.self),
                answer: .json([JSONValue].self))
        ) { request in
            let pushed = try body(PushBody.self, request)
            // Events of a stream are kept first, and every view over it follows from what is kept.
            if store.catalogue.views[pushed.to] == nil, store.catalogue.events[pushed.to]?.stream != nil {
                return try .json([
                    try await services.streams.push(
                        pushed.to, try pushed.featureRows(), to: pushed.store ?? "online_and_offline")
                ])
            }
            guard pushed.store ?? "online" == "online" else {
                throw WorksAPIFailure.badParameter("store", "must be online")
            }
            return try .json(try await store.pushOnline(pushed.to, try pushed.featureRows()))
        }
        router.post(
            "\(Self.features)/online", needs: .right(to: .read),
            about: .init(
                "Reads the newest values of entities",
                query: [
                    .optional("service", "for Arrow: the service"),
                    .optional("features", "for Arrow: features in place of a service, with commas"),
                    .optional("at", "for Arrow: as of when; now where it is left out", Timestamp.self),
                    .optional("details", "for Arrow: true adds the status and event time of each value", Bool.self),
                ], body: .json(OnlineBody.self).or("application/vnd.apache.arrow.stream"),
                answer: .json(OnlineDocument.self).or("application/vnd.apache.arrow.stream"))
        ) { request in
            let arrives = ArrowMessage.isBody(of: request)
            if arrives || ArrowMessage.isWanted(by: request) { return try await readArrow(request, arrives: arrives) }
            let wanted = try body(OnlineBody.self, request)
            let reader = try await store.onlineReader(try wanted.selection())
            let values = try wanted.values()
            let keys = try reader.keys(values)
            let sent = try reader.requestValues(values, entities: keys.count)
            let moment = wanted.at ?? services.factory.now
            let answer = try await store.readingOnline(reader) {
                try reader.read(keys, request: sent, at: moment.microseconds) { OnlineAnswer.json($0) }
            }
            return .bytes(answer, contentType: "application/json")
        }
        router.post(
            "\(Self.features)/erase", needs: .right(to: .operate),
            about: .init(
                "Removes the values of one subject", body: .json(EraseBody.self), answer: .json(OnlineErasure.self))
        ) { request in
            let wanted = try body(EraseBody.self, request)
            return try .json(
                try await store.eraseOnline(
                    entity: wanted.entity, keys: try wanted.keys.mapValues { try $0.scalar("keys") },
                    by: principal(request)))
        }
        router.get(
            "\(Self.features)/freshness", needs: .right(to: .read),
            about: .init(
                "Tells how old the newest values of each view are", answer: .json([OnlineFreshness].self))
        ) { _ in
            try .json(try await store.freshness(at: services.factory.now))
        }
    }

    /// A bulk read: entities, answer or both as an Arrow stream.
    private func readArrow(_ request: HTTPRequest, arrives: Bool) async throws -> HTTPResponse {
        let store = services.features
        let reader: OnlineReader
        let entities: OnlineEntities
        var moment = try request.timestamp("at")
        if arrives {
            let features = request.query("features")?.split(separator: ",").map(String.init)
            reader = try await store.onlineReader(
                OnlineSelection(service: request.query("service"), features: features))
            entities = try await store.onlineEntities(arrow: request.body, for: reader)
        } else {
            let wanted = try body(OnlineBody.self, request)
            reader = try await store.onlineReader(try wanted.selection())
            entities = try OnlineEntities(try wanted.values().sorted { $0.key < $1.key }.map { ($0.key, $0.value) })
            moment = wanted.at ?? moment
        }
        // What can be wrong with the keys is told before the answer begins.
        try reader.check(entities)
        let (at, details) = (moment ?? services.factory.now, request.query("details") == "true")
        return .stream(contentType: ArrowMessage.contentType) { writer in
            try await store.readOnline(reader, entities, at: at, details: details) { try await writer.write($0) }
        }
    }

    private struct MaterializeBody: Decodable {
        var views: [String]?
        var from: Timestamp?
        var to: Timestamp?
        /// Whether to answer at once, with an id to ask by.
        var async: Bool?
    }

    private struct PushBody: Decodable {
        /// A view or an event source.
        var to: String
        /// Where the rows go.
        var store: String?
        /// Values by column.
        var rows: [String: [JSONValue]]

        func featureRows() throws -> FeatureRows {
            try FeatureRows(
                try rows.sorted { $0.key < $1.key }.map { name, values in
                    (name: name, values: try values.map { try $0.featureValue(name) })
                })
        }
    }

    private struct OnlineBody: Decodable {
        var service: String?
        var features: [String]?
        /// Values by join key, and by field of the request that a transform takes.
        var entities: [String: [JSONValue]]
        var at: Timestamp?

        func selection() throws -> OnlineSelection { try .init(service: service, features: features) }

        func values() throws -> [String: [ScalarValue]] {
            try entities.mapValues { try $0.map { try $0.scalar("entities") } }
        }
    }
}

extension JSONValue {
    /// A value that is no list and no object.
    fileprivate func scalar(_ name: String) throws -> ScalarValue {
        switch self {
        case .null: return .null
        case .bool(let flag): return .boolean(flag)
        case .integer(let number): return .integer(number)
        case .number(let number): return .double(number)
        case .string(let text): return .string(text)
        case .array, .object:
            throw WorksAPIFailure.badParameter(name, "holds a list or an object where one value belongs")
        }
    }

    fileprivate func featureValue(_ name: String) throws -> FeatureValue {
        guard case .array(let items) = self else { return .scalar(try scalar(name)) }
        return .list(try items.map { try $0.scalar(name) })
    }
}

private struct EraseBody: Codable {
    var entity: String
    var keys: [String: JSONValue]
}

extension OnlineSelection {
    fileprivate init(service: String?, features: [String]?) throws {
        switch (service, features) {
        case (let service?, nil): self = .service(service)
        case (nil, let features?): self = .features(features)
        default: throw WorksAPIFailure.badParameter("features", "or 'service' must be given, one of them")
        }
    }
}

/// What ``OnlineAnswer`` writes.
private struct OnlineDocument: Codable {
    struct Column: Codable {
        /// `view__feature`.
        var name: String
        /// Null unless the status is PRESENT.
        var values: [JSONValue]
        /// PRESENT, NULL_VALUE, NOT_FOUND or OUTSIDE_MAX_AGE.
        var statuses: [String]
        /// Null where no row was found, and for what a transform computed.
        var eventTimes: [Timestamp?]

        enum CodingKeys: String, CodingKey {
            case name, values, statuses
            case eventTimes = "event_times"
        }
    }

    var entities: Int
    var features: [Column]
}
