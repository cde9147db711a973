import Basics
import ObjectStorage

/// What the record of an endpoint holds, each id once: for proving that nothing acknowledged was lost or changed.
public struct RecordTotals: Sendable, Codable, Equatable {
    public var predictions: Part
    public var labels: Part

    /// One kind of record.
    public struct Part: Sendable, Codable, Equatable {
        /// Different ids.
        public var distinct = 0
        /// Records, repeated ids included.
        public var records = 0
        /// Records whose content is not that of the first record of their id.
        public var conflicting = 0
        /// 16 hexadecimal digits: the exclusive or over all different ids of the hash of id and content, so that the
        /// order of records does not matter.
        public var digest = RecordTotals.hexadecimal(0)
    }

    /// What an answer adds to ``Part/digest``: the hash of `ID=` and the output's bits in hexadecimal.
    public static func hash(prediction id: String, output: Double) -> UInt64 {
        SplitMix.hash("\(id)=\(hexadecimal(output.bitPattern))")
    }

    /// What a label adds to ``Part/digest``: the hash of `ID=`, the value's bits in hexadecimal, `@` and its time in
    /// microseconds.
    public static func hash(_ label: LabelRecord) -> UInt64 {
        SplitMix.hash("\(label.id)=\(hexadecimal(label.value.bitPattern))@\(label.time.microseconds)")
    }

    /// 16 lower-case hexadecimal digits.
    public static func hexadecimal(_ value: UInt64) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: 16 - text.count) + text
    }

    /// Counts records of one kind.
    private struct Counter {
        private var known: [String: UInt64] = [:]
        private var part = Part()
        private var digest: UInt64 = 0

        mutating func add(_ id: String, _ hash: UInt64) {
            part.records += 1
            if let first = known[id] {
                if first != hash { part.conflicting += 1 }
                return
            }
            known[id] = hash
            digest ^= hash
        }

        var total: Part {
            var total = part
            total.distinct = known.count
            total.digest = RecordTotals.hexadecimal(digest)
            return total
        }
    }

    /// Reads the whole record of an endpoint; blocks while it reads.
    ///
    /// - Throws: what the record log throws where it is damaged.
    init(predictions: PredictionReader, labels: LabelReader) throws {
        var answered = Counter()
        try predictions.read { record, _ in
            answered.add(record.id, Self.hash(prediction: record.id, output: record.output))
        }
        var told = Counter()
        try labels.read { label, _ in told.add(label.id, Self.hash(label)) }
        self.predictions = answered.total
        self.labels = told.total
    }
}
