import Basics
import Foundation
import Telemetry
import Works

struct UpCommand: Command {
    let usage = Usage(
        name: "up", summary: "Serve everything on one HTTP port", positionals: ["[DIRECTORY]"],
        options: [
            .init(name: "host", value: "HOST", help: "address to listen on (default 127.0.0.1)"),
            .init(name: "http-port", value: "PORT", help: "port to listen on, 0 for any free one (default 5000)"),
            .init(name: "threads", value: "N", help: "network threads (default 2)"),
            .init(name: "log-level", value: "LEVEL", help: "debug, info, warning or error (default warning)"),
        ], example: "modelworks up Examples/flights --root /var/lib/modelworks --http-port 5000")

    func run(_ arguments: Arguments, _ context: Context) async throws -> Output {
        let port = try arguments.integer("http-port", default: 5000, in: 0...65_535)
        let threads = try arguments.integer("threads", default: 2, in: 1...64)
        let level = arguments.option("log-level") ?? "warning"
        guard let logLevel = LogLevel(level) else {
            throw UsageError("'--log-level' must be debug, info, warning or error")
        }
        let json = arguments.flag("json")
        // Taken before anything is opened, so that a signal during start ends in a drain too.
        let stop = StopSignal()
        var options = context.works(arguments)
        options.threads = threads
        options.logLevel = logLevel
        if let directory = arguments.positional(0) {
            let manifest = "\(context.absolute(directory))/works.yaml"
            guard let text = FileManager.default.contents(atPath: manifest) else {
                throw CommandFailure(.notFound, "there is no \(manifest)", remedy: "Name a factory directory.")
            }
            options.stores = options.stores.over(
                try StoreAddresses(manifest: String(decoding: text, as: UTF8.self)))
        }
        let works = try await Works.open(options)
        try await works.serve(
            host: arguments.option("host") ?? "127.0.0.1", port: port,
            ready: { url in
                say(json ? "{\"url\":\"\(url)\"}" : "Modelworks is ready at \(url)")
            }, until: { await stop.wait() })
        return Output(document: ["stopped": true], text: "Stopped.")
    }
}

/// SIGTERM or SIGINT, waited for.
final class StopSignal: @unchecked Sendable {
    private let stream: AsyncStream<Void>
    /// Kept so that they go on; never touched again.
    private let sources: [any DispatchSourceSignal]

    init() {
        let (stream, continuation) = AsyncStream<Void>.makeStream()
        self.stream = stream
        signal(SIGPIPE, SIG_IGN)
        sources = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { continuation.yield() }
            source.resume()
            return source
        }
    }

    func wait() async {
        for await _ in stream { return }
    }
}
