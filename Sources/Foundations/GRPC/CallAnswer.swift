import Basics
internal import CTransport

/// The answer of a call on the wire. The functions may be called on any thread while the call is held.
enum CallAnswer {
    /// Bytes before each message: whether it is compressed, and its length.
    static let prefixBytes = 5

    /// Answers a unary call with a message written straight into the transport's memory.
    static func reply(_ call: OpaquePointer, capacity: Int, fill: (UnsafeMutableRawBufferPointer) -> Int) {
        let room = max(0, min(capacity, Int(Int32.max)))
        guard let start = mw_call_buffer(call, room + prefixBytes) else { return }
        let buffer = UnsafeMutableRawBufferPointer(start: start, count: room + prefixBytes)
        let count = min(room, max(0, fill(UnsafeMutableRawBufferPointer(rebasing: buffer[prefixBytes...]))))
        write(prefix: buffer, compressed: false, count: count)
        _ = mw_call_commit(call, count + prefixBytes)
        begin(call, compressed: false)
        end(call)
    }

    /// Answers a unary call with a message that is copied.
    static func reply(_ call: OpaquePointer, _ message: UnsafeRawBufferPointer) {
        reply(call, capacity: message.count) { room in
            room.copyMemory(from: message)
            return message.count
        }
    }

    /// Answers a unary call with a message that has been compressed.
    static func reply(_ call: OpaquePointer, compressed message: [UInt8]) {
        _ = send(call, message, compressed: true)
        begin(call, compressed: true)
        end(call)
    }

    /// Sends one message of several.
    /// - Returns: what `mw_call_write` tells.
    static func send(_ call: OpaquePointer, _ message: [UInt8], compressed: Bool) -> Int32 {
        withUnsafeTemporaryAllocation(byteCount: prefixBytes, alignment: 1) { prefix in
            write(prefix: prefix, compressed: compressed, count: message.count)
            return message.withUnsafeBufferPointer { message in
                prefix.withMemoryRebound(to: UInt8.self) { prefix in
                    mw_call_write(call, slice(UnsafeBufferPointer(prefix)), slice(message))
                }
            }
        }
    }

    /// Gives the header of an answer that holds messages.
    static func begin(_ call: OpaquePointer, compressed: Bool) {
        withField("content-type", "application/grpc") { type in
            guard compressed else { return withUnsafePointer(to: type) { mw_call_begin(call, 200, $0, 1) } }
            withField("grpc-encoding", "gzip") { encoding in
                withFields([type, encoding]) { mw_call_begin(call, 200, $0, $1) }
            }
        }
    }

    /// Ends an answer that holds messages, well.
    static func end(_ call: OpaquePointer) {
        withField("grpc-status", "0") { status in
            withUnsafePointer(to: status) { mw_call_end(call, $0, 1) }
        }
    }

    /// Ends a call by a status, after messages or without any.
    static func end(_ call: OpaquePointer, _ status: GRPCStatus, hasBegun: Bool) {
        var fields: [(StaticString, [UInt8])] = []
        if !hasBegun { fields.append(("content-type", Array("application/grpc".utf8))) }
        fields.append(("grpc-status", Array("\(status.code.rawValue)".utf8)))
        if !status.message.isEmpty { fields.append(("grpc-message", percentEncoded(status.message))) }
        if let seconds = status.retrySeconds, seconds >= 0 {
            fields.append(("retry-after", Array("\(seconds)".utf8)))
            // What stock clients with a retry policy wait for, by gRFC A6.
            fields.append(
                ("grpc-retry-pushback-ms", Array("\(seconds.multipliedReportingOverflow(by: 1000).partialValue)".utf8)))
        }
        if status.code == .unimplemented { fields.append(("grpc-accept-encoding", Array("identity,gzip".utf8))) }
        withAll(fields[...], []) { list in
            withFields(list) { start, count in
                guard !hasBegun else { return mw_call_end(call, start, count) }
                mw_call_answer(call, 200, start, count)
            }
        }
    }

    /// Refuses what is no call of gRPC, by a status of HTTP alone.
    static func refuse(_ call: OpaquePointer, httpStatus: Int32) {
        mw_call_answer(call, httpStatus, nil, 0)
    }

    /// The text of `grpc-message`: bytes other than printable ASCII, and the percent sign, as `%` and two digits.
    static func percentEncoded(_ text: String) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        // A header must stay below what clients take; 8 KB is what most of them do.
        return text.utf8.prefix(4096).reduce(into: []) { bytes, byte in
            if (0x20...0x7E).contains(byte), byte != UInt8(ascii: "%") {
                bytes.append(byte)
            } else {
                bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
    }

    private static func write(prefix buffer: UnsafeMutableRawBufferPointer, compressed: Bool, count: Int) {
        buffer.storeBytes(of: compressed ? 1 : 0, as: UInt8.self)
        buffer.storeBytes(of: UInt32(truncatingIfNeeded: count).bigEndian, toByteOffset: 1, as: UInt32.self)
    }

    private static func withField(_ name: StaticString, _ value: StaticString, _ body: (mw_field) -> Void) {
        name.withUTF8Buffer { name in
            value.withUTF8Buffer { body(mw_field(name: slice(name), value: slice($0))) }
        }
    }

    private static func withAll(
        _ fields: ArraySlice<(StaticString, [UInt8])>, _ list: [mw_field], _ body: ([mw_field]) -> Void
    ) {
        guard let first = fields.first else { return body(list) }
        first.0.withUTF8Buffer { name in
            first.1.withUnsafeBufferPointer { value in
                let field = mw_field(name: slice(name), value: slice(value))
                withAll(fields.dropFirst(), list + [field], body)
            }
        }
    }

    private static func withFields(_ fields: [mw_field], _ body: (UnsafePointer<mw_field>?, Int) -> Void) {
        fields.withUnsafeBufferPointer { body($0.baseAddress, $0.count) }
    }

    private static func slice(_ bytes: UnsafeBufferPointer<UInt8>) -> mw_slice {
        mw_slice(
            data: bytes.baseAddress.map { UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self) }, size: bytes.count)
    }
}
