import Basics
import Features
import Journal
import Monitoring
import SQL
import Serving
import Telemetry

/// What keeps a factory going by itself: brings online features up to date, judges windows, retrains, rolls out.
public actor ControlLoop {
    private let materialisation: Materialisation
    private let monitors: MonitorService
    private let retraining: RetrainService
    private let rollouts: RolloutService
    private let splits: SplitService
    private let endpoints: EndpointStore
    private let time: any TimeSource
    private let logger: Logger

    public init(
        materialisation: Materialisation, monitors: MonitorService, retraining: RetrainService,
        rollouts: RolloutService, splits: SplitService, endpoints: EndpointStore, time: any TimeSource, logger: Logger
    ) {
        self.materialisation = materialisation
        self.monitors = monitors
        self.retraining = retraining
        self.rollouts = rollouts
        self.splits = splits
        self.endpoints = endpoints
        self.time = time
        self.logger = logger
    }

    public static let migrations = [RolloutService.migration]

    /// What one turn of the loop did.
    public struct Turn: Sendable, Codable, Equatable {
        public var now: Timestamp
        /// Values written to the online store.
        public var materialised: Int
        public var windows: [WindowReport]
        public var pipelines: [PipelineRun]
        public var rollouts: [Rollout]
    }

    /// Forgets what it remembers of the stores, because another process may have worked on them since.
    public func takeOver() async {
        await materialisation.forget()
        await monitors.forget()
        await retraining.forget()
        await rollouts.forget()
    }

    /// Looks anew at what people may have started by way of another process: rollouts and pipelines.
    public func lookAgain() async {
        await retraining.forget()
        await rollouts.forget()
    }

    /// Does everything that is due at the clock's present time. Doing it twice has the effect of once.
    public func tick() async throws -> Turn {
        let services = Set(endpoints.table.all.filter { $0.traffic != nil }.map(\.definition.service))
        let now = time.now
        let materialised = try await materialisation.advance(services: services, to: now)
        try await materialisation.keepUp(at: now)
        let windows = try await monitors.evaluate(dueBy: now)
        for alert in windows.flatMap(\.alerts) where !alert.ongoing {
            logger.warning("alert", ["alert": .string(alert.id), "detail": .string(alert.message)])
        }
        let pipelines = try await retraining.tick(alerts: !windows.isEmpty)
        let rollouts = try await rollouts.tick()
        try await splits.tick()
        return Turn(now: now, materialised: materialised, windows: windows, pipelines: pipelines, rollouts: rollouts)
    }
}
