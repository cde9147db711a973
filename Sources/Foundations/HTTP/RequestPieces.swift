import Synchronization

/// The body of a request piece by piece, so that memory does not grow with it.
public final class RequestPieces: Sendable {
    private enum State {
        case whole([UInt8])
        case coming(Exchange)
        case made(@Sendable () async throws -> [UInt8]?)
        case over
    }

    private let state: Mutex<State>

    init(_ body: [UInt8]) { state = Mutex(body.isEmpty ? .over : .whole(body)) }

    init(_ next: @escaping @Sendable () async throws -> [UInt8]?) { state = Mutex(.made(next)) }

    init(_ exchange: Exchange) { state = Mutex(.coming(exchange)) }

    /// The next piece, or nil at the end. One at a time: ask for the next once the last has come.
    /// - Throws: `HTTPFailure.peerGone` where the client left before the end, `.badBody` where it is too slow or malformed.
    public func next() async throws -> [UInt8]? {
        if case .made(let next) = state.withLock({ $0 }) { return try await next() }
        let piece = try await withCheckedThrowingContinuation {
            (continuation: CheckedContinuation<[UInt8], any Error>) in
            let whole = state.withLock { state -> [UInt8]? in
                switch state {
                case .whole(let body):
                    state = .over
                    return body
                case .coming(let exchange):
                    exchange.takePiece { continuation.resume(with: $0.mapError { $0 as any Error }) }
                    return nil
                case .over, .made: return []
                }
            }
            if let whole { continuation.resume(returning: whole) }
        }
        if piece.isEmpty { close() }
        return piece.isEmpty ? nil : piece
    }

    /// Ends it: the answer is about to be given, and nothing may be asked of the exchange afterwards.
    func close() { state.withLock { $0 = .over } }
}
