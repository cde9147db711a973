internal import CTransport
import Telemetry

/// One request on the hot path, seen in place on the loop thread. Nothing of it may be kept after the handler returns:
/// all bytes belong to the transport. ``later()`` is for requests that are answered afterwards.
public struct InlineExchange: ~Copyable {
    private let exchange: OpaquePointer
    private let path: UnsafeRawBufferPointer
    private let places: InlineParameters
    private let core: ServerCore
    /// The route's place among those of the core.
    private let route: Int
    private let start: UInt64
    /// Who asks, where that is known.
    var principal: String?
    /// Where it can be said how the request was answered; nil where nobody wants to know.
    public internal(set) var notes: RequestNotes?
    /// Where it is noted that the handler has taken the request to answer it later.
    private let taken: UnsafeMutablePointer<Bool>

    /// The query as it came, without the question mark; empty where there is none.
    public let rawQuery: UnsafeRawBufferPointer

    init(
        exchange: OpaquePointer, path: UnsafeRawBufferPointer, query: UnsafeRawBufferPointer, places: InlineParameters,
        core: ServerCore, route: Int, start: UInt64, taken: UnsafeMutablePointer<Bool>, principal: String? = nil
    ) {
        self.principal = principal
        self.exchange = exchange
        self.path = path
        self.places = places
        self.core = core
        self.route = route
        self.start = start
        self.taken = taken
        rawQuery = query
    }

    /// Which loop this is, from 0 to the number of threads; scratch state kept for each loop needs no lock.
    public var loopIndex: Int { Int(mw_exchange_loop(exchange)) }

    /// The whole body; valid until the handler returns.
    public var body: UnsafeRawBufferPointer { UnsafeRawBufferPointer(mw_exchange_body(exchange)) }

    /// The bytes of a path parameter by its place in the pattern, counted from 0; empty where there is none.
    public func parameter(_ index: Int) -> UnsafeRawBufferPointer {
        guard let place = places[index] else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(rebasing: path[place])
    }

    /// A path parameter as text.
    public func parameterText(_ index: Int) -> String { String(decoding: parameter(index), as: UTF8.self) }

    /// The bytes of the first header of that name, compared without case; nil where there is none.
    public func header(_ name: StaticString) -> UnsafeRawBufferPointer? {
        Exchange(pointer: exchange).header(name)
    }

    /// The bytes of the subject of the client's certificate, as RFC 2253 text; nil where it showed none.
    public var clientSubject: UnsafeRawBufferPointer? {
        let subject = mw_exchange_client_subject(exchange)
        return subject.size == 0 ? nil : UnsafeRawBufferPointer(subject)
    }

    /// What the request shows of who asks.
    public var credentials: InlineCredentials {
        let authorization = header("authorization")
        return InlineCredentials(
            authorization: authorization, apiKey: authorization == nil ? header("x-api-key") : nil,
            remoteAddress: UnsafeRawBufferPointer(mw_exchange_remote(exchange)), clientSubject: clientSubject,
            hasOrigin: authorization != nil && header("origin") != nil, loopIndex: loopIndex)
    }

    /// The caller's `X-Request-Id` where it is fit for a log.
    public var requestID: String? {
        guard let bytes = header("x-request-id"), HTTPRequest.isSaneID(bytes) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// True once a reply has been given; further ones are ignored.
    public var hasReplied: Bool { mw_exchange_replied(exchange) != 0 }

    /// Answers with bytes that are copied.
    public func reply(
        _ status: HTTPStatus, contentType: StaticString, headers: HTTPHeaders = [:], _ body: UnsafeRawBufferPointer
    ) {
        withLines(contentType, headers) { lines in
            mw_exchange_reply(exchange, Int32(status.code), lines, body.baseAddress, body.count)
        }
    }

    /// Answers with bytes written straight into the transport's memory.
    /// - Parameters:
    ///   - capacity: how many bytes there is room for.
    ///   - fill: writes the body and returns how many bytes it has.
    public func reply(
        _ status: HTTPStatus, contentType: StaticString, headers: HTTPHeaders = [:], capacity: Int,
        fill: (UnsafeMutableRawBufferPointer) -> Int
    ) {
        guard !hasReplied else { return }
        let room = max(0, capacity)
        let buffer = UnsafeMutableRawBufferPointer(start: mw_exchange_buffer(exchange, room), count: room)
        let count = min(room, max(0, fill(buffer)))
        withLines(contentType, headers) { lines in
            mw_exchange_reply_filled(exchange, Int32(status.code), lines, count)
        }
    }

    /// Takes the request to answer it later, from any thread. The handler returns true afterwards.
    public func later() -> PendingExchange {
        taken.pointee = true
        let (core, route, start) = (core, route, start)
        let note = core.note(exchange, start: start, principal: principal, notes: notes)
        return PendingExchange(Exchange(pointer: exchange), notes: notes) {
            core.record(route, $0, bytes: $1, start: start, note)
        }
    }

    private func withLines(_ contentType: StaticString, _ headers: HTTPHeaders, _ body: (mw_slice) -> Void) {
        let others = headers.fields.isEmpty ? [] : headers.lines(leavingOut: HTTPHeaders.transportOwned)
        let name: StaticString = "Content-Type: "
        let capacity = name.utf8CodeUnitCount + contentType.utf8CodeUnitCount + 2 + others.count
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity) { lines in
            var end = 0
            func append(_ bytes: UnsafeBufferPointer<UInt8>) {
                for byte in bytes {
                    lines.initializeElement(at: end, to: CChar(bitPattern: byte))
                    end += 1
                }
            }
            if contentType.utf8CodeUnitCount > 0 {
                name.withUTF8Buffer(append)
                contentType.withUTF8Buffer(append)
                ("\r\n" as StaticString).withUTF8Buffer(append)
            }
            others.withUnsafeBufferPointer(append)
            body(mw_slice(data: UnsafePointer(lines.baseAddress), size: end))
        }
    }
}

extension UnsafeRawBufferPointer {
    init(_ slice: mw_slice) { self.init(start: slice.data, count: slice.size) }
}

extension String {
    init(_ slice: mw_slice) { self.init(decoding: UnsafeRawBufferPointer(slice), as: UTF8.self) }
}
