import Basics
internal import CTransport
import HTTP
import Telemetry

/// What the loops of a server call for every call: it finds the method, takes its message and hands it over.
final class GRPCCore: HTTP2Receiver {
    /// What is kept in the tag of a call: the place of its method, counted from 1, and what is still to be done.
    private enum Tag {
        static let method: Int64 = 0xFFFF_FFFF
        static let unknownCaller: Int64 = 1 << 32
        static let watched: Int64 = 1 << 33
    }

    /// Unpacking more than this takes longer than a loop may be held.
    private static let unpackedInPlace = 64 << 10
    private static let mostReserved = 8 << 20

    let limits: GRPCLimits
    let access: (any AccessGuard)?
    let random: any RandomSource
    private let methods: [GRPCMethod]
    private let health: GRPCHealth
    private let metrics: MetricsRegistry
    private let observer: (any RequestObserver)?
    private let log: Logger

    init(
        methods: [GRPCMethod], health: GRPCHealth, access: (any AccessGuard)?, limits: GRPCLimits,
        metrics: MetricsRegistry, observer: (any RequestObserver)?, log: Logger, random: any RandomSource
    ) {
        self.methods = methods
        self.health = health
        self.access = access
        self.limits = limits
        self.metrics = metrics
        self.observer = observer
        self.log = log
        self.random = random
    }

    func drain() { health.drain() }

    // MARK: What the transport tells

    func receive(_ call: OpaquePointer) {
        let view = CallView(pointer: call)
        guard view.isCall else { return CallAnswer.refuse(call, httpStatus: 415) }
        guard let path = view.field(":path"), let index = methods.firstIndex(where: { path.elementsEqual($0.path) })
        else { return fail(view, GRPCFailure.unknownMethod(view.text(":path") ?? "")) }
        let method = methods[index]
        var tag = Int64(index + 1)
        if let encoding = view.text("grpc-encoding"), encoding != "identity", encoding != "gzip" {
            return fail(view, GRPCFailure.unknownEncoding(encoding), method: method)
        }
        if let access, method.need != .nothing {
            switch access.verdict(on: view.inlineCredentials, for: method.need, resource: nil) {
            case .allowed: break
            case .refused(let error): return fail(view, error, method: method)
            case .unknown: tag |= Tag.unknownCaller
            }
        }
        mw_call_set_tag(call, tag)
        if let handler = method.stream { startStream(view, method, handler, asks: tag & Tag.unknownCaller != 0) }
    }

    func bytes(_ call: OpaquePointer) {
        let view = CallView(pointer: call)
        let tag = mw_call_tag(call)
        let index = Int(tag & Tag.method) - 1
        guard methods.indices.contains(index), !view.isAnswered || methods[index].stream != nil else { return }
        let method = methods[index]
        if method.stream != nil { return pump(view) }
        do {
            guard !view.isOver else { throw GRPCFailure.connectionFull }
            switch try MessageFrame(view.body, limit: limits.messageBytes) {
            case .partial(let needed):
                guard !view.isWhole else { throw GRPCFailure.badMessage(view.whatIsMissing) }
                mw_call_reserve(call, min(needed, GRPCCore.mostReserved))
                guard tag & Tag.watched == 0 else { return }
                mw_call_set_tag(call, tag | Tag.watched)
                view.watchDeadline()
            case .whole(_, let message):
                guard message.upperBound == view.body.count else {
                    throw GRPCFailure.badMessage("bytes follow the one message of the call")
                }
                guard view.isWhole else { return }
                if tag & Tag.unknownCaller != 0 {
                    admit(view, method)
                } else {
                    run(view, method, caller: nil, start: SystemTime.monotonicNanoseconds)
                }
            }
        } catch {
            fail(view, error, method: method)
        }
    }

    func room(_ call: OpaquePointer) { CallState.of(CallView(pointer: call))?.inbox?.room() }

    func late(_ call: OpaquePointer) {
        let view = CallView(pointer: call)
        if let state = CallState.of(view) { return state.expire(.deadlineExceeded) }
        let index = Int(mw_call_tag(call) & Tag.method) - 1
        guard !view.isAnswered, methods.indices.contains(index) else { return }
        fail(view, view.isWhole ? GRPCFailure.deadlineExceeded : .tooSlow, method: methods[index])
    }

    func closed(_ call: OpaquePointer, owner: UnsafeMutableRawPointer, gone: Bool) {
        let state = Unmanaged<CallState>.fromOpaque(owner).takeRetainedValue()
        if gone { state.peerGone() }
    }

    // MARK: Unary calls

    /// Finds out who asks away from the loop, then goes on there.
    private func admit(_ view: CallView, _ method: GRPCMethod) {
        guard let access else { return }
        let start = SystemTime.monotonicNanoseconds
        let state = CallState(view, core: self, method: method, start: start, compresses: false)
        state.own(view)
        let credentials = view.credentials
        Task.immediate {
            do {
                let caller = try await access.admit(credentials)
                try caller.require(method.need)
                state.onLoop { view in
                    state.disown(view)
                    if !view.isAnswered { self.run(view, method, caller: caller, start: start) }
                }
            } catch {
                state.fail(error)
            }
        }
    }

    private func run(_ view: CallView, _ method: GRPCMethod, caller: Caller?, start: UInt64) {
        defer { mw_call_consume(view.pointer, view.body.count) }
        do {
            guard
                case .whole(let isPacked, let place) = try MessageFrame(view.body, limit: limits.messageBytes)
            else { return }
            let bytes = UnsafeRawBufferPointer(rebasing: view.body[place])
            if isPacked { try view.requireGzip() }
            if isPacked, let handler = method.unary, bytes.count > GRPCCore.unpackedInPlace {
                let packed = [UInt8](bytes)
                return runLater(view, method, handler, caller: caller, start: start, isPacked: true) { limit in
                    try await GRPCCore.unpackElsewhere(packed, limit: limit)
                }
            }
            if isPacked {
                let unpacked = try MessageCoding.unpack(bytes, limit: limits.messageBytes)
                unpacked.withUnsafeBytes { run(view, method, $0, caller: caller, start: start, isPacked: true) }
            } else {
                run(view, method, bytes, caller: caller, start: start, isPacked: false)
            }
        } catch {
            fail(view, error, method: method, start: start)
        }
    }

    private func run(
        _ view: CallView, _ method: GRPCMethod, _ message: UnsafeRawBufferPointer, caller: Caller?, start: UInt64,
        isPacked: Bool
    ) {
        if let handler = method.inline {
            let call = GRPCInlineCall(
                view: view, core: self, method: method, start: start, caller: caller, isCompressed: isPacked,
                note: note(view, method, requestID: view.requestID ?? "", start: start), message: message)
            let done = handler(call)
            if view.isAnswered || mw_call_owner(view.pointer) != nil { return }
            if done || method.unary == nil { return fail(view, GRPCFailure.forgotten, method: method, start: start) }
        }
        guard let handler = method.unary else { return }
        let copy = [UInt8](message)
        runLater(view, method, handler, caller: caller, start: start, isPacked: isPacked) { _ in copy }
    }

    private func runLater(
        _ view: CallView, _ method: GRPCMethod, _ handler: @escaping GRPCUnaryHandler, caller: Caller?, start: UInt64,
        isPacked: Bool, _ message: @escaping @Sendable (_ limit: Int) async throws -> [UInt8]
    ) {
        let state = CallState(
            view, core: self, method: method, start: start, compresses: isPacked && view.acceptsGzip)
        state.own(view)
        let (metadata, remote, limit) = (view.metadata, view.remoteAddress, limits.messageBytes)
        // Whom the loop has let in by what it remembers is asked for again, since handlers want to know who it is.
        let asks = access != nil && caller == nil && method.need != .nothing
        let credentials = asks ? view.credentials : nil
        let task = Task.immediate { [access] in
            do {
                var caller = caller
                if let credentials, let access { caller = try await access.admit(credentials) }
                let request = GRPCRequest(
                    method: method.name, message: try await message(limit), metadata: metadata, caller: caller,
                    requestID: state.requestID, remoteAddress: remote, notes: state.notes)
                state.reply(try await handler(request))
            } catch {
                state.fail(error)
            }
        }
        state.onCancel { task.cancel() }
    }

    @concurrent private static func unpackElsewhere(_ packed: [UInt8], limit: Int) async throws -> [UInt8] {
        try packed.withUnsafeBytes { try MessageCoding.unpack($0, limit: limit) }
    }

    // MARK: Streams

    private func startStream(
        _ view: CallView, _ method: GRPCMethod, _ handler: @escaping GRPCStreamHandler, asks: Bool
    ) {
        let state = CallState(
            view, core: self, method: method, start: SystemTime.monotonicNanoseconds,
            compresses: view.text("grpc-encoding") == "gzip" && view.acceptsGzip, inbox: StreamInbox(limits: limits))
        state.own(view)
        mw_call_set_intake(view.pointer, MW_INTAKE_OPEN)
        let (metadata, remote) = (view.metadata, view.remoteAddress)
        let credentials = access != nil && method.need != .nothing ? view.credentials : nil
        let task = Task.immediate { [access] in
            do {
                var caller: Caller?
                if let credentials, let access {
                    caller = try await access.admit(credentials)
                    // What the loop knew of the caller was enough already.
                    if asks { try caller?.require(method.need) }
                }
                let request = GRPCRequest(
                    method: method.name, message: [], metadata: metadata, caller: caller, requestID: state.requestID,
                    remoteAddress: remote)
                try await handler(GRPCStream(request, state))
                state.finish()
            } catch {
                state.fail(error)
            }
        }
        state.onCancel { task.cancel() }
    }

    /// Puts what has come of a stream into its inbox, as far as there is room.
    func pump(_ view: CallView) {
        guard let state = CallState.of(view), let inbox = state.inbox else { return }
        do throws(GRPCFailure) {
            guard !view.isOver else { throw GRPCFailure.connectionFull }
            while true {
                guard !inbox.isFull() else { return mw_call_set_intake(view.pointer, MW_INTAKE_HELD) }
                switch try MessageFrame(view.body, limit: limits.messageBytes) {
                case .partial(let needed):
                    guard !view.isWhole else {
                        guard view.body.isEmpty else { throw GRPCFailure.badMessage(view.whatIsMissing) }
                        return inbox.close(.success(()))
                    }
                    if view.body.count > CallAnswer.prefixBytes {
                        mw_call_reserve(view.pointer, min(needed, GRPCCore.mostReserved))
                    }
                    return mw_call_set_intake(view.pointer, view.body.isEmpty ? MW_INTAKE_OPEN : MW_INTAKE_DUE)
                case .whole(let isPacked, let place):
                    let bytes = UnsafeRawBufferPointer(rebasing: view.body[place])
                    if isPacked { try view.requireGzip() }
                    inbox.put(isPacked ? try MessageCoding.unpack(bytes, limit: limits.messageBytes) : [UInt8](bytes))
                    mw_call_consume(view.pointer, place.upperBound)
                }
            }
        } catch {
            inbox.close(.failure(error))
            state.fail(error)
        }
    }

    // MARK: Ends

    func record(_ method: GRPCMethod, _ code: GRPCStatus.Code, start: UInt64, _ note: RequestRecord?) {
        let elapsed = SystemTime.monotonicNanoseconds &- start
        method.record(code, nanoseconds: elapsed)
        tell(note, code, nanoseconds: elapsed)
    }

    private func tell(_ note: RequestRecord?, _ code: GRPCStatus.Code, nanoseconds: UInt64) {
        guard let observer, var record = note else { return }
        record.status = code.rawValue
        record.nanoseconds = nanoseconds
        observer.ended(record)
    }

    /// What is known of a call before it ends; nil where nobody wants to know.
    func note(_ view: CallView, _ method: GRPCMethod?, requestID: String, start: UInt64) -> RequestRecord? {
        guard observer != nil else { return nil }
        let path = view.text(":path") ?? ""
        var record = RequestRecord(
            scheme: "gRPC", method: "POST", path: String(path.prefix(RequestRecord.pathMax)),
            remote: view.remoteAddress, requestID: requestID.isEmpty ? random.identifier() : requestID, start: start)
        record.route = method?.name ?? "unknown"
        record.agent = view.text("user-agent").map { String($0.prefix(256)) }
        record.trace = view.text("traceparent").map { String($0.prefix(128)) }
        if let access,
            case .allowed(let name) = access.verdict(on: view.inlineCredentials, for: .nothing, resource: nil)
        {
            record.principal = name
        }
        return record
    }

    /// Ends a call that nobody has taken by the status of an error; on the loop.
    func fail(_ view: CallView, _ error: any Error, method: GRPCMethod? = nil, start: UInt64? = nil) {
        guard !view.isAnswered else { return }
        let name = method?.name ?? "unknown"
        let id = view.requestID ?? random.identifier()
        let status = status(of: error, requestID: id, method: name)
        let note = note(view, method, requestID: id, start: start ?? SystemTime.monotonicNanoseconds)
        CallAnswer.end(view.pointer, status, hasBegun: false)
        if let method, let start {
            record(method, status.code, start: start, note)
        } else {
            GRPCMethod.counter(metrics, name, status.code).increment()
            tell(note, status.code, nanoseconds: 0)
        }
    }

    func status(of error: any Error, requestID: String, method: String) -> GRPCStatus {
        let status = GRPCStatus(error, requestID: requestID)
        if status.code == .internal || status.code == .dataLoss {
            log.with(requestID: requestID).error(
                "a call failed", ["method": .string(method), "error": .string("\(error)")])
        }
        return status
    }
}

extension CallView {
    /// Whether it is a call of gRPC: a POST of its content type.
    fileprivate var isCall: Bool {
        guard let verb = field(":method"), verb.elementsEqual("POST".utf8), let type = field("content-type") else {
            return false
        }
        let name = Array("application/grpc".utf8)
        guard type.starts(with: name) else { return false }
        return type.count == name.count || [UInt8(ascii: "+"), UInt8(ascii: ";")].contains(type[name.count])
    }

    fileprivate func requireGzip() throws(GRPCFailure) {
        guard field("grpc-encoding")?.elementsEqual("gzip".utf8) ?? false else {
            throw .badMessage("it says that it is compressed, and the call does not say how")
        }
    }

    fileprivate var whatIsMissing: String {
        body.isEmpty ? "the call has none" : "it ends after \(body.count) bytes, in the middle"
    }
}
