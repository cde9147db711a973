import Basics
internal import CTransport
import HTTP
import Telemetry

/// One unary call on the hot path, seen in place on the loop thread. Nothing of it may be kept after the handler returns:
/// all bytes belong to the transport. ``later()`` is for calls that are answered afterwards.
public struct GRPCInlineCall: ~Copyable {
    let view: CallView
    let core: GRPCCore
    let method: GRPCMethod
    let start: UInt64
    let caller: Caller?
    let isCompressed: Bool
    /// Who is told of the call; nil where nobody is.
    let note: RequestRecord?

    /// Where it can be said how the call was answered; nil where nobody wants to know.
    public var notes: RequestNotes? { note?.notes }

    /// The message; valid until the handler returns.
    public let message: UnsafeRawBufferPointer

    /// Which loop this is, from 0 to the number of threads; scratch state kept for each loop needs no lock.
    public var loopIndex: Int { Int(mw_call_loop(view.pointer)) }

    /// The bytes of the first metadata of that name, in lower case; nil where there is none.
    public func metadata(_ name: StaticString) -> UnsafeRawBufferPointer? { view.field(name) }

    /// The caller's `x-request-id` where it is fit for a log.
    public var requestID: String? { view.requestID }

    /// Milliseconds that the client gives the call; nil where it gives no limit.
    public var timeoutMilliseconds: Int64? { view.field("grpc-timeout").flatMap(GRPCTimeout.milliseconds) }

    /// Refuses a caller that may not do what is needed on a resource that the message names.
    /// - Throws: `HTTPFailure.unauthenticated`, or the `Failure` for which the caller is turned away.
    public func require(_ need: RouteNeed, on resource: UnsafeRawBufferPointer?) throws {
        if let caller { return try caller.require(need, on: resource.map { String(decoding: $0, as: UTF8.self) }) }
        guard let access = core.access else { return }
        switch access.verdict(on: view.inlineCredentials, for: need, resource: resource) {
        case .allowed: break
        case .refused(let error): throw error
        case .unknown: throw GRPCFailure.accessUnknown
        }
    }

    /// Answers with bytes that are copied.
    public func reply(_ message: UnsafeRawBufferPointer) {
        reply(capacity: message.count) { room in
            room.copyMemory(from: message)
            return message.count
        }
    }

    /// Answers with bytes written straight into the transport's memory.
    /// - Parameters:
    ///   - capacity: how many bytes there is room for.
    ///   - fill: writes the message and returns how many bytes it has.
    public func reply(capacity: Int, fill: (UnsafeMutableRawBufferPointer) -> Int) {
        guard !view.isAnswered, mw_call_owner(view.pointer) == nil else { return }
        CallAnswer.reply(view.pointer, capacity: capacity, fill: fill)
        core.record(method, .ok, start: start, note)
    }

    /// Ends the call by the status of an error.
    public func fail(_ error: any Error) {
        guard !view.isAnswered, mw_call_owner(view.pointer) == nil else { return }
        core.fail(view, error, method: method, start: start)
    }

    /// Takes the call to answer it later, from any thread. The handler returns true afterwards.
    public func later() -> GRPCPendingCall {
        let state = CallState(
            view, core: core, method: method, start: start, compresses: isCompressed && view.acceptsGzip)
        state.own(view)
        return GRPCPendingCall(state)
    }
}
