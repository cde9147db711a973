/// A call of any number of messages either way.
public struct GRPCStream: Sendable {
    /// What the call came with; its message is empty.
    public let request: GRPCRequest
    private let state: CallState

    init(_ request: GRPCRequest, _ state: CallState) {
        self.request = request
        self.state = state
    }

    /// The next message of the client; nil when it has sent its last one. To be asked by one task at a time.
    /// - Throws: `GRPCFailure.peerGone` where the client has gone, or what is wrong with the message.
    public func next() async throws -> [UInt8]? { try await state.next() }

    /// Sends a message, and waits while the client does not read what was sent before.
    /// - Throws: `GRPCFailure.peerGone` where the client has gone; `CancellationError`.
    public func send(_ message: [UInt8]) async throws { try await state.send(message) }
}
