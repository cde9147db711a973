import Basics
import Columnar
import Foundation
import GRPC
import HTTP
import OpenInference
import Records
import Security
import Serving
import Telemetry
import WorksAPI

/// How a folder of models is served.
public struct ModelServerOptions: Sendable {
    public var repository: RepositoryOptions
    public var host = "127.0.0.1"
    public var port = 5000
    /// Nil for no gRPC.
    public var grpcPort: Int? = 5001
    /// Network threads.
    public var threads = 2
    public var security = ServerSecurity()
    public var gateway = GatewayOptions()
    /// Whether metrics are shown under Triton's names too.
    public var tritonMetrics = false
    /// A folder where requests are kept; nil for nowhere.
    public var recordFolder: String?
    /// Seconds between two looks at a folder that is followed.
    public var pollSeconds = 1.0
    public var logLevel = LogLevel.warning
    public var logSink = LogSink.standardError()
    public var time: any TimeSource = SystemTime()
    public var random: any RandomSource = SystemRandom()

    public init(_ repository: RepositoryOptions) { self.repository = repository }
}

/// A server of a folder of models, without a factory: no root, no store, and nothing kept but the requests, where a folder
/// for them is given.
public final class ModelServer: Sendable {
    /// Where a server answers.
    public struct Address: Sendable {
        public let url: String
        /// As clients of gRPC write it, `HOST:PORT`; nil where there is none.
        public let grpc: String?
    }

    public let repository: ModelRepository
    public let router: Router
    private let calls = GRPCRouter()
    private let options: ModelServerOptions
    private let metrics = MetricsRegistry()
    private let logger: Logger
    private let scaler: ModelScaler
    private let channels: RecordChannels?
    private let records: RequestRecords?
    private let upkeep: RecordUpkeep?

    /// - Throws: `StorageFailure` where the folder for requests can not be used.
    public init(_ options: ModelServerOptions) throws {
        self.options = options
        logger = Logger(sink: options.logSink, level: options.logLevel, time: options.time)
        router = Router(log: logger)
        let tables = ColumnarEngine(
            ColumnarOptions(
                memoryLimitBytes: 300 << 20, threads: options.threads, temporaryDirectory: NSTemporaryDirectory(),
                connections: 1))
        var repositoryOptions = options.repository.logging(to: logger)
        if let seconds = options.gateway.answerSeconds {
            // What waits for a model holds its own time; the transport holds everything else to the same.
            repositoryOptions.standard.defaultTimeoutMicroseconds = Int(clamping: Int64(min(seconds, 86_400) * 1e6))
        }
        channels = try options.recordFolder.map { folder in
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            return try RecordChannels(
                localIn: "\(folder)/records",
                histories: ParquetHistory.histories(in: "\(folder)/history", engine: tables)
            )
        }
        records = try channels.map { [metrics] channels in
            RequestRecords(
                channels,
                key: try RecordKey.open("\(options.recordFolder ?? "")/redaction.key", random: options.random),
                time: options.time, random: options.random, metrics: metrics)
        }
        repositoryOptions.records = records
        if let channels, let records {
            upkeep = RecordUpkeep(channels, requests: records, time: options.time)
        } else {
            upkeep = nil
        }
        repository = ModelRepository(
            repositoryOptions, time: options.time, random: options.random, metrics: metrics)
        scaler = ModelScaler(repository, metrics: metrics)
        ScalingRoutes(scaler).install(on: router)
        let inference = OpenInference(
            table: EndpointTable(), models: repository, version: ProgramVersion.current, time: options.time,
            random: options.random, loops: options.threads, workers: options.threads, answersOnLoops: true)
        inference.install(on: router)
        inference.install(on: calls)
        inference.installScoring(on: router, tables: tables, standalone: true)
        let endpoints = EndpointTable()
        var kept: PredictionRoutes.Kept?
        if let channels, let upkeep { kept = .init(finder: .init(channels, endpoints: endpoints), upkeep: upkeep) }
        PredictionRoutes(
            endpoints: endpoints, models: repository,
            kept: kept
        ).install(on: router)
        OperatorRoutes(metrics: metrics) { [repository] in
            options.tritonMetrics ? TritonMetrics.text(repository) : ""
        }.installMetrics(on: router)
    }

    /// Listens until `stop` returns, then drains: requests under way are answered, new connections refused.
    ///
    /// It listens before the models are loaded, and says that it is not ready: who watches it sees that it is alive, and
    /// who asks for a model that is there already is answered.
    ///
    /// - Parameter ready: called with the addresses once every model answers or has failed to load.
    /// - Throws: `AccessFailure.exposed` where the host lies beyond this machine and nobody said that this is meant, the
    ///   `HTTPFailure` for which the server can not start, ``ServingFailure`` where the folder can not be read.
    public func serve(ready: @Sendable (Address) -> Void, until stop: @Sendable () async -> Void) async throws {
        let security = options.security
        let isEncrypted = security.certificate != nil
        let gateway = try Gateway(
            options.gateway, limits: RateLimits([], metrics: metrics), time: options.time, random: options.random,
            metrics: metrics, logger: logger)
        if let guardian = gateway.guardian(security.access) {
            router.protect(with: guardian)
            calls.protect(with: guardian)
        }
        try security.access.check(host: options.host, encrypted: isEncrypted, insecure: security.insecure)
        var configuration = HTTPServerConfiguration(host: options.host, port: options.port)
        configuration.http2Port = options.grpcPort
        configuration.threads = options.threads
        configuration.certificate = security.certificate
        gateway.configure(&configuration)
        let server = HTTPServer(
            configuration: configuration, router: router, calls: calls, log: logger, metrics: metrics,
            random: options.random)
        let port = try server.start()
        do { try await repository.start() } catch {
            await server.shutdown(drainSeconds: 0)
            throw error
        }
        let host = options.host.contains(":") ? "[\(options.host)]" : options.host
        ready(
            Address(
                url: "\(isEncrypted ? "https" : "http")://\(host):\(port)",
                grpc: server.http2Port.map { "\(host):\($0)" }))
        let following = Task { [repository, logger, seconds = options.pollSeconds] in
            await repository.follow(every: seconds, log: logger)
        }
        let scaling = Task { await scaler.follow() }
        let compacting = Task { [upkeep, logger] in await upkeep?.work(log: logger) }
        let guarding = Task { await gateway.keep(server, security) }
        await stop()
        following.cancel()
        scaling.cancel()
        guarding.cancel()
        compacting.cancel()
        await server.shutdown(drainSeconds: 10)
        await following.value
        await scaling.value
        await guarding.value
        await compacting.value
        await records?.drain()
        await channels?.close()
        await gateway.close()
    }
}
