import Basics
import Foundation
import GRPC
import HTTP
import Synchronization
import Telemetry

/// A server on free ports with the methods that the tests ask for.
final class CallFixture: Sendable {
    let server: HTTPServer
    let calls: GRPCRouter
    let metrics = MetricsRegistry()
    let port: Int
    let httpPort: Int
    let cancelled = Atomic<Int>(0)
    let started = Atomic<Int>(0)
    let sent = Atomic<Int>(0)
    private let worker = DispatchQueue(label: "worker")

    init(
        limits: GRPCLimits = GRPCLimits(), access: (any AccessGuard)? = nil,
        _ adjust: (inout HTTPServerConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = HTTPServerConfiguration()
        configuration.http2Port = 0
        adjust(&configuration)
        calls = GRPCRouter(limits: limits)
        let router = Router()
        router.get("/hello") { _ in .text("hello") }
        server = HTTPServer(
            configuration: configuration, router: router, calls: calls, log: .silent, metrics: metrics)
        if let access { calls.protect(with: access) }
        let box = Box()
        CallFixture.install(on: calls, box, worker)
        httpPort = try server.start()
        port = server.http2Port ?? 0
        box.fixture = self
    }

    private static func install(on calls: GRPCRouter, _ box: Box, _ worker: DispatchQueue) {
        let nothing = RouteNeed.nothing
        calls.inline("/test.Echo/Inline", needs: nothing) { call in
            call.reply(call.message)
            return true
        }
        calls.inline("/test.Echo/Later", needs: nothing) { call in
            let message = [UInt8](call.message)
            let pending = call.later()
            worker.async { pending.reply(message) }
            return true
        }
        calls.inline("/test.Echo/Dropped", needs: nothing) { call in
            _ = call.later()
            return true
        }
        calls.inline("/test.Echo/Unary", needs: nothing) { _ in false }
        calls.unary("/test.Echo/Unary", needs: nothing) { $0.message }
        calls.unary("/test.Echo/Wait", needs: nothing) { _ in
            box.fixture?.started.add(1, ordering: .relaxed)
            do {
                try await Task.sleep(for: .seconds(600))
            } catch {
                box.fixture?.cancelled.add(1, ordering: .relaxed)
                throw error
            }
            return []
        }
        calls.unary("/test.Echo/Fail", needs: nothing) { request in
            let text = String(decoding: request.message, as: UTF8.self)
            if let code = FailureCode(rawValue: text) { throw Planned(code: code) }
            if let number = Int(text), let code = GRPCStatus.Code(rawValue: number) {
                throw GRPCStatus(code, "100 % wrong: ä\n")
            }
            throw CocoaError(.fileNoSuchFile)
        }
        calls.unary("/test.Echo/Metadata", needs: nothing) { request in
            let binary = request.metadata.binary("token-bin") ?? []
            return Array("\(request.metadata["word"] ?? "-") \(binary) \(request.remoteAddress)".utf8)
        }
        calls.unary("/test.Echo/Guarded", needs: .action("read")) { Array("\($0.caller?.name ?? "-")".utf8) }
        calls.inline("/test.Echo/Named", needs: .action("read", onSome: "model")) { call in
            do {
                try call.require(.action("read", onSome: "model"), on: call.message)
                call.reply(call.message)
            } catch {
                call.fail(error)
            }
            return true
        }
        calls.stream("/test.Echo/Stream", needs: nothing) { stream in
            while let message = try await stream.next() { try await stream.send(message) }
        }
        calls.stream("/test.Echo/Slow", needs: nothing) { stream in
            var count = 0
            while let message = try await stream.next() {
                count += message.count
                try await Task.sleep(for: .milliseconds(1))
            }
            try await stream.send(Array("\(count)".utf8))
        }
        calls.stream("/test.Echo/Endless", needs: nothing) { stream in
            defer { box.fixture?.cancelled.add(1, ordering: .relaxed) }
            box.fixture?.started.add(1, ordering: .relaxed)
            while true {
                try await stream.send([UInt8](repeating: 120, count: 10_000))
                box.fixture?.sent.add(10_000, ordering: .relaxed)
            }
        }
        calls.stream("/test.Echo/Silent", needs: nothing) { stream in
            box.fixture?.started.add(1, ordering: .relaxed)
            defer { box.fixture?.cancelled.add(1, ordering: .relaxed) }
            while try await stream.next() != nil {}
            throw GRPCStatus(.aborted, "after the end")
        }
    }

    /// How many calls of a method have ended so.
    func count(_ method: String, _ code: String) -> Double {
        let line = metrics.prometheusText().split(separator: "\n").first {
            $0.hasPrefix("modelworks_grpc_calls_total{") && $0.contains("\"\(method)\"") && $0.contains("\"\(code)\"")
        }
        return line?.split(separator: " ").last.flatMap { Double($0) } ?? 0
    }

    struct Planned: Failure {
        let code: FailureCode
        var message: String { "it went wrong as planned" }
        var remedy: String? { "Plan better" }
    }

    private final class Box: @unchecked Sendable {
        weak var fixture: CallFixture?
    }
}

/// Waits for a condition that another thread brings about.
func eventually(seconds: Double = 10, _ condition: () -> Bool) async -> Bool {
    let clock = ContinuousClock()
    let end = clock.now + .seconds(seconds)
    while clock.now < end {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(2))
    }
    return condition()
}
