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
            router.post("\(Self.features)/\(path)", needs: .right(to: .define)) { request in
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
        router.get("\(Self.features)/materialize/{id}", needs: .right(to: .read)) { request in
            try .json(try store.materialisation(try request.parameter("id")))
        }
        router.post("\(Self.features)/push", needs: .right(to: .define)) { request in
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
        router.post("\(Self.features)/online", needs: .right(to: .read)) { request in
            let wanted = try body(OnlineBody.self, request)
            let reader = try await store.onlineReader(try wanted.selection())
            let keys = try wanted.keys(for: reader)
            let moment = wanted.at ?? services.factory.now
            let answer = try await store.readingOnline(reader) {
                try reader.read(keys, at: moment.microseconds) { OnlineAnswer.json($0) }
            }
            return .bytes(answer, contentType: "application/json")
        }
        router.post("\(Self.features)/erase", needs: .right(to: .operate)) { request in
            struct Body: Decodable {
                var entity: String
                var keys: [String: JSONValue]
            }
            let wanted = try body(Body.self, request)
            return try .json(
                try await store.eraseOnline(
                    entity: wanted.entity, keys: try wanted.keys.mapValues { try $0.scalar("keys") },
                    by: principal(request)))
        }
        router.get("\(Self.features)/freshness", needs: .right(to: .read)) { _ in
            try .json(try await store.freshness(at: services.factory.now))
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
        /// Values by join key.
        var entities: [String: [JSONValue]]
        var at: Timestamp?

        func selection() throws -> OnlineSelection {
            switch (service, features) {
            case (let service?, nil): return .service(service)
            case (nil, let features?): return .features(features)
            default: throw WorksAPIFailure.badParameter("features", "or 'service' must be given, one of them")
            }
        }

        func keys(for reader: OnlineReader) throws -> OnlineKeys {
            try reader.keys(entities.mapValues { try $0.map { try $0.scalar("entities") } })
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
