import Automation
import Basics
import Configuration
import Features
import Foundation
import Monitoring
import Registry
import Security
import Serving
import Training
import WorksAPI

/// Everything a factory directory says, read and checked as a whole.
struct FactoryDefinitions {
    let settings: Settings
    /// What is asked before a model version moves.
    let registry: RegistryPolicy
    /// What is kept of the requests to models that do not say themselves.
    let records: RecordPolicy
    let catalogue: Catalogue
    let trainings: [TrainingDefinition]
    let endpoints: [EndpointDefinition]
    let scorers: [StreamScoring]
    let monitors: [MonitorDefinition]
    let pipelines: [PipelineDefinition]
    let jobs: [JobDefinition]
    let dataFolder: String
    /// How often predictions of the endpoints may be asked for.
    let limits: [RateLimit]
    /// Where the directory says that the stores are.
    let stores: StoreAddresses

    /// What `works.yaml` says.
    struct Settings: Codable, Equatable {
        var name: String
        var owner: String
        var data: String
        var replay: Bool
        var tags: [String: String]
    }

    /// - Throws: `ConfigurationFailure`, `FeaturesFailure`, or ``WorksFailure/brokenReference(file:problem:known:)``.
    init(_ directory: FactoryFiles) throws {
        let documents = try FactoryDocuments(
            files: directory.files, environment: ProcessInfo.processInfo.environment)
        settings = try Settings(documents.manifest)
        registry = try RegistryPolicy(try documents.manifest.mapping().node("registry"))
        records =
            try documents.manifest.mapping().node("record").map { try RecordPolicy(ofAllModels: $0) } ?? RecordPolicy()
        stores = try StoreAddresses(manifest: directory.files[FactoryDocuments.manifestName] ?? "")
        dataFolder = settings.data.hasPrefix("/") ? settings.data : "\(directory.root)/\(settings.data)"
        catalogue = try Catalogue(documents)
        trainings = try TrainingDefinition.all(documents)
        endpoints = try EndpointDefinition.all(documents)
        scorers = try StreamScoring.all(documents)
        limits = try endpoints.flatMap { try Self.limits(of: $0) }
        // What a server reads of it when it starts.
        _ = try GatewayOptions(manifest: directory.files[FactoryDocuments.manifestName] ?? "")
        monitors = try MonitorDefinition.all(documents)
        pipelines = try PipelineDefinition.all(documents)
        jobs = try JobDefinition.all(documents)
        try checkReferences()
    }

    /// The limits of an endpoint, which name no model: theirs is the endpoint.
    private static func limits(of endpoint: EndpointDefinition) throws -> [RateLimit] {
        try (endpoint.limits ?? []).map { text in
            var limit = try RateLimit(text)
            guard limit.model == nil else { throw AccessFailure.badLimit("\(text) of the endpoint '\(endpoint.name)'") }
            limit.model = .named(endpoint.name)
            return limit
        }
    }

    private func checkReferences() throws {
        func need(_ name: String, _ kind: String, _ known: some Collection<String>, in place: String) throws {
            guard !known.contains(name) else { return }
            throw WorksFailure.brokenReference(
                file: place, problem: "there is no \(kind) '\(name)'", known: Array(known))
        }
        for training in trainings {
            try need(training.service, "feature service", catalogue.services.keys, in: "training '\(training.name)'")
        }
        for endpoint in endpoints {
            try need(endpoint.service, "feature service", catalogue.services.keys, in: "endpoint '\(endpoint.name)'")
        }
        for scorer in scorers { _ = try ScorerDuty.Reference(scorer) }
        for monitor in monitors {
            try need(monitor.endpoint, "endpoint", endpoints.map(\.name), in: "monitor '\(monitor.name)'")
        }
        for pipeline in pipelines {
            try need(pipeline.endpoint, "endpoint", endpoints.map(\.name), in: "pipeline '\(pipeline.name)'")
            try need(pipeline.training, "training", trainings.map(\.name), in: "pipeline '\(pipeline.name)'")
        }
    }

    /// What changes when these definitions replace others.
    func changes(from old: FactoryDefinitions?) -> FactoryPlan {
        let before = (try? old?.items()) ?? [:]
        let after = (try? items()) ?? [:]
        let names = Set(before.keys).union(after.keys).sorted { ($0.kind, $0.name) < ($1.kind, $1.name) }
        return FactoryPlan(
            changes: names.compactMap { item in
                let action: FactoryPlan.Action
                switch (before[item], after[item]) {
                case (nil, _?): action = .create
                case (_?, nil): action = .remove
                case (let old?, let new?) where old != new: action = .change
                default: return nil
                }
                return FactoryPlan.Change(action: action, kind: item.kind, name: item.name)
            })
    }

    private struct Item: Hashable {
        var kind: String
        var name: String
    }

    private func items() throws -> [Item: Digest] {
        var items: [Item: Digest] = [:]
        func add(_ kind: String, _ name: String, _ value: some Encodable) throws {
            items[Item(kind: kind, name: name)] = Digest(of: try JSON.canonical(value))
        }
        try add("factory", settings.name, settings)
        if registry != .standard { try add("registry", settings.name, registry) }
        if records != RecordPolicy() { try add("records", settings.name, records) }
        for (name, table) in catalogue.tables { try add("table", name, table) }
        for (name, events) in catalogue.events { try add("events", name, events) }
        for (name, entity) in catalogue.entities { try add("entity", name, entity) }
        for (name, view) in catalogue.views { try add("view", name, view) }
        for (name, transform) in catalogue.transforms { try add("transform", name, transform) }
        for (name, service) in catalogue.services { try add("service", name, service) }
        for (name, test) in catalogue.tests { try add("test", name, test) }
        for training in trainings { try add("training", training.name, training) }
        for endpoint in endpoints { try add("endpoint", endpoint.name, endpoint) }
        for scorer in scorers { try add("scorer", scorer.name, scorer) }
        for monitor in monitors { try add("monitor", monitor.name, monitor) }
        for pipeline in pipelines { try add("pipeline", pipeline.name, pipeline) }
        for job in jobs { try add("job", job.name, job) }
        return items
    }
}

extension FactoryDefinitions.Settings {
    init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: [
            "name", "owner", "description", "data", "clock", "tags", "stores", "registry", "gateway", "record",
        ])
        name = try map.string("name")
        owner = try map.string("owner")
        data = try map.optionalString("data") ?? "data"
        let clock = try map.optionalString("clock") ?? "system"
        guard ["system", "replay"].contains(clock) else {
            throw ConfigurationFailure(
                try map.required("clock").place, "'clock' must be system or replay, and is '\(clock)'")
        }
        replay = clock == "replay"
        tags = [:]
        for entry in try map.node("tags")?.mapping().entries ?? [] { tags[entry.key] = try entry.value.string() }
    }
}
