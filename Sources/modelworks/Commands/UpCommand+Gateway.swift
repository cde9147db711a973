import Basics
import Configuration
import Foundation
import Security
import Telemetry
import Works

extension UpCommand {
    static let gatewayOptions: [Usage.Option] = [
        .init(name: "api-keys", value: "FILE", help: "with --models: let in who has a key of 'modelworks api-key'"),
        .init(name: "jwt-jwks", value: "FILE", help: "take JSON Web Tokens signed by these keys; read again on change"),
        .init(name: "jwt-issuer", value: "ISS", help: "what 'iss' of such a token must be"),
        .init(name: "jwt-audience", value: "AUD", help: "what must be among its 'aud'"),
        .init(name: "jwt-roles-claim", value: "NAME", help: "the claim that holds its roles (default roles)"),
        .init(
            name: "rate-limit", value: "KEY=RATE[/BURST]",
            help: "predictions a second for all, principal, model or principal+model; may be given several times"),
        .init(name: "max-body", value: "SIZE", help: "longest body of a request that is taken whole (default 64MiB)"),
        .init(name: "request-timeout", value: "TIME", help: "answer 504 after so long, such as 30s (default: never)"),
        .init(
            name: "cors-origins", value: "A,B", help: "web pages that may read answers, such as https://shop.example"),
        .init(name: "access-log", value: "FILE", help: "a line for each request, - for the standard output"),
        .init(name: "access-log-format", value: "json|combined", help: "how a line looks (default json)"),
        .init(name: "access-log-max-size", value: "SIZE", help: "move the file to FILE.1 when it has grown to this"),
        .init(name: "otlp", value: "URL", help: "hand traces to an OpenTelemetry receiver, as http://127.0.0.1:4318"),
        .init(name: "trace-share", value: "SHARE", help: "of requests whose caller is not traced (default 1%)"),
    ]

    /// What the options say, over what the `works.yaml` of a factory directory does.
    /// - Parameter directory: nil where there is none.
    func gateway(_ arguments: Arguments, _ context: Context, definedIn directory: String?) throws -> GatewayOptions {
        var options = GatewayOptions()
        if let directory, let bytes = FileManager.default.contents(atPath: "\(directory)/works.yaml") {
            options = try GatewayOptions(manifest: String(decoding: bytes, as: UTF8.self))
        }
        let limits = arguments.all("rate-limit")
        if !limits.isEmpty { options.limits = try limits.map { try RateLimit($0) } }
        if let origins = arguments.list("cors-origins") { options.crossOrigins = origins }
        if arguments.flag("max-body") { options.bodyBytesMax = try size(arguments, "max-body") }
        if let text = arguments.option("request-timeout") {
            guard let seconds = ConfigurationMapping.seconds(of: text), (1...86_400).contains(seconds) else {
                throw UsageError("'--request-timeout' must be a time from 1s to 1d, such as 30s")
            }
            options.answerSeconds = Double(seconds)
        }
        try readLog(arguments, context, into: &options)
        options.tracesURL = arguments.option("otlp") ?? options.tracesURL
        if let text = arguments.option("trace-share") {
            guard options.tracesURL != nil else { throw UsageError("'--trace-share' goes with '--otlp'") }
            guard let share = ConfigurationMapping.share(of: text) else {
                throw UsageError("'--trace-share' must be a share such as 5% or 0.05")
            }
            options.traceShare = share
        }
        options.keysPath = arguments.option("api-keys").map(context.absolute)
        let names = ["jwt-jwks", "jwt-issuer", "jwt-audience"]
        if names.contains(where: arguments.flag) || arguments.flag("jwt-roles-claim") {
            // A token says itself whom it is by and for; who does not compare takes those meant for others.
            guard let file = arguments.option("jwt-jwks"), let issuer = arguments.option("jwt-issuer"),
                let audience = arguments.option("jwt-audience")
            else { throw UsageError("'--jwt-jwks', '--jwt-issuer' and '--jwt-audience' go together") }
            options.webTokens = WebTokenOptions(
                keysPath: context.absolute(file), issuer: issuer, audience: audience,
                rolesClaim: arguments.option("jwt-roles-claim") ?? "roles")
        }
        return options
    }

    private func readLog(_ arguments: Arguments, _ context: Context, into options: inout GatewayOptions) throws {
        if let path = arguments.option("access-log") {
            options.accessLog = GatewayOptions.AccessLogOptions(path: path)
        }
        guard var log = options.accessLog else {
            for name in ["access-log-format", "access-log-max-size"] where arguments.flag(name) {
                throw UsageError("'--\(name)' goes with '--access-log'")
            }
            return
        }
        if log.path != "-" { log.path = context.absolute(log.path) }
        if let word = arguments.option("access-log-format") {
            guard let format = AccessLog.Format(rawValue: word) else {
                throw UsageError("'--access-log-format' must be json or combined")
            }
            log.format = format
        }
        if arguments.flag("access-log-max-size") { log.bytesMax = try size(arguments, "access-log-max-size") }
        options.accessLog = log
    }

    private func size(_ arguments: Arguments, _ name: String) throws -> Int {
        guard let bytes = arguments.option(name).flatMap(ConfigurationMapping.bytes(of:)).flatMap({ Int(exactly: $0) }),
            bytes > 0
        else { throw UsageError("'--\(name)' must be a size such as 512KiB or 64MiB") }
        return bytes
    }
}
