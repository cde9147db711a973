import Basics
internal import CTransport
import Telemetry

/// What the loops of a server call: inline routes in place, all others as tasks that start at once on the loop thread.
final class ServerCore: Sendable {
    private let router: Router
    private let table: RouteTable
    private let inline: [(route: InlineRoute, handles: AccessMetrics.InlineHandles)]
    private let metrics: AccessMetrics
    private let log: Logger
    private let random: any RandomSource
    let receiver: (any HTTP2Receiver)?

    init(
        router: Router, receiver: (any HTTP2Receiver)?, metrics: AccessMetrics, log: Logger, random: any RandomSource
    ) {
        self.receiver = receiver
        self.router = router
        table = router.table
        inline = table.inline.map { ($0, metrics.handles(for: $0)) }
        self.metrics = metrics
        self.log = log
        self.random = random
    }

    static func receiver(_ context: UnsafeMutableRawPointer?) -> (any HTTP2Receiver)? {
        context.flatMap { Unmanaged<ServerCore>.fromOpaque($0).takeUnretainedValue().receiver }
    }

    func refused(status: Int) { metrics.refused(status: status) }

    /// Whether the handler of a request takes its body piece by piece.
    func takesPieces(_ pointer: OpaquePointer) -> Bool {
        guard let method = HTTPMethod(rawValue: String(mw_exchange_method(pointer))),
            let target = try? RequestTarget(UnsafeRawBufferPointer(mw_exchange_target(pointer))),
            case .found(let match) = table.find(method, target.segments)
        else { return false }
        return match.endpoint.takesPieces
    }

    func handle(_ pointer: OpaquePointer) {
        let start = SystemTime.monotonicNanoseconds
        if answerInline(pointer, start: start) { return }
        let exchange = Exchange(pointer: pointer)
        let (request, problem) = exchange.request(random: random)
        if let problem { return fail(exchange, request, problem, start: start) }
        dispatch(exchange, request, start: start)
    }

    private func dispatch(_ exchange: Exchange, _ request: HTTPRequest, start: UInt64) {
        let outcome = table.find(request.method, request.segments)
        var executor: LoopExecutor?
        if case .found(let match) = outcome, match.endpoint.isBrief { executor = LoopExecutor(of: exchange) }
        Task.immediate(executorPreference: executor) {
            let (response, route) = await self.router.dispatch(request, to: outcome, in: self.table)
            await self.send(response, of: route, to: exchange, request, start: start)
        }
    }

    private func fail(_ exchange: Exchange, _ request: HTTPRequest, _ error: any Error, start: UInt64) {
        Task.immediate {
            await self.send(
                self.router.onError(error, request), of: "unmatched", to: exchange, request, start: start)
        }
    }

    private func answerInline(_ pointer: OpaquePointer, start: UInt64) -> Bool {
        guard !inline.isEmpty else { return false }
        let target = UnsafeRawBufferPointer(mw_exchange_target(pointer))
        let method = UnsafeRawBufferPointer(mw_exchange_method(pointer))
        let end = target.firstIndex(of: UInt8(ascii: "?")) ?? target.count
        let path = UnsafeRawBufferPointer(rebasing: target[..<end])
        var taken = false
        for (index, entry) in inline.enumerated() where method.elementsEqual(entry.route.methodName) {
            guard let places = entry.route.match(path) else { continue }
            let query = UnsafeRawBufferPointer(rebasing: target[min(end + 1, target.count)...])
            return withUnsafeMutablePointer(to: &taken) { taken in
                let view = InlineExchange(
                    exchange: pointer, path: path, query: query, places: places, core: self, route: index,
                    start: start, taken: taken)
                if let access = table.access, entry.route.need != .nothing {
                    let name = entry.route.resource.map { view.parameter($0) }
                    switch access.verdict(on: view.credentials, for: entry.route.need, resource: name) {
                    case .allowed: break
                    case .refused(let error):
                        refuse(Exchange(pointer: pointer), error, start: start)
                        return true
                    case .unknown:
                        var resource: String?
                        if let place = entry.route.resource { resource = view.parameterText(place) }
                        admit(pointer, index, resource: resource, access, start: start)
                        return true
                    }
                }
                return run(index, view, pointer, start: start, taken: taken)
            }
        }
        return false
    }

    private func run(
        _ index: Int, _ view: borrowing InlineExchange, _ pointer: OpaquePointer, start: UInt64,
        taken: UnsafePointer<Bool>
    ) -> Bool {
        let done = inline[index].route.handler(view)
        // Whoever has taken the request may have answered it by now, on another thread.
        if taken.pointee { return true }
        if !view.hasReplied {
            guard done else { return false }
            log.error(
                "an inline handler left a request without a reply",
                ["route": .string(inline[index].route.pattern.text)])
            view.reply(.internalServerError, contentType: "", UnsafeRawBufferPointer(start: nil, count: 0))
        }
        record(index, HTTPStatus(Int(mw_exchange_status(pointer))), start: start)
        return true
    }

    /// Counts an answer of an inline route.
    func record(_ index: Int, _ status: HTTPStatus, start: UInt64) {
        let elapsed = SystemTime.monotonicNanoseconds &- start
        let entry = inline[index]
        if status == .ok {
            entry.handles.succeeded.increment()
            entry.handles.seconds.observe(nanoseconds: elapsed)
        } else {
            metrics.record(
                entry.route.method, route: entry.route.pattern.text, status: status, nanoseconds: elapsed)
        }
    }

    /// Finds out who asks away from the loop, then goes on there.
    private func admit(
        _ pointer: OpaquePointer, _ index: Int, resource: String?, _ access: any AccessGuard, start: UInt64
    ) {
        let route = inline[index].route
        let exchange = Exchange(pointer: pointer)
        let (request, problem) = exchange.request(random: random, withBody: false)
        Task.immediate {
            do {
                if let problem { throw problem }
                let caller = try await access.admit(RequestCredentials(request))
                try caller.require(route.need, on: resource)
            } catch {
                self.fail(exchange, request, error, start: start)
                return
            }
            exchange.onLoop {
                let target = UnsafeRawBufferPointer(mw_exchange_target(exchange.pointer))
                let end = target.firstIndex(of: UInt8(ascii: "?")) ?? target.count
                let path = UnsafeRawBufferPointer(rebasing: target[..<end])
                if let places = route.match(path) {
                    let query = UnsafeRawBufferPointer(rebasing: target[min(end + 1, target.count)...])
                    var taken = false
                    let isDone = withUnsafeMutablePointer(to: &taken) { taken in
                        let view = InlineExchange(
                            exchange: exchange.pointer, path: path, query: query, places: places, core: self,
                            route: index, start: start, taken: taken)
                        return self.run(index, view, exchange.pointer, start: start, taken: taken)
                    }
                    if isDone { return }
                }
                let (request, problem) = exchange.request(random: self.random)
                if let problem { return self.fail(exchange, request, problem, start: start) }
                self.dispatch(exchange, request, start: start)
            }
        }
    }

    private func refuse(_ exchange: Exchange, _ error: any Error, start: UInt64) {
        let (request, problem) = exchange.request(random: random, withBody: false)
        fail(exchange, request, problem ?? error, start: start)
    }

    private func send(
        _ response: HTTPResponse, of route: String, to exchange: Exchange, _ request: HTTPRequest, start: UInt64
    ) async {
        var response = response
        request.source?.close()
        if response.headers["X-Request-Id"] == nil { response.headers.add("X-Request-Id", request.requestID) }
        let lines = response.headers.lines(leavingOut: HTTPHeaders.transportOwned)
        var broken: (any Error)?
        switch response.body {
        case .bytes(let bytes): exchange.reply(response.status, lines: lines, body: bytes)
        case .stream(let write):
            let isHead = request.method == .head
            broken = await exchange.stream(response.status, lines: lines) { if !isHead { try await write($0) } }
        }
        let elapsed = SystemTime.monotonicNanoseconds &- start
        metrics.record(request.method, route: route, status: response.status, nanoseconds: elapsed)
        if let broken, !(broken is CancellationError), (broken as? HTTPFailure) != .peerGone {
            log.with(requestID: request.requestID).error(
                "a streamed answer was cut short", ["path": .string(request.path), "error": .string("\(broken)")])
        }
        log.with(requestID: request.requestID).debug(
            "request",
            [
                "method": .string(request.method.rawValue), "path": .string(request.path), "route": .string(route),
                "status": .integer(Int64(response.status.code)), "microseconds": .integer(Int64(elapsed / 1000)),
                "remote": .string(request.remoteAddress),
            ])
    }
}
