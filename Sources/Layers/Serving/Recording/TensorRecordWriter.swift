import Inference

/// Writes a ``TensorRecord`` piece by piece into memory of its own.
struct TensorRecordWriter {
    private(set) var bytes: [UInt8] = []

    /// Texts that are longer are cut.
    private static let textMax = 4096
    private static let rankMax = 255

    /// - Parameters:
    ///   - recorded: microseconds since 1970.
    ///   - capacity: bytes that are made room for at once.
    init(
        id: String, model: String, version: String, arm: Arm, outcome: TensorRecord.Outcome, recorded: Int64,
        stages: StageTimes, batchRows: Int, error: String, inputs: Int, outputs: Int, capacity: Int
    ) {
        bytes.reserveCapacity(capacity)
        bytes.append(1)
        bytes.append(outcome.rawValue)
        bytes.append(arm.rawValue)
        bytes.append(0)
        add(recorded)
        add(UInt32(clamping: stages.ingest))
        add(UInt32(clamping: stages.preprocess))
        add(UInt32(clamping: stages.inference))
        add(UInt32(clamping: stages.postprocess))
        add(UInt32(clamping: stages.serialise))
        add(UInt32(clamping: stages.total))
        add(UInt32(clamping: batchRows))
        add(UInt16(clamping: inputs))
        add(UInt16(clamping: outputs))
        add(id)
        add(model)
        add(version)
        add(error)
    }

    /// Begins an input or output, which one of the functions named `end` ends.
    mutating func begin(_ name: String, _ type: TensorType, _ shape: [Int]) {
        add(name)
        add(type.rawValue)
        let rank = min(shape.count, Self.rankMax)
        bytes.append(UInt8(rank))
        for size in shape.prefix(rank) { add(Int64(size)) }
    }

    mutating func endWithoutContent() {
        bytes.append(0)
        add(UInt32(0))
    }

    mutating func end(elements: UnsafeRawBufferPointer) {
        bytes.append(1)
        add(UInt32(clamping: elements.count))
        bytes.append(contentsOf: elements)
    }

    mutating func end(digest: String) {
        bytes.append(2)
        add(UInt32(clamping: digest.utf8.count))
        bytes.append(contentsOf: digest.utf8)
    }

    private mutating func add<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private mutating func add(_ text: String) {
        let count = text.utf8.count
        guard count > Self.textMax else {
            add(UInt16(count))
            bytes.append(contentsOf: text.utf8)
            return
        }
        // At the border of a character, so that it stays UTF-8.
        var (end, length) = (text.startIndex, 0)
        while end < text.endIndex {
            let size = text[end].utf8.count
            guard length + size <= Self.textMax else { break }
            length += size
            end = text.index(after: end)
        }
        add(UInt16(length))
        bytes.append(contentsOf: text[..<end].utf8)
    }
}
