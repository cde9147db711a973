import Basics
import CSimdJSON
import Features

/// Writes results straight from the stored rows. What features of one view share, event times and mostly statuses, is
/// written once and then copied.
struct OnlineAnswer {
    private var moments = MomentText()
    private var statuses: [OnlineStatus] = []
    /// Where the event times and the statuses of a view's rows stand in the output.
    private var shared: [Int: (times: Range<Int>, statuses: Range<Int>)] = [:]
    private static let microsecondsASecond: Int64 = 1_000_000

    /// One result with the values of a join key as they were sent.
    func appendKey(_ values: UnsafeBufferPointer<mw_node>, to output: AnswerBuffer) {
        output.append("{\"values\":[")
        for (index, node) in values.enumerated() {
            if index > 0 { output.append(UInt8(ascii: ",")) }
            Self.append(node.value, to: output)
        }
        repeatFor(values.count, "],\"statuses\":[", "\"PRESENT\"", to: output)
        repeatFor(values.count, "],\"event_timestamps\":[", MomentText.none, to: output)
        output.append("]}")
    }

    /// One result for each output of a batch, each after a comma.
    mutating func append(_ batch: OnlineBatch, asFeast: Bool, to output: AnswerBuffer) {
        shared.removeAll(keepingCapacity: true)
        for (index, column) in batch.reader.outputs.enumerated() {
            output.append(",{\"values\":[")
            let hasNulls = appendValues(batch, index, asFeast, to: output)
            output.append("],\"statuses\":[")
            let known = shared[column.part]
            let statusStart = output.count
            if hasNulls {
                for (index, status) in statuses.enumerated() {
                    if index > 0 { output.append(UInt8(ascii: ",")) }
                    Self.append(status, to: output)
                }
            } else if let known {
                output.append(again: known.statuses)
            } else {
                appendRowStatuses(batch, column.part, asFeast, to: output)
            }
            let statusEnd = output.count
            output.append("],\"event_timestamps\":[")
            if let known {
                output.append(again: known.times)
            } else {
                let start = output.count
                appendTimes(batch, column.part, to: output)
                // Where this feature has nulls, the view's own statuses are still to be written.
                if !hasNulls { shared[column.part] = (start..<output.count, statusStart..<statusEnd) }
            }
            output.append("]}")
        }
    }

    /// - Returns: whether a value is null in a row that may be used; ``statuses`` then holds all statuses.
    private mutating func appendValues(
        _ batch: OnlineBatch, _ index: Int, _ asFeast: Bool, to output: AnswerBuffer
    ) -> Bool {
        var hasNulls = false
        var isFirst = true
        statuses.removeAll(keepingCapacity: true)
        batch.forEachCell(index, keepsStale: asFeast) { status, cell in
            if isFirst { isFirst = false } else { output.append(UInt8(ascii: ",")) }
            Self.append(cell, to: output)
            if status == .nullValue { hasNulls = true }
            statuses.append(asFeast && status != .notFound ? .present : status)
        }
        return hasNulls && !asFeast
    }

    private func appendRowStatuses(_ batch: OnlineBatch, _ part: Int, _ asFeast: Bool, to output: AnswerBuffer) {
        var isFirst = true
        batch.forEachRow(part) { status, _ in
            if isFirst { isFirst = false } else { output.append(UInt8(ascii: ",")) }
            Self.append(asFeast && status != .notFound ? .present : status, to: output)
        }
    }

    private mutating func appendTimes(_ batch: OnlineBatch, _ part: Int, to output: AnswerBuffer) {
        var isFirst = true
        batch.forEachRow(part) { _, eventTime in
            if isFirst { isFirst = false } else { output.append(UInt8(ascii: ",")) }
            if let eventTime { moments.append(eventTime, to: output) } else { output.append(MomentText.none) }
        }
    }

    private func repeatFor(_ count: Int, _ before: StaticString, _ text: StaticString, to output: AnswerBuffer) {
        output.append(before)
        for index in 0..<count {
            if index > 0 { output.append(UInt8(ascii: ",")) }
            output.append(text)
        }
    }

    private static func append(_ status: OnlineStatus, to output: AnswerBuffer) {
        switch status {
        case .present: output.append("\"PRESENT\"")
        case .nullValue: output.append("\"NULL_VALUE\"")
        case .notFound: output.append("\"NOT_FOUND\"")
        case .outsideMaxAge: output.append("\"OUTSIDE_MAX_AGE\"")
        }
    }

    private static func append(_ cell: OnlineCell, to output: AnswerBuffer) {
        switch cell {
        case .null: output.append("null")
        case .double(let number): output.append(number)
        case .float(let number): output.append(number)
        case .integer(let number): output.append(number)
        case .boolean(let flag): output.append(flag ? "true" : "false")
        case .timestamp(let moment):
            // Feast's moments are whole seconds.
            let remainder = moment % microsecondsASecond
            output.append(moment / microsecondsASecond - (remainder < 0 ? 1 : 0))
        case .text(let text): output.append(jsonString: text)
        case .list(let list):
            output.append(UInt8(ascii: "["))
            var isFirst = true
            for element in list {
                if isFirst { isFirst = false } else { output.append(UInt8(ascii: ",")) }
                append(element, to: output)
            }
            output.append(UInt8(ascii: "]"))
        }
    }

    private static func append(_ value: mw_value, to output: AnswerBuffer) {
        switch value.kind {
        case MW_VALUE_BOOL: output.append(value.boolean ? "true" : "false")
        case MW_VALUE_INT64: output.append(value.int64)
        case MW_VALUE_UINT64: output.append(Array("\(value.uint64)".utf8))
        case MW_VALUE_DOUBLE: output.append(value.number)
        case MW_VALUE_TEXT:
            output.append(jsonString: UnsafeRawBufferPointer(start: value.text.text, count: value.text.length))
        default: output.append("null")
        }
    }
}
