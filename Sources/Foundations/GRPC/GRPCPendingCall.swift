import Basics
import Telemetry

/// A unary call that is answered later, from any thread, by whoever holds it. One that is let go of without an answer ends
/// by INTERNAL.
public final class GRPCPendingCall: Sendable {
    private let state: CallState

    init(_ state: CallState) { self.state = state }

    deinit { state.fail(GRPCFailure.forgotten) }

    /// Whether an answer would reach nobody: the client gave the call up, or its deadline has passed.
    public var isCancelled: Bool { state.isCancelled }

    /// Where it can be said how the call was answered; nil where nobody wants to know.
    public var notes: RequestNotes? { state.notes }

    /// Runs once when the call is cancelled, on the loop or at once; it must not block.
    public func onCancel(_ body: @escaping @Sendable () -> Void) { state.onCancel(body) }

    /// Answers; only the first answer counts.
    public func reply(_ message: [UInt8]) { state.reply(message) }

    /// Answers with bytes that are copied once, into the transport's memory.
    public func reply(_ message: UnsafeRawBufferPointer) { state.reply(message) }

    /// Answers with bytes written straight into the transport's memory.
    public func reply(capacity: Int, fill: (UnsafeMutableRawBufferPointer) -> Int) {
        state.reply(capacity: capacity, fill: fill)
    }

    /// Ends the call by the status of an error.
    public func fail(_ error: any Error) { state.fail(error) }
}
