import Basics
import Features

/// What an online read answers, written straight from the stored rows:
/// `{"entities":2,"features":[{"name":"view__feature","values":[…],"statuses":[…],"event_times":[…]}]}`.
///
/// Statuses are `PRESENT`, `NULL_VALUE`, `NOT_FOUND` and `OUTSIDE_MAX_AGE`; values are null unless present; moments are RFC
/// 3339; infinities are the texts `Infinity` and `-Infinity`.
enum OnlineAnswer {
    static func json(_ batch: OnlineBatch) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(64 + batch.reader.outputs.count * (64 + batch.entityCount * 48))
        append("{\"entities\":\(batch.entityCount),\"features\":[", &bytes)
        for (index, output) in batch.reader.outputs.enumerated() {
            append(index == 0 ? "{\"name\":" : ",{\"name\":", &bytes)
            text(output.fullName, &bytes)
            column("values", batch, index, &bytes) { cell($0.cell, &$1) }
            column("statuses", batch, index, &bytes) { append("\"\($0.status.name)\"", &$1) }
            column("event_times", batch, index, &bytes) { value, bytes in
                if let time = value.eventTime {
                    append("\"\(Timestamp(microseconds: time))\"", &bytes)
                } else {
                    append("null", &bytes)
                }
            }
            append("}", &bytes)
        }
        append("]}", &bytes)
        return bytes
    }

    private static func column(
        _ name: String, _ batch: OnlineBatch, _ output: Int, _ bytes: inout [UInt8],
        _ write: (OnlineBatch.Value, inout [UInt8]) -> Void
    ) {
        append(",\"\(name)\":[", &bytes)
        var isFirst = true
        batch.forEach(output) { value in
            if !isFirst { append(",", &bytes) }
            isFirst = false
            write(value, &bytes)
        }
        append("]", &bytes)
    }

    private static func cell(_ cell: OnlineCell, _ bytes: inout [UInt8]) {
        switch cell {
        case .null: append("null", &bytes)
        case .integer(let number): append("\(number)", &bytes)
        case .double(let value): number(value, "\(value)", &bytes)
        case .float(let value): number(Double(value), "\(value)", &bytes)
        case .boolean(let flag): append(flag ? "true" : "false", &bytes)
        case .timestamp(let moment): append("\"\(Timestamp(microseconds: moment))\"", &bytes)
        case .text(let content): quoted(content, &bytes)
        case .list(let list):
            append("[", &bytes)
            var isFirst = true
            for element in list {
                if !isFirst { append(",", &bytes) }
                isFirst = false
                self.cell(element, &bytes)
            }
            append("]", &bytes)
        }
    }

    private static func number(_ value: Double, _ digits: String, _ bytes: inout [UInt8]) {
        if value.isFinite {
            append(digits, &bytes)
        } else {
            append(value.isNaN ? "null" : value < 0 ? "\"-Infinity\"" : "\"Infinity\"", &bytes)
        }
    }

    private static func text(_ text: String, _ bytes: inout [UInt8]) {
        Array(text.utf8).withUnsafeBytes { quoted($0, &bytes) }
    }

    private static func quoted(_ content: UnsafeRawBufferPointer, _ bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        for byte in content {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20:
                append("\\u00", &bytes)
                bytes.append(hex(byte >> 4))
                bytes.append(hex(byte & 15))
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func hex(_ digit: UInt8) -> UInt8 { digit < 10 ? 48 + digit : 87 + digit }

    private static func append(_ text: StaticString, _ bytes: inout [UInt8]) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    private static func append(_ text: String, _ bytes: inout [UInt8]) { bytes.append(contentsOf: text.utf8) }
}
