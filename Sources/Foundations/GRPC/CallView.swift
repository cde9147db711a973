import Basics
internal import CTransport
import HTTP

/// What the loop thread sees of a call: functions of the transport by their Swift names. To be used on the loop only.
struct CallView {
    let pointer: OpaquePointer

    func field(_ name: StaticString) -> UnsafeRawBufferPointer? {
        let found = name.withUTF8Buffer { bytes in
            bytes.withMemoryRebound(to: CChar.self) { mw_call_field(pointer, $0.baseAddress, $0.count) }
        }
        return found.data == nil ? nil : UnsafeRawBufferPointer(start: found.data, count: found.size)
    }

    func text(_ name: StaticString) -> String? { field(name).map { String(decoding: $0, as: UTF8.self) } }

    var body: UnsafeRawBufferPointer {
        let body = mw_call_body(pointer)
        return UnsafeRawBufferPointer(start: body.data, count: body.size)
    }

    var isWhole: Bool { mw_call_is_whole(pointer) != 0 }
    var isOver: Bool { mw_call_is_over(pointer) != 0 }
    var isAnswered: Bool { mw_call_is_answered(pointer) != 0 }

    var metadata: GRPCMetadata {
        var metadata = GRPCMetadata()
        for index in 0..<mw_call_field_count(pointer) {
            let field = mw_call_field_at(pointer, index)
            let name = String(field.name)
            if !name.hasPrefix(":") { metadata.add(name, String(field.value)) }
        }
        return metadata
    }

    /// The caller's `x-request-id` where it is fit for a log.
    var requestID: String? {
        guard let bytes = field("x-request-id"), HTTPRequest.isSaneID(bytes) else { return nil }
        return String(decoding: bytes, as: UTF8.self)
    }

    var remoteAddress: String { String(mw_call_remote(pointer)) }

    var clientSubject: UnsafeRawBufferPointer? {
        let subject = mw_call_client_subject(pointer)
        return subject.size == 0 ? nil : UnsafeRawBufferPointer(start: subject.data, count: subject.size)
    }

    var inlineCredentials: InlineCredentials {
        let remote = mw_call_remote(pointer)
        return InlineCredentials(
            authorization: field("authorization"), apiKey: field("x-api-key"),
            remoteAddress: UnsafeRawBufferPointer(start: remote.data, count: remote.size),
            clientSubject: clientSubject, hasOrigin: field("origin") != nil, loopIndex: Int(mw_call_loop(pointer)))
    }

    var credentials: RequestCredentials {
        RequestCredentials(
            method: .post, authorization: text("authorization"), apiKey: text("x-api-key"), origin: text("origin"),
            host: text(":authority"), remoteAddress: remoteAddress,
            clientSubject: clientSubject.map { String(decoding: $0, as: UTF8.self) })
    }

    /// Whether the client reads answers compressed by gzip.
    var acceptsGzip: Bool { text("grpc-accept-encoding")?.contains("gzip") ?? false }

    /// Has the deadline of the client watched, where it gave one.
    func watchDeadline() {
        guard let timeout = field("grpc-timeout").flatMap(GRPCTimeout.milliseconds) else { return }
        mw_call_deadline(pointer, timeout)
    }
}

extension String {
    init(_ slice: mw_slice) {
        self.init(decoding: UnsafeRawBufferPointer(start: slice.data, count: slice.size), as: UTF8.self)
    }
}
