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
    private let crossOrigins: CrossOrigins?
    private let observer: (any RequestObserver)?
    private let answerTimeout: Double?
    let receiver: (any HTTP2Receiver)?

    init(
        router: Router, receiver: (any HTTP2Receiver)?, configuration: HTTPServerConfiguration,
        metrics: AccessMetrics, log: Logger, random: any RandomSource
    ) {
        crossOrigins = configuration.crossOrigins
        observer = configuration.observer
        answerTimeout = configuration.answerTimeout
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
        let exchange = Exchange(pointer: pointer)
        exchange.takeID()
        // Who is told of a request must find its id in the answer.
        if observer != nil { _ = exchange.named(random: random) }
        if let crossOrigins, answerPreflight(exchange, crossOrigins, start: start) { return }
        var isAdmitted = false
        if answerInline(pointer, start: start, isAdmitted: &isAdmitted) { return }
        let (request, problem) = exchange.request(random: random)
        if let problem { return fail(exchange, request, problem, start: start) }
        dispatch(exchange, request, start: start, isAdmitted: isAdmitted)
    }

    /// - Parameter isAdmitted: whether an inline route of the same path has let the caller in.
    private func dispatch(_ exchange: Exchange, _ request: HTTPRequest, start: UInt64, isAdmitted: Bool = false) {
        let outcome = table.find(request.method, request.segments)
        var executor: LoopExecutor?
        if case .found(let match) = outcome, match.endpoint.isBrief { executor = LoopExecutor(of: exchange) }
        Task.immediate(executorPreference: executor) {
            let (response, route, principal) = await self.answer(request, outcome, isAdmitted: isAdmitted)
            await self.send(response, of: route, to: exchange, request, principal: principal, start: start)
        }
    }

    /// What the router answers, or that it takes too long.
    private func answer(
        _ request: HTTPRequest, _ outcome: RouteTable.Outcome, isAdmitted: Bool
    ) async -> (response: HTTPResponse, route: String, principal: String?) {
        guard let answerTimeout else {
            return await router.dispatch(request, to: outcome, in: table, isAdmitted: isAdmitted)
        }
        let (router, table) = (router, table)
        return await FirstAnswer.of {
            await router.dispatch(request, to: outcome, in: table, isAdmitted: isAdmitted)
        } orAfter: {
            try? await Task.sleep(for: .seconds(answerTimeout))
            let response = router.onError(HTTPFailure.tooSlow(seconds: answerTimeout), request)
            guard case .found(let match) = outcome else { return (response, "unmatched", nil) }
            return (response, match.endpoint.pattern.text, nil)
        }
    }

    /// Answers the question of a browser whether a page may send a request, and says in other answers who may read them.
    private func answerPreflight(_ exchange: Exchange, _ crossOrigins: CrossOrigins, start: UInt64) -> Bool {
        let origin = exchange.header("origin")
        let isPreflight =
            origin != nil && exchange.header("access-control-request-method") != nil
            && UnsafeRawBufferPointer(mw_exchange_method(exchange.pointer)).elementsEqual("OPTIONS".utf8)
        let lines = crossOrigins.lines(
            for: origin, requested: exchange.header("access-control-request-headers"), isPreflight: isPreflight)
        guard isPreflight else {
            exchange.add(lines: lines)
            return false
        }
        let note = note(exchange.pointer, start: start, principal: nil)
        exchange.reply(.noContent, lines: lines, body: [])
        let elapsed = SystemTime.monotonicNanoseconds &- start
        metrics.record(.options, route: "preflight", status: .noContent, nanoseconds: elapsed)
        tell(note, .noContent, bytes: 0, nanoseconds: elapsed)
        return true
    }

    // MARK: Who is told

    /// What is known of a request before it is answered; nil where nobody wants to know.
    func note(_ pointer: OpaquePointer, start: UInt64, principal: String?) -> RequestRecord? {
        guard observer != nil else { return nil }
        let exchange = Exchange(pointer: pointer)
        let target = UnsafeRawBufferPointer(mw_exchange_target(pointer))
        let path = target.prefix { $0 != UInt8(ascii: "?") }.prefix(RequestRecord.pathMax)
        var record = RequestRecord(
            scheme: "HTTP/1.1", method: String(mw_exchange_method(pointer)),
            path: String(decoding: path, as: UTF8.self), remote: String(mw_exchange_remote(pointer)),
            requestID: exchange.named(random: random), start: start)
        record.principal = principal
        record.agent = exchange.header("user-agent").map { String(decoding: $0.prefix(256), as: UTF8.self) }
        record.trace = exchange.header("traceparent").map { String(decoding: $0.prefix(128), as: UTF8.self) }
        return record
    }

    private func tell(
        _ note: RequestRecord?, _ status: HTTPStatus, route: String = "", bytes: Int?, nanoseconds: UInt64
    ) {
        guard var record = note, let observer else { return }
        record.status = status.code
        record.route = route
        record.bytes = bytes
        record.nanoseconds = nanoseconds
        observer.ended(record)
    }

    private func fail(_ exchange: Exchange, _ request: HTTPRequest, _ error: any Error, start: UInt64) {
        Task.immediate {
            await self.send(
                self.router.onError(error, request), of: "unmatched", to: exchange, request, start: start)
        }
    }

    /// - Parameter isAdmitted: set where a route has let the caller in, whoever answers.
    private func answerInline(_ pointer: OpaquePointer, start: UInt64, isAdmitted: inout Bool) -> Bool {
        guard !inline.isEmpty else { return false }
        let target = UnsafeRawBufferPointer(mw_exchange_target(pointer))
        let method = UnsafeRawBufferPointer(mw_exchange_method(pointer))
        let end = target.firstIndex(of: UInt8(ascii: "?")) ?? target.count
        let path = UnsafeRawBufferPointer(rebasing: target[..<end])
        var taken = false
        var principal: String?
        for index in inline.indices {
            let route = inline[index].route
            guard method.elementsEqual(route.methodName), let places = route.match(path) else { continue }
            let query = UnsafeRawBufferPointer(rebasing: target[min(end + 1, target.count)...])
            return withUnsafeMutablePointer(to: &taken) { taken in
                var view = InlineExchange(
                    exchange: pointer, path: path, query: query, places: places, core: self, route: index,
                    start: start, taken: taken)
                if let access = table.access, route.need != .nothing {
                    let name = route.resource.map { view.parameter($0) }
                    switch access.verdict(on: view.credentials, for: route.need, resource: name) {
                    case .allowed(let name):
                        principal = name
                        isAdmitted = true
                    case .refused(let error):
                        refuse(Exchange(pointer: pointer), error, start: start)
                        return true
                    case .unknown:
                        var resource: String?
                        if let place = route.resource { resource = view.parameterText(place) }
                        admit(pointer, index, resource: resource, access, start: start)
                        return true
                    }
                }
                view.principal = principal
                return run(index, view, pointer, start: start, taken: taken)
            }
        }
        return false
    }

    private func run(
        _ index: Int, _ view: borrowing InlineExchange, _ pointer: OpaquePointer, start: UInt64,
        taken: UnsafePointer<Bool>
    ) -> Bool {
        let note = note(pointer, start: start, principal: view.principal)
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
        record(
            index, HTTPStatus(Int(mw_exchange_status(pointer))), bytes: mw_exchange_size(pointer), start: start, note)
        return true
    }

    /// Counts an answer of an inline route, and tells of it.
    func record(_ index: Int, _ status: HTTPStatus, bytes: Int, start: UInt64, _ note: RequestRecord?) {
        let elapsed = SystemTime.monotonicNanoseconds &- start
        let entry = inline[index]
        if status == .ok {
            entry.handles.succeeded.increment()
            entry.handles.seconds.observe(nanoseconds: elapsed)
        } else {
            metrics.record(
                entry.route.method, route: entry.route.pattern.text, status: status, nanoseconds: elapsed)
        }
        tell(note, status, route: entry.route.pattern.text, bytes: bytes, nanoseconds: elapsed)
    }

    /// Finds out who asks away from the loop, then goes on there.
    private func admit(
        _ pointer: OpaquePointer, _ index: Int, resource: String?, _ access: any AccessGuard, start: UInt64
    ) {
        let route = inline[index].route
        let exchange = Exchange(pointer: pointer)
        let (request, problem) = exchange.request(random: random, withBody: false)
        Task.immediate {
            let principal: String
            do {
                if let problem { throw problem }
                let caller = try await access.admit(RequestCredentials(request))
                try caller.require(route.need, on: resource)
                principal = caller.name
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
                            route: index, start: start, taken: taken, principal: principal)
                        return self.run(index, view, exchange.pointer, start: start, taken: taken)
                    }
                    if isDone { return }
                }
                let (request, problem) = exchange.request(random: self.random)
                if let problem { return self.fail(exchange, request, problem, start: start) }
                self.dispatch(exchange, request, start: start, isAdmitted: true)
            }
        }
    }

    private func refuse(_ exchange: Exchange, _ error: any Error, start: UInt64) {
        let (request, problem) = exchange.request(random: random, withBody: false)
        fail(exchange, request, problem ?? error, start: start)
    }

    private func send(
        _ response: HTTPResponse, of route: String, to exchange: Exchange, _ request: HTTPRequest,
        principal: String? = nil, start: UInt64
    ) async {
        request.source?.close()
        let note = note(exchange.pointer, start: start, principal: principal)
        var bytes: Int?
        let lines = response.headers.lines(leavingOut: HTTPHeaders.transportOwned)
        var broken: (any Error)?
        switch response.body {
        case .bytes(let body):
            bytes = body.count
            exchange.reply(response.status, lines: lines, body: body)
        case .stream(let write):
            let isHead = request.method == .head
            broken = await exchange.stream(response.status, lines: lines) { if !isHead { try await write($0) } }
        }
        let elapsed = SystemTime.monotonicNanoseconds &- start
        metrics.record(request.method, route: route, status: response.status, nanoseconds: elapsed)
        tell(note, response.status, route: route, bytes: bytes, nanoseconds: elapsed)
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
