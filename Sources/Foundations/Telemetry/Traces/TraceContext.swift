/// What a caller says of the trace that its request belongs to (W3C Trace Context, section 3.2).
struct TraceContext: Equatable {
    /// 32 hexadecimal digits.
    let traceID: String
    /// 16 hexadecimal digits: the caller's span.
    let parentID: String
    /// Whether the caller keeps its part of the trace.
    let isSampled: Bool

    /// Nil for what is no `traceparent`.
    init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.count >= 4, parts[0].count == 2, parts[1].count == 32, parts[2].count == 16, parts[3].count == 2,
            parts[0...3].allSatisfy({ $0.allSatisfy(TraceContext.isHex) }), !parts[0].elementsEqual("ff".utf8),
            parts.count == 4 || !parts[0].elementsEqual("00".utf8),
            parts[1].contains(where: { $0 != UInt8(ascii: "0") }), parts[2].contains(where: { $0 != UInt8(ascii: "0") })
        else { return nil }
        traceID = String(decoding: parts[1], as: UTF8.self)
        parentID = String(decoding: parts[2], as: UTF8.self)
        isSampled = (UInt8(String(decoding: parts[3], as: UTF8.self), radix: 16) ?? 0) & 1 == 1
    }

    private static func isHex(_ byte: UInt8) -> Bool { (48...57).contains(byte) || (97...102).contains(byte) }
}
