import Basics
internal import CTransport
import Synchronization

/// The owner of one request of the transport that is answered later, on whatever thread.
struct Exchange: @unchecked Sendable {
    // The transport takes answers from any thread, and this is the only owner until one is given.
    let pointer: OpaquePointer

    /// The request with its target taken apart, or the reason why it can not be.
    /// - Parameter withBody: false leaves the body where it is, for requests that are turned away.
    func request(
        random: any RandomSource, withBody: Bool = true
    ) -> (request: HTTPRequest, problem: HTTPFailure?) {
        let rawMethod = String(mw_exchange_method(pointer))
        let rawTarget = UnsafeRawBufferPointer(mw_exchange_target(pointer))
        var headers = HTTPHeaders()
        for index in 0..<mw_exchange_header_count(pointer) {
            var name = mw_slice()
            var value = mw_slice()
            mw_exchange_header_at(pointer, index, &name, &value)
            headers.add(String(name), String(value))
        }
        var problem: HTTPFailure?
        let method = HTTPMethod(rawValue: rawMethod)
        let target: RequestTarget
        do {
            target = try RequestTarget(rawTarget)
        } catch {
            target = .root
            problem = error
        }
        if method == nil, problem == nil {
            let allowed = HTTPMethod.allCases
            problem = .methodNotAllowed(method: rawMethod, path: target.path, allowed: allowed)
        }
        var request = HTTPRequest(
            method: method ?? .get, target: target, headers: headers,
            body: withBody ? [UInt8](UnsafeRawBufferPointer(mw_exchange_body(pointer))) : [],
            requestID: named(random: random), remoteAddress: String(mw_exchange_remote(pointer)))
        let subject = mw_exchange_client_subject(pointer)
        if subject.size > 0 { request.clientSubject = String(subject) }
        if mw_exchange_is_piecewise(pointer) != 0 { request.source = RequestPieces(self) }
        return (request, problem)
    }

    /// The id of the request: the caller's where it is fit for a log, else one made now. The answer will carry it.
    func named(random: any RandomSource) -> String {
        let known = mw_exchange_id(pointer)
        if known.size > 0 { return String(known) }
        let id = random.identifier()
        withSlice(Array(id.utf8)) { mw_exchange_set_id(pointer, $0) }
        return id
    }

    /// Has the answer carry the caller's id, where it is fit for a log.
    func takeID() {
        guard let given = header("x-request-id"), HTTPRequest.isSaneID(given) else { return }
        mw_exchange_set_id(
            pointer, mw_slice(data: given.baseAddress?.assumingMemoryBound(to: CChar.self), size: given.count))
    }

    /// The bytes of the first header of that name, compared without case; nil where there is none.
    func header(_ name: StaticString) -> UnsafeRawBufferPointer? {
        let found = name.withUTF8Buffer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { mw_exchange_header(pointer, $0.baseAddress, $0.count) }
        }
        return found.data == nil ? nil : UnsafeRawBufferPointer(found)
    }

    /// Header lines that go out with the answer, each ended by CRLF.
    func add(lines: [UInt8]) { withSlice(lines) { mw_exchange_add_lines(pointer, $0) } }

    /// Runs a closure on the loop of the exchange, which must not have been answered.
    func onLoop(_ body: @escaping @Sendable () -> Void) {
        mw_exchange_post(
            pointer,
            { context in
                guard let context else { return }
                Unmanaged<LoopWork>.fromOpaque(context).takeRetainedValue().body()
            }, Unmanaged.passRetained(LoopWork(body)).toOpaque())
    }

    /// Hands over the next piece of a body that is taken piece by piece, on the loop: one of no bytes is the end.
    func takePiece(_ take: @escaping @Sendable (Result<[UInt8], HTTPFailure>) -> Void) {
        mw_exchange_take_piece(
            pointer,
            { context, outcome, bytes, size in
                guard let context else { return }
                let work = Unmanaged<PieceWork>.fromOpaque(context).takeRetainedValue()
                switch outcome {
                case MW_OK: work.take(.success([UInt8](UnsafeRawBufferPointer(start: bytes, count: size))))
                case MW_TIMED_OUT: work.take(.failure(.badBody("the next of it did not come in time")))
                case MW_TOO_LARGE: work.take(.failure(.badBody("it is longer than bodies may be")))
                case MW_CLOSED: work.take(.failure(.peerGone))
                default: work.take(.failure(.badBody("its chunks are malformed")))
                }
            }, Unmanaged.passRetained(PieceWork(take)).toOpaque())
    }

    /// Gives a whole answer; the exchange is gone afterwards.
    func reply(_ status: HTTPStatus, lines: [UInt8], body: [UInt8]) {
        body.withUnsafeBytes { reply(status, lines: lines, body: $0) }
    }

    /// Gives a whole answer, whose bytes are copied.
    func reply(_ status: HTTPStatus, lines: [UInt8], body: UnsafeRawBufferPointer) {
        withSlice(lines) { mw_exchange_reply(pointer, Int32(status.code), $0, body.baseAddress, body.count) }
    }

    /// Runs the writer of a streamed answer to its end; the exchange is gone afterwards.
    /// - Returns: nil, or why the answer is not whole.
    func stream(
        _ status: HTTPStatus, lines: [UInt8], _ write: @escaping @Sendable (ResponseWriter) async throws -> Void
    ) async -> (any Error)? {
        let sink = StreamSink(self)
        let context = Unmanaged.passRetained(sink).toOpaque()
        withSlice(lines) { lines in
            mw_exchange_stream_begin(
                pointer, Int32(status.code), lines,
                { context, gone in
                    guard let context else { return }
                    let sink = Unmanaged<StreamSink>.fromOpaque(context).takeRetainedValue()
                    if gone != 0 { sink.peerLeft() }
                }, context)
        }
        let work = Task { try await write(ResponseWriter(sink: sink)) }
        sink.cancelWhenPeerLeaves(work)
        let result = await withTaskCancellationHandler {
            await work.result
        } onCancel: {
            work.cancel()
        }
        switch result {
        case .success:
            sink.end(complete: true)
            return nil
        case .failure(let error):
            sink.end(complete: false)
            return error
        }
    }

    func withSlice(_ bytes: [UInt8], _ body: (mw_slice) -> Void) {
        bytes.withUnsafeBytes { raw in
            body(mw_slice(data: raw.baseAddress?.assumingMemoryBound(to: CChar.self), size: raw.count))
        }
    }
}

/// The writing end of a stream over the transport. A writer that outlives its answer finds the peer gone.
private final class StreamSink: ResponseSink {
    private struct State {
        var ended = false
        var gone = false
        var work: Task<Void, any Error>?
    }

    private let state = Mutex(State())
    private let exchange: Exchange

    init(_ exchange: Exchange) { self.exchange = exchange }

    func write(_ bytes: [UInt8]) async throws {
        try Task.checkCancellation()
        let taken = state.withLock { state in
            guard !state.ended else { return Int32(0) }
            return bytes.withUnsafeBytes { mw_exchange_stream_write(exchange.pointer, $0.baseAddress, $0.count) }
        }
        guard taken != 0 else { throw HTTPFailure.peerGone }
        if taken == 2 { await room() }
    }

    func end(complete: Bool) {
        state.withLock { state in
            state.ended = true
            state.work = nil
            mw_exchange_stream_end(exchange.pointer, complete ? 1 : 0)
        }
    }

    func cancelWhenPeerLeaves(_ work: Task<Void, any Error>) {
        let late = state.withLock { state in
            state.work = work
            return state.gone
        }
        if late { work.cancel() }
    }

    func peerLeft() {
        let work = state.withLock { state in
            state.gone = true
            return state.work
        }
        work?.cancel()
    }

    private func room() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let waiter = Waiter(continuation)
            let waits = state.withLock { state in
                guard !state.ended else { return false }
                mw_exchange_stream_wait(
                    exchange.pointer,
                    { context in
                        guard let context else { return }
                        Unmanaged<Waiter>.fromOpaque(context).takeRetainedValue().continuation.resume()
                    }, Unmanaged.passRetained(waiter).toOpaque())
                return true
            }
            if !waits { continuation.resume() }
        }
    }
}

private final class PieceWork: Sendable {
    let take: @Sendable (Result<[UInt8], HTTPFailure>) -> Void

    init(_ take: @escaping @Sendable (Result<[UInt8], HTTPFailure>) -> Void) { self.take = take }
}

private final class LoopWork: Sendable {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}

private final class Waiter: Sendable {
    let continuation: CheckedContinuation<Void, Never>

    init(_ continuation: CheckedContinuation<Void, Never>) { self.continuation = continuation }
}
