import Basics
internal import CTransport
import HTTP
import Synchronization
import Telemetry

/// A call that outlives the callback in which it came. The stream holds it until it is closed.
final class CallState: Sendable {
    private struct Cancelling {
        var isCancelled = false
        var bodies: [@Sendable () -> Void] = []
    }

    let method: GRPCMethod
    let requestID: String
    let compresses: Bool
    /// What comes by a call of many messages.
    let inbox: StreamInbox?
    private let core: GRPCCore
    private let start: UInt64
    private let address: UInt
    /// Who is told of the call; nil where nobody is.
    private let note: RequestRecord?
    private let answered = Atomic<Bool>(false)
    private let cancelling = Mutex(Cancelling())

    init(
        _ view: CallView, core: GRPCCore, method: GRPCMethod, start: UInt64, compresses: Bool, inbox: StreamInbox? = nil
    ) {
        self.core = core
        self.method = method
        self.start = start
        self.compresses = compresses
        self.inbox = inbox
        let requestID = view.requestID ?? core.random.identifier()
        self.requestID = requestID
        note = core.note(view, method, requestID: requestID, start: start)
        address = UInt(bitPattern: view.pointer)
        mw_call_retain(view.pointer)
    }

    deinit { withPointer { mw_call_release($0) } }

    /// The functions of the transport that are used here may be called on any thread.
    func withPointer<Result>(_ body: (OpaquePointer) -> Result?) -> Result? {
        OpaquePointer(bitPattern: address).flatMap(body)
    }

    /// Has the stream tell of its end; on the loop.
    func own(_ view: CallView) {
        mw_call_set_owner(view.pointer, Unmanaged.passRetained(self).toOpaque())
        view.watchDeadline()
    }

    /// The state of a call that has one; on the loop.
    static func of(_ view: CallView) -> CallState? {
        mw_call_owner(view.pointer).map { Unmanaged<CallState>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Where it can be said how the call was answered; nil where nobody wants to know.
    var notes: RequestNotes? { note?.notes }

    // MARK: Cancelling

    var isCancelled: Bool { cancelling.withLock { $0.isCancelled } }

    /// Runs once when the call is cancelled, at once where it has been.
    func onCancel(_ body: @escaping @Sendable () -> Void) {
        let late = cancelling.withLock { cancelling in
            if !cancelling.isCancelled { cancelling.bodies.append(body) }
            return cancelling.isCancelled
        }
        if late { body() }
    }

    private func cancel() {
        let bodies = cancelling.withLock { cancelling in
            cancelling.isCancelled = true
            defer { cancelling.bodies = [] }
            return cancelling.bodies
        }
        for body in bodies { body() }
    }

    /// Nobody waits for the answer any more.
    func peerGone() {
        inbox?.close(.failure(.peerGone))
        if claim() { core.record(method, .cancelled, start: start, note) }
        cancel()
    }

    /// The time of the client is over.
    func expire(_ error: GRPCFailure) {
        inbox?.close(.failure(error))
        fail(error)
        cancel()
    }

    // MARK: The answer

    /// Whether this is the first answer.
    private func claim() -> Bool { !answered.exchange(true, ordering: .acquiringAndReleasing) }

    func reply(_ message: [UInt8]) {
        guard compresses, message.count >= core.limits.compressionLeast, let packed = MessageCoding.pack(message) else {
            return message.withUnsafeBytes { reply($0) }
        }
        guard claim() else { return }
        withPointer { CallAnswer.reply($0, compressed: packed) }
        core.record(method, .ok, start: start, note)
    }

    func reply(_ message: UnsafeRawBufferPointer) {
        reply(capacity: message.count) { room in
            room.copyMemory(from: message)
            return message.count
        }
    }

    func reply(capacity: Int, fill: (UnsafeMutableRawBufferPointer) -> Int) {
        guard claim() else { return }
        withPointer { CallAnswer.reply($0, capacity: capacity, fill: fill) }
        core.record(method, .ok, start: start, note)
    }

    func fail(_ error: any Error) {
        guard claim() else { return }
        let status = core.status(of: error, requestID: requestID, method: method.name)
        withPointer { call in
            guard let inbox else { return CallAnswer.end(call, status, hasBegun: false) }
            inbox.ending { CallAnswer.end(call, status, hasBegun: $0) }
        }
        core.record(method, status.code, start: start, note)
    }

    /// Ends a call of many messages well.
    func finish() {
        guard claim() else { return }
        withPointer { call in
            inbox?.ending { hasBegun in
                if !hasBegun { CallAnswer.begin(call, compressed: compresses) }
                CallAnswer.end(call)
            }
        }
        core.record(method, .ok, start: start, note)
    }

    /// The next of several messages.
    func next() async throws -> [UInt8]? {
        try await inbox?.next { onLoop { [core] in core.pump($0) } }
    }

    /// Runs a closure on the loop, unless the stream is closed by then.
    func onLoop(_ body: @escaping @Sendable (CallView) -> Void) {
        let work = LoopWork { [self] in
            withPointer { call in
                let view = CallView(pointer: call)
                if CallState.of(view) === self { body(view) }
            }
        }
        withPointer { call in
            mw_call_post(
                call,
                { context in
                    guard let context else { return }
                    Unmanaged<LoopWork>.fromOpaque(context).takeRetainedValue().body()
                }, Unmanaged.passRetained(work).toOpaque())
        }
    }

    /// Lets the stream forget this state, so that its call can be answered in place; on the loop.
    func disown(_ view: CallView) {
        guard CallState.of(view) === self, claim() else { return }
        mw_call_set_owner(view.pointer, nil)
        Unmanaged.passUnretained(self).release()
    }

    /// Sends one message of several.
    func send(_ message: [UInt8]) async throws {
        try Task.checkCancellation()
        let packed = compresses && message.count >= core.limits.compressionLeast ? MessageCoding.pack(message) : nil
        guard !answered.load(ordering: .acquiring), let inbox else { throw GRPCFailure.answered }
        let taken = withPointer { call in
            inbox.sending {
                inbox.beginOnce { CallAnswer.begin(call, compressed: compresses) }
                return CallAnswer.send(call, packed ?? message, compressed: packed != nil)
            }
        }
        guard taken != 0 else { throw GRPCFailure.peerGone }
        if taken == 2 { await inbox.roomToSend() }
    }
}

private final class LoopWork: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
