import Basics

/// Many points of one metric of one run, packed: what a history of a million points is made of.
///
/// The bytes: the number 1 for this form; then for each point its time and its step, each as the difference to the point
/// before, zigzag and in groups of seven bits; then the value of each, eight bytes from the lowest. What is no number is a
/// NaN. Clients log at even distances, so that a point takes about eleven bytes.
struct MetricBlock {
    /// In ascending order, each once.
    let points: [MetricPoint]

    /// A block is cut after so many points.
    static let length = 1024
    /// So many points of one metric in one change make a block at once.
    static let least = 256
    private static let form: UInt8 = 1

    init(_ points: [MetricPoint]) { self.points = points }

    /// - Throws: ``ExperimentsFailure/damagedHistory(_:)`` for bytes that are no block of so many points.
    init(_ bytes: [UInt8], count: Int, key: String) throws {
        var points: [MetricPoint] = []
        let isSound = bytes.withUnsafeBytes { raw -> Bool in
            guard raw.first == Self.form, count >= 0, raw.count >= 1, (raw.count - 1) / 10 >= count else {
                return false
            }
            let values = raw.count - 8 * count
            points.reserveCapacity(count)
            var place = 1
            var time: Int64 = 0
            var step: Int64 = 0
            for index in 0..<count {
                guard let ahead = Self.difference(raw, &place, values), let up = Self.difference(raw, &place, values)
                else { return false }
                time &+= ahead
                step &+= up
                let bits = raw.loadUnaligned(fromByteOffset: values + 8 * index, as: UInt64.self)
                points.append(
                    MetricPoint(
                        key: key, value: Double(bitPattern: UInt64(littleEndian: bits)), step: step,
                        time: Timestamp(microseconds: time)))
            }
            return place == values
        }
        guard isSound else { throw ExperimentsFailure.damagedHistory(key) }
        self.points = points
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = [Self.form]
        bytes.reserveCapacity(1 + points.count * 14)
        var time: Int64 = 0
        var step: Int64 = 0
        for point in points {
            Self.append(point.time.microseconds &- time, to: &bytes)
            Self.append(point.step &- step, to: &bytes)
            (time, step) = (point.time.microseconds, point.step)
        }
        for point in points {
            withUnsafeBytes(of: point.value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    private static func append(_ difference: Int64, to bytes: inout [UInt8]) {
        var rest = UInt64(bitPattern: (difference << 1) ^ (difference >> 63))
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    @inline(__always)
    private static func difference(_ raw: UnsafeRawBufferPointer, _ place: inout Int, _ end: Int) -> Int64? {
        var number: UInt64 = 0
        var shift: UInt64 = 0
        while place < end, shift < 64 {
            let byte = raw[place]
            place += 1
            number |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return Int64(bitPattern: number >> 1) ^ -Int64(bitPattern: number & 1) }
            shift += 7
        }
        return nil
    }
}

extension MetricPoint {
    /// The order of a history: time, step, value; what is no number counts as 0 and comes after it.
    static func comesBefore(_ one: MetricPoint, _ other: MetricPoint) -> Bool {
        if one.time != other.time { return one.time < other.time }
        if one.step != other.step { return one.step < other.step }
        if one.stored != other.stored { return one.stored < other.stored }
        return !one.value.isNaN && other.value.isNaN
    }

    /// The order of plots: step first.
    static func plotsBefore(_ one: MetricPoint, _ other: MetricPoint) -> Bool {
        one.step != other.step ? one.step < other.step : comesBefore(one, other)
    }

    /// Whether it is the same record, where one NaN equals another.
    func isSame(as other: MetricPoint) -> Bool {
        time == other.time && step == other.step && stored == other.stored && value.isNaN == other.value.isNaN
    }

    /// As it comes back from the store.
    var asKept: MetricPoint {
        var kept = self
        if !value.isNaN { kept.value = stored == 0 ? 0 : stored }
        return kept
    }

    /// Points in the order of a history, each once.
    static func history(of points: [MetricPoint]) -> [MetricPoint] {
        var ordered = points
        let isOrdered = zip(points, points.dropFirst()).allSatisfy { comesBefore($0, $1) }
        guard !isOrdered else { return points }
        ordered.sort(by: comesBefore)
        var distinct: [MetricPoint] = []
        distinct.reserveCapacity(ordered.count)
        for point in ordered {
            if let last = distinct.last, last.isSame(as: point) { continue }
            distinct.append(point)
        }
        return distinct
    }
}
