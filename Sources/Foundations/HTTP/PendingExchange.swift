internal import CTransport
import Synchronization
import Telemetry

/// A request of the hot path that is answered later, from any thread, by whoever holds it. One that is let go of without
/// an answer is answered by 500.
public final class PendingExchange: Sendable {
    /// Where it can be said how the request was answered; nil where nobody wants to know.
    public let notes: RequestNotes?
    private let exchange: Exchange
    private let record: @Sendable (HTTPStatus, Int) -> Void
    private let isAnswered = Atomic(false)

    /// - Parameter record: told of the answer's status and the bytes of its body.
    init(_ exchange: Exchange, notes: RequestNotes?, record: @escaping @Sendable (HTTPStatus, Int) -> Void) {
        self.exchange = exchange
        self.notes = notes
        self.record = record
    }

    deinit { reply(.internalServerError, contentType: "", UnsafeRawBufferPointer(start: nil, count: 0)) }

    /// Answers with bytes that are copied; only the first answer counts.
    public func reply(
        _ status: HTTPStatus, contentType: StaticString, headers: HTTPHeaders = [:], _ body: UnsafeRawBufferPointer
    ) {
        guard !isAnswered.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var headers = headers
        if contentType.utf8CodeUnitCount > 0 { headers["Content-Type"] = "\(contentType)" }
        record(status, body.count)
        exchange.reply(status, lines: headers.lines(leavingOut: HTTPHeaders.transportOwned), body: body)
    }
}
