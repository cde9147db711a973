import Basics
import HTTP
import Telemetry

/// What a handler is told of a call.
public struct GRPCRequest: Sendable {
    /// Such as `/inference.GRPCInferenceService/ModelInfer`.
    public let method: String
    /// The one message of a unary call; empty for streams.
    public let message: [UInt8]
    public let metadata: GRPCMetadata
    /// Who asks; nil where the router has no guard, or the method needs nothing.
    public let caller: Caller?
    public let requestID: String
    /// The address of the peer, without its port.
    public let remoteAddress: String
    /// Where it can be said how the call was answered; nil where nobody wants to know, and for streams.
    public var notes: RequestNotes?
}
