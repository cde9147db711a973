import Basics
import Configuration
import Security
import Telemetry

/// What a server does with requests before and after they are answered.
public struct GatewayOptions: Sendable {
    /// Where a line for each request goes.
    public struct AccessLogOptions: Sendable {
        /// A file, or `-` for the standard output.
        public var path: String
        public var format = AccessLog.Format.json
        /// A file of so many bytes is moved away; nil for any size.
        public var bytesMax: Int?

        public init(path: String) { self.path = path }
    }

    /// How often predictions may be asked for.
    public var limits: [RateLimit] = []
    /// Origins of web pages that may read answers in a browser.
    public var crossOrigins: [String] = []
    /// The longest body that is taken whole; nil for the standard.
    public var bodyBytesMax: Int?
    /// Seconds until a request that is not answered gets 504; nil for any time.
    public var answerSeconds: Double?
    /// Nil for none.
    public var accessLog: AccessLogOptions?
    /// The base URL of a receiver of traces by OTLP over HTTP, such as `http://127.0.0.1:4318`; nil for none.
    public var tracesURL: String?
    /// The share of requests that are traced where the caller does not say.
    public var traceShare = 0.01
    /// A file of API keys, for servers without a factory.
    public var keysPath: String?
    /// Whose signed tokens are taken; nil for nobody's.
    public var webTokens: WebTokenOptions?

    public init() {}

    /// Whether callers can prove who they are without a factory.
    public var knowsCallers: Bool { keysPath != nil || webTokens != nil }

    /// The `gateway` of a `works.yaml`.
    /// - Throws: `ConfigurationFailure`.
    public init(manifest text: String) throws {
        let file = FactoryDocuments.manifestName
        guard let manifest = try YAMLParser.parse(text, file: file).first,
            let node = try manifest.mapping().node("gateway")
        else { return }
        let map = try node.mapping(allowing: [
            "limits", "cors_origins", "max_body", "request_timeout", "access_log", "access_log_format",
            "access_log_max_size", "otlp", "trace_share",
        ])
        limits = try Self.limits(map, "limits")
        crossOrigins = try map.strings("cors_origins", default: [])
        if map.node("max_body") != nil { bodyBytesMax = Int(clamping: try map.bytes("max_body")) }
        answerSeconds = try map.optionalSeconds("request_timeout").map(Double.init)
        tracesURL = try map.optionalString("otlp")
        traceShare = try map.share("trace_share", default: traceShare)
        guard let path = try map.optionalString("access_log") else { return }
        var log = AccessLogOptions(path: path)
        log.format = try map.choice("access_log_format", default: .json)
        if map.node("access_log_max_size") != nil { log.bytesMax = Int(clamping: try map.bytes("access_log_max_size")) }
        accessLog = log
    }

    private static func limits(_ map: ConfigurationMapping, _ key: String) throws -> [RateLimit] {
        let place = map.node(key)?.place ?? map.place
        return try map.strings(key, default: []).map { text in
            do throws(AccessFailure) { return try RateLimit(text) } catch {
                throw ConfigurationFailure(place, error.message, remedy: error.remedy)
            }
        }
    }
}
