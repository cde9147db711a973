import Basics
import Foundation
import HTTP
import Inference
import Serving
import Streams
import Telemetry

/// How a stream is scored by a process of its own, without a factory.
public struct StreamScorerOptions: Sendable {
    public var scoring: StreamScoring
    /// The address of the topics' store.
    public var streams: String
    /// The file or folder of the model.
    public var model: String
    /// Secrets in the address are taken from here.
    public var environment: [String: String]
    /// Ends when no event has come for so long; nil for never.
    public var idle: Duration?
    /// Where metrics are shown; nil for nowhere.
    public var metricsPort: Int?
    public var logLevel = LogLevel.warning
    public var logSink = LogSink.standardError()
    public var time: any TimeSource = SystemTime()

    public init(_ scoring: StreamScoring, streams: String, model: String, environment: [String: String]) {
        self.scoring = scoring
        self.streams = streams
        self.model = model
        self.environment = environment
    }
}

/// A process that scores one stream.
public enum StreamScorerProcess {
    /// Scores until `stop` returns or no event comes any more.
    ///
    /// - Parameters:
    ///   - report: told how far it has come: once it has begun, every `seconds`, and at the end.
    ///   - stop: returns when it is to end; the batch under way is finished or left to the next start.
    /// - Throws: what stands in the way: the address, the topics, the model.
    public static func run(
        _ options: StreamScorerOptions, every seconds: Double = 1,
        report: @escaping @Sendable (StreamScorerStatus) -> Void, until stop: @escaping @Sendable () async -> Void
    ) async throws {
        let metrics = MetricsRegistry()
        let logger = Logger(sink: options.logSink, level: options.logLevel, time: options.time)
        let url = try StoreURL(options.streams, secrets: SecretSource(environment: options.environment))
        let model = try await load(options.model)
        let streams = try await Streams.open(url, time: options.time, logger: logger, metrics: metrics)
        do {
            let scorer = try StreamScorer(
                options.scoring, streams: streams, model: { model }, time: options.time, metrics: metrics,
                logger: logger)
            let server = try options.metricsPort.map { try serve(metrics, port: $0, logger) }
            let work = Task { try await scorer.run(untilIdle: options.idle) }
            let watching = Task {
                while !Task.isCancelled {
                    report(await scorer.status())
                    try? await Task.sleep(for: .seconds(seconds))
                }
            }
            let stopping = Task {
                await stop()
                work.cancel()
            }
            let outcome = await work.result
            stopping.cancel()
            watching.cancel()
            await watching.value
            await server?.shutdown(drainSeconds: 1)
            report(await scorer.status())
            try outcome.get()
        } catch {
            await streams.close()
            throw error
        }
        await streams.close()
    }

    /// A model of files, named after them; its version is the beginning of their digest.
    static func load(_ path: String) async throws -> StreamModel {
        try await BlockingThread(name: "model").run {
            let model = try ModelFolder.load(at: path)
            return StreamModel(
                name: URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent,
                version: try ModelFolder.digest(at: path).short, model: model)
        }
    }

    private static func serve(_ metrics: MetricsRegistry, port: Int, _ logger: Logger) throws -> HTTPServer {
        let router = Router(log: logger)
        OperatorRoutes(metrics: metrics).install(on: router)
        let server = HTTPServer(
            configuration: HTTPServerConfiguration(host: "127.0.0.1", port: port), router: router, log: logger,
            metrics: metrics)
        try server.start()
        return server
    }
}
