import Basics

/// Writes JSON lines: `time`, `level`, `message`, the request id where there is one, the fields of the logger, and
/// those of the line. A value to pass along; `with` makes one that knows more.
public struct Logger: Sendable {
    private let sink: LogSink
    private let time: any TimeSource
    private var context: [(key: String, value: JSONValue)] = []
    private var request: String?

    /// Lines below this level are dropped, and their message is never built.
    public var level: LogLevel

    public init(sink: LogSink, level: LogLevel = .info, time: any TimeSource) {
        self.sink = sink
        self.level = level
        self.time = time
    }

    /// A logger that drops everything.
    public static var silent: Logger { Logger(sink: .none(), level: .error, time: SystemTime()) }

    /// The same logger with fields that stand in each of its lines.
    public func with(_ fields: [String: JSONValue]) -> Logger {
        var copy = self
        copy.context.removeAll { fields.keys.contains($0.key) }
        copy.context += fields.sorted { $0.key < $1.key }
        return copy
    }

    /// The same logger with a request id in each of its lines.
    public func with(requestID: String) -> Logger {
        var copy = self
        copy.request = requestID
        return copy
    }

    public func debug(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> [String: JSONValue] = [:]) {
        log(.debug, message(), fields())
    }

    public func info(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> [String: JSONValue] = [:]) {
        log(.info, message(), fields())
    }

    public func warning(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> [String: JSONValue] = [:]) {
        log(.warning, message(), fields())
    }

    public func error(_ message: @autoclosure () -> String, _ fields: @autoclosure () -> [String: JSONValue] = [:]) {
        log(.error, message(), fields())
    }

    /// Writes one line when `level` is high enough.
    public func log(
        _ level: LogLevel, _ message: @autoclosure () -> String, _ fields: @autoclosure () -> [String: JSONValue] = [:]
    ) {
        guard level >= self.level else { return }
        var line = LogLine()
        line.add("time", time.now.description)
        line.add("level", level.name)
        line.add("message", message())
        if let request { line.add("request_id", request) }
        let own = fields()
        // A name may stand once only; what the line itself says is nearer than its context.
        for field in context where own[field.key] == nil && !Logger.reserved.contains(field.key) {
            line.add(field.key, field.value)
        }
        for field in own.sorted(by: { $0.key < $1.key }) {
            line.add(Logger.reserved.contains(field.key) ? "field_\(field.key)" : field.key, field.value)
        }
        sink.append(line.finish())
    }

    /// Returns when all lines logged so far have been written.
    public func flush() { sink.flush() }

    private static let reserved: Set<String> = ["time", "level", "message", "request_id"]
}
