/// How much a call may ask for.
public struct GRPCLimits: Sendable {
    /// Bytes of one message, unpacked. Above it a call ends by RESOURCE_EXHAUSTED.
    public var messageBytes = 64 << 20
    /// Messages of a stream that wait for their handler, before its client is held back; and their bytes.
    public var waitingMessages = 64
    public var waitingBytes = 4 << 20
    /// Answers below it are never compressed.
    public var compressionLeast = 1024

    public init() {}
}
