import Basics

/// Builds one log line as JSON bytes, without Foundation's encoder: a line costs about a microsecond. Credentials that
/// slipped into it are replaced by dots.
struct LogLine {
    private(set) var bytes: [UInt8] = []
    private var first = true

    init() {
        bytes.reserveCapacity(256)
        bytes.append(UInt8(ascii: "{"))
    }

    mutating func add(_ key: String, _ value: JSONValue) {
        if !first { bytes.append(UInt8(ascii: ",")) }
        first = false
        append(text: key)
        bytes.append(UInt8(ascii: ":"))
        append(value, named: key)
    }

    mutating func add(_ key: String, _ text: String) {
        if !first { bytes.append(UInt8(ascii: ",")) }
        first = false
        append(text: key)
        bytes.append(UInt8(ascii: ":"))
        append(text: text)
    }

    consuming func finish() -> [UInt8] {
        bytes.append(UInt8(ascii: "}"))
        bytes.append(UInt8(ascii: "\n"))
        return Redaction.redacted(bytes) ?? bytes
    }

    private mutating func append(_ value: JSONValue, named name: String = "") {
        switch value {
        case _ where !name.isEmpty && value != .null && Redaction.hides(name): append(text: "•••")
        case .null: bytes.append(contentsOf: "null".utf8)
        case .bool(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
        case .integer(let number): bytes.append(contentsOf: number.description.utf8)
        // JSON has no word for what is not a finite number.
        case .number(let number): bytes.append(contentsOf: (number.isFinite ? number.description : "null").utf8)
        case .string(let text): append(text: text)
        case .array(let elements):
            bytes.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                append(element)
            }
            bytes.append(UInt8(ascii: "]"))
        case .object(let members):
            bytes.append(UInt8(ascii: "{"))
            for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                append(text: member.key)
                bytes.append(UInt8(ascii: ":"))
                append(member.value, named: member.key)
            }
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private mutating func append(text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): bytes.append(contentsOf: "\\\"".utf8)
            case UInt8(ascii: "\\"): bytes.append(contentsOf: "\\\\".utf8)
            case UInt8(ascii: "\n"): bytes.append(contentsOf: "\\n".utf8)
            case UInt8(ascii: "\r"): bytes.append(contentsOf: "\\r".utf8)
            case UInt8(ascii: "\t"): bytes.append(contentsOf: "\\t".utf8)
            case 0..<32, 127:
                let digits = Array("0123456789abcdef".utf8)
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
