import Basics
import Foundation
import GRPC
import HTTP
import Telemetry

/// A server that echoes, by HTTP/1.1 and by gRPC in every way that a handler may answer, for load tools.
///
/// It prints its two ports and runs until its input ends, then prints the processor seconds it has used. Measured like so:
///
///     h2load -n 400000 -c 8 -m 16 -d message -H 'content-type: application/grpc' -H 'te: trailers' \
///         http://127.0.0.1:PORT/bench.Echo/Inline
@main struct Calls {
    static func main() async throws {
        let router = Router()
        router.inline(.post, "/echo") { exchange in
            exchange.reply(.ok, contentType: "application/octet-stream", exchange.body)
            return true
        }
        let calls = GRPCRouter()
        calls.inline("/bench.Echo/Inline") { call in
            call.reply(call.message)
            return true
        }
        calls.inline("/bench.Echo/Later") { call in
            let message = [UInt8](call.message)
            let pending = call.later()
            pending.reply(message)
            return true
        }
        calls.unary("/bench.Echo/Unary") { $0.message }
        calls.stream("/bench.Echo/Stream") { stream in
            while let message = try await stream.next() { try await stream.send(message) }
        }
        var configuration = HTTPServerConfiguration()
        configuration.http2Port = 0
        configuration.threads = Int(ProcessInfo.processInfo.environment["THREADS"] ?? "1") ?? 1
        let server = HTTPServer(
            configuration: configuration, router: router, calls: calls, log: .silent, metrics: MetricsRegistry())
        let port = try server.start()
        print(port, server.http2Port ?? 0)
        fflush(nil)
        let before = processorSeconds
        while readLine() != nil {
            print(processorSeconds - before)
            fflush(nil)
        }
        await server.shutdown(drainSeconds: 1)
    }

    private static var processorSeconds: Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        return seconds(usage.ru_utime) + seconds(usage.ru_stime)
    }
}
