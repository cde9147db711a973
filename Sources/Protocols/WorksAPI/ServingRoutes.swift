import Automation
import Basics
import HTTP
import Monitoring
import Registry
import Security
import Serving

extension WorksAPI {
    /// An endpoint as it stands.
    public struct EndpointStatus: Sendable, Codable {
        public var definition: EndpointDefinition
        public var traffic: TrafficPolicy?
        public var stable: ArmStatistics.Reading?
        public var canary: ArmStatistics.Reading?
        public var shadow: ShadowReading?
        /// The arms of a split, in its order; nil where the traffic is not split.
        public var arms: [ArmStatistics.Reading]?
    }

    func installServing(on router: Router) {
        router.get(
            "\(Self.prefix)/endpoints", needs: .right(to: .read),
            about: .init(
                "Lists the endpoints", answer: .json([EndpointStatus].self))
        ) { _ in
            try .json(services.endpoints.table.all.map(status))
        }
        router.get(
            "\(Self.prefix)/endpoints/{name}", needs: .right(to: .read, on: "endpoint", named: "name"),
            about: .init(
                "Shows an endpoint", answer: .json(EndpointStatus.self))
        ) {
            request in
            try .json(status(try services.endpoints.table.endpoint(try request.parameter("name"))))
        }
        router.post(
            "\(Self.prefix)/endpoints/{name}/deploy", needs: .right(to: .deploy, on: "endpoint", named: "name"),
            about: .init(
                "Deploys a model version, or starts a canary of it; then a rollout is answered",
                body: .json(DeployBody.self), answer: .json(TrafficPolicy.self))
        ) { request in
            let options = try body(DeployBody.self, request)
            let name = try request.parameter("name")
            let version = try ModelVersionID(options.version)
            if options.canary ?? false {
                return try .json(try await services.rollouts.start(version, on: name, by: principal(request)))
            }
            // It stands in for the move to Production that people have yet to agree to.
            if options.emergency != nil {
                try request.caller?.require(.right(to: .promote, on: "model"), on: version.model)
            }
            return try .json(
                try await services.endpoints.deploy(
                    version, on: name, reason: options.reason ?? options.emergency ?? "asked for",
                    emergency: options.emergency, by: principal(request)))
        }
        router.post(
            "\(Self.prefix)/endpoints/{name}/rollback", needs: .right(to: .rollback, on: "endpoint", named: "name"),
            about: .init(
                "Goes back to the version before", body: .json(RollbackBody.self), answer: .json(TrafficPolicy.self))
        ) { request in
            return try .json(
                try await services.endpoints.rollBack(
                    try request.parameter("name"), reason: try body(RollbackBody.self, request).reason ?? "asked for",
                    by: principal(request)))
        }
        router.post(
            "\(Self.prefix)/endpoints/{name}/promote", needs: .right(to: .deploy, on: "endpoint", named: "name"),
            about: .init(
                "Makes the candidate of the rollout under way stable now; null where others have to agree first",
                answer: .json(Rollout?.self))
        ) { request in
            try .json(
                try await services.rollouts.promote(on: try request.parameter("name"), by: principal(request)))
        }
        router.post(
            "\(Self.prefix)/endpoints/{name}/override", needs: .right(to: .rollback, on: "endpoint", named: "name"),
            about: .init(
                "Lets a constant or one version answer every request, until it is released",
                body: .json(OverrideBody.self), answer: .json(TrafficPolicy.self))
        ) { request in
            let options = try body(OverrideBody.self, request)
            let override = try TrafficPolicy.Override(
                constant: options.constant, version: try options.version.map { try ModelVersionID($0) })
            return try .json(
                try await services.endpoints.override(
                    override, on: try request.parameter("name"), reason: options.reason ?? "asked for",
                    by: principal(request)))
        }
        router.post(
            "\(Self.prefix)/endpoints/{name}/release", needs: .right(to: .rollback, on: "endpoint", named: "name"),
            about: .init(
                "Lets the arms answer again", body: .json(RollbackBody.self), answer: .json(TrafficPolicy.self))
        ) { request in
            try .json(
                try await services.endpoints.override(
                    nil, on: try request.parameter("name"),
                    reason: try body(RollbackBody.self, request).reason ?? "asked for",
                    by: principal(request)))
        }
        router.post(
            "\(Self.prefix)/endpoints/{name}/shadow", needs: .right(to: .deploy, on: "endpoint", named: "name"),
            about: .init(
                "Mirrors a share of the requests to a version that answers nobody; without a version, stops it",
                body: .json(ShadowBody.self), answer: .json(TrafficPolicy.self))
        ) { request in
            let options = try body(ShadowBody.self, request)
            let shadow = try options.version.map {
                TrafficPolicy.Shadow(version: try ModelVersionID($0), share: options.share ?? 1)
            }
            return try .json(
                try await services.endpoints.shadow(
                    shadow, on: try request.parameter("name"), reason: options.reason ?? "asked for",
                    by: principal(request)))
        }
        router.post(
            "\(Self.prefix)/endpoints/{name}/split", needs: .right(to: .deploy, on: "endpoint", named: "name"),
            about: .init(
                "Lets versions share the traffic, as an A/B test or a bandit; without arms, ends that",
                body: .json(SplitBody.self), answer: .json(TrafficPolicy.self))
        ) { request in
            let options = try body(SplitBody.self, request)
            return try .json(
                try await services.endpoints.split(
                    try options.split(id: services.splits.newIdentifier()), on: try request.parameter("name"),
                    reason: options.reason ?? "asked for", by: principal(request)))
        }
        router.get(
            "\(Self.prefix)/endpoints/{name}/split", needs: .right(to: .read, on: "endpoint", named: "name"),
            about: .init("Tells what the arms of a split have come to", answer: .json(SplitService.Report.self))
        ) { request in
            try .json(try await services.splits.report(of: try request.parameter("name")))
        }
        router.post(
            "\(Self.prefix)/endpoints/{name}/labels", needs: .right(to: .label, on: "endpoint", named: "name"),
            about: .init(
                "Takes what became of predictions", body: .json(LabelsBody.self), answer: .json([String: Int].self))
        ) { request in
            let labels = try body(LabelsBody.self, request).labels
            try await services.endpoints.labels(of: try request.parameter("name")).append(labels)
            return try .json(["accepted": labels.count])
        }
        router.get(
            "\(Self.prefix)/endpoints/{name}/totals", needs: .right(to: .read, on: "endpoint", named: "name"),
            about: .init(
                "Counts the predictions of an endpoint", answer: .json(RecordTotals.self))
        ) {
            request in
            try .json(try await services.endpoints.totals(of: try request.parameter("name")))
        }
        router.get(
            "\(Self.prefix)/endpoints/{name}/monitor", needs: .right(to: .read, on: "endpoint", named: "name"),
            about: .init(
                "Lists the windows that were monitored", answer: .json([WindowReport].self))
        ) {
            request in
            try .json(try await services.monitors.reports(of: try request.parameter("name")))
        }
        router.post(
            "\(Self.prefix)/endpoints/{name}/rescore", needs: .right(to: .experiment, on: "endpoint", named: "name"),
            about: .init(
                "Tells how another version would have done in windows", body: .json(RescoreBody.self),
                answer: .json([WindowReport.VersionPart].self))
        ) { request in
            let options = try body(RescoreBody.self, request)
            return try .json(
                try await services.monitors.rescore(
                    try ModelVersionID(options.version), on: try request.parameter("name"), windows: options.windows))
        }
        router.get(
            "\(Self.prefix)/rollouts", needs: .right(to: .read),
            about: .init(
                "Lists the rollouts", answer: .json([Rollout].self))
        ) { _ in
            try .json(try await services.rollouts.all())
        }
        router.get(
            "\(Self.prefix)/pipelines/runs", needs: .right(to: .read),
            about: .init(
                "Lists the runs of pipelines", answer: .json([PipelineRun].self))
        ) { _ in
            try .json(try await services.retraining.runs())
        }
    }

    private func status(_ endpoint: Endpoint) -> EndpointStatus {
        let statistics = endpoint.statistics
        return EndpointStatus(
            definition: endpoint.definition, traffic: endpoint.traffic, stable: statistics.stable,
            canary: statistics.canary, shadow: endpoint.shadowReading,
            arms: endpoint.traffic?.split == nil ? nil : endpoint.splitReadings)
    }
}

private struct DeployBody: Codable {
    var version: String
    var canary: Bool?
    var reason: String?
    /// Why it can not wait until people agree to it.
    var emergency: String?
}

private struct SplitBody: Codable {
    struct Arm: Codable {
        var version: String
        var share: Double
    }

    var arms: [Arm]?
    var policy: TrafficSplit.Policy?
    var goal: TrafficSplit.Goal?
    var floor: Double?
    var epsilon: Double?
    var alpha: Double?
    var reason: String?

    /// Nil where there are no arms.
    func split(id: String) throws -> TrafficSplit? {
        try arms.map { arms in
            try TrafficSplit(
                id: id, policy: policy ?? .fixed,
                arms: try arms.map { TrafficSplit.Arm(version: try ModelVersionID($0.version), share: $0.share) },
                goal: goal ?? .higher, floor: floor ?? 0.1, epsilon: epsilon ?? 0.1, alpha: alpha ?? 0.05)
        }
    }
}

private struct OverrideBody: Codable {
    var constant: Double?
    var version: String?
    var reason: String?
}

private struct ShadowBody: Codable {
    var version: String?
    var share: Double?
    var reason: String?
}

private struct RollbackBody: Codable { var reason: String? }

private struct LabelsBody: Codable { var labels: [LabelRecord] }

private struct RescoreBody: Codable {
    var version: String
    var windows: [Timestamp]
}
