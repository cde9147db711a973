import CSimdJSON

/// JSON under construction, in memory that is kept from one answer to the next.
final class AnswerBuffer {
    private var start: UnsafeMutablePointer<UInt8>
    private(set) var count = 0
    private var capacity: Int
    /// What a buffer may keep after an answer.
    private static let keptBytes = 1 << 20

    init(capacity: Int = 16_384) {
        self.capacity = capacity
        start = .allocate(capacity: capacity)
    }

    deinit { start.deallocate() }

    /// What has been written; valid until the next change.
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }

    /// Begins anew, and gives the memory of a huge answer back.
    func clear() {
        count = 0
        guard capacity > Self.keptBytes else { return }
        start.deallocate()
        capacity = Self.keptBytes
        start = .allocate(capacity: capacity)
    }

    func append(_ byte: UInt8) {
        reserve(1)
        start[count] = byte
        count += 1
    }

    func append(_ text: StaticString) { append(text.utf8Start, text.utf8CodeUnitCount) }

    func append(_ bytes: [UInt8]) { bytes.withUnsafeBufferPointer { append($0.baseAddress, $0.count) } }

    /// Repeats what was written before.
    func append(again range: Range<Int>) {
        guard range.upperBound <= count else { return }
        reserve(range.count)
        (start + count).update(from: start + range.lowerBound, count: range.count)
        count += range.count
    }

    func append(_ number: Int64) {
        reserve(20)
        if number < 0 {
            start[count] = UInt8(ascii: "-")
            count += 1
        }
        count += Self.write(decimal: number.magnitude, to: start + count)
    }

    /// The shortest digits that read back to the same value, always as a fraction, so that clients see no integer;
    /// infinities as texts, as protocol buffers write them.
    func append(_ number: Double) {
        guard number.isFinite else { return append(infinity: number > 0, isNumber: !number.isNaN) }
        reserve(MW_NUMBER_CAPACITY + 2)
        shown { mw_double_format($0, number) }
    }

    /// With all digits of the double that is the same number, as Feast's server writes it: a client that reads doubles gets
    /// what history has.
    func append(_ number: Float) { append(Double(number)) }

    /// A text as a JSON string.
    func append(jsonString text: UnsafeRawBufferPointer) {
        let room = 6 * text.count + 2
        reserve(room)
        count += (start + count).withMemoryRebound(to: CChar.self, capacity: room) {
            mw_json_escape($0, room, text.baseAddress?.assumingMemoryBound(to: CChar.self), text.count)
        }
    }

    func append(jsonString text: String) {
        var text = text
        text.withUTF8 { append(jsonString: UnsafeRawBufferPointer($0)) }
    }

    /// Lets `fill` write up to `room` bytes at the end; it returns how many it wrote.
    func append(room: Int, _ fill: (UnsafeMutablePointer<UInt8>) -> Int) {
        reserve(room)
        count += min(room, max(0, fill(start + count)))
    }

    /// Writes the digits of a number, 20 bytes at most.
    /// - Returns: how many.
    static func write(decimal number: UInt64, to place: UnsafeMutablePointer<UInt8>) -> Int {
        var digits = 1
        var limit: UInt64 = 10
        while number >= limit {
            digits += 1
            let (next, overflow) = limit.multipliedReportingOverflow(by: 10)
            if overflow { break }
            limit = next
        }
        var rest = number
        var position = digits
        while position > 0 {
            position -= 1
            place[position] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        return digits
    }

    private func append(infinity isPositive: Bool, isNumber: Bool) {
        if !isNumber {
            append("\"NaN\"")
        } else if isPositive {
            append("\"Infinity\"")
        } else {
            append("\"-Infinity\"")
        }
    }

    private func shown(_ format: (UnsafeMutablePointer<CChar>) -> Int) {
        let length = (start + count).withMemoryRebound(to: CChar.self, capacity: Int(MW_NUMBER_CAPACITY), format)
        let end = count + length
        var isWhole = true
        for index in count..<end where start[index] == UInt8(ascii: ".") || start[index] == UInt8(ascii: "e") {
            isWhole = false
            break
        }
        count = end
        guard isWhole else { return }
        start[count] = UInt8(ascii: ".")
        start[count + 1] = UInt8(ascii: "0")
        count += 2
    }

    private func append(_ source: UnsafePointer<UInt8>?, _ length: Int) {
        guard let source else { return }
        reserve(length)
        (start + count).update(from: source, count: length)
        count += length
    }

    private func reserve(_ extra: Int) {
        guard count + extra > capacity else { return }
        capacity = max(capacity * 2, count + extra)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        larger.update(from: start, count: count)
        start.deallocate()
        start = larger
    }
}
