import Basics
import Inference

/// One request to a model, as it is kept: what was asked, what was answered, by which version, how fast.
///
/// On disk, little-endian, in this order: format (1 byte, 1), outcome (1), arm (1), a zero (1), the moment it was kept (8,
/// microseconds since 1970), nanoseconds of ingest, preprocess, inference, postprocess, serialise and all (4 each, at
/// most 4.29 s), rows the model ran at once (4), how many inputs and outputs there are (2 each); then as texts (2 bytes of
/// length, UTF-8) the id, the model, its version, and what went wrong; then the inputs and the outputs. Each of them has
/// its name and type as texts, its rank (1), its sizes (8 each), what its content is (1: 0 nothing, 1 its elements, 2 the
/// SHA-256 of them in hexadecimal), the content's length (4), the content. Nothing follows.
public struct TensorRecord: Sendable, Equatable {
    public var id: String
    public var model: String
    public var version: String
    public var arm: Arm
    public var outcome: Outcome
    public var recorded: Timestamp
    /// To the nanosecond up to 4.29 s, and no more than that.
    public var stages: StageTimes
    /// Rows the model ran at once for it and for others; 0 where it did not run.
    public var batchRows: Int
    /// What went wrong; empty where nothing did.
    public var error: String
    public var inputs: [Part]
    public var outputs: [Part]

    /// What became of a request.
    public enum Outcome: UInt8, Sendable, Codable, CaseIterable {
        case answered = 0
        /// Answered without a run of its own.
        case cached = 1
        case failed = 2

        /// As clients are told.
        public var name: String {
            switch self {
            case .answered: "answered"
            case .cached: "cached"
            case .failed: "failed"
            }
        }
    }

    /// An input or an output.
    public struct Part: Sendable, Equatable {
        public var name: String
        public var type: TensorType
        public var shape: [Int]
        public var content: Content

        public init(name: String, type: TensorType, shape: [Int], content: Content) {
            self.name = name
            self.type = type
            self.shape = shape
            self.content = content
        }

        /// The tensor; nil where its elements were not kept, or are not what type and shape say.
        public var tensor: Tensor? {
            guard case .elements(let bytes) = content else { return nil }
            return try? Tensor(
                type: type, shape: shape, storage: bytes.withUnsafeBytes { TensorStorage(copying: $0) })
        }
    }

    /// What is kept of the elements.
    public enum Content: Sendable, Equatable {
        case nothing
        /// As ``Tensor`` has them.
        case elements([UInt8])
        /// 64 hexadecimal digits of their SHA-256.
        case digest(String)
    }

    public init(
        id: String, model: String, version: String, arm: Arm = .stable, outcome: Outcome, recorded: Timestamp,
        stages: StageTimes, batchRows: Int = 0, error: String = "", inputs: [Part], outputs: [Part]
    ) {
        self.id = id
        self.model = model
        self.version = version
        self.arm = arm
        self.outcome = outcome
        self.recorded = recorded
        self.stages = stages
        self.batchRows = batchRows
        self.error = error
        self.inputs = inputs
        self.outputs = outputs
    }

    /// Reads a record; nil where the bytes are not one.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        var reader = RecordReading(bytes)
        guard reader.integer(UInt8.self) == 1, let outcome = reader.integer(UInt8.self).flatMap(Outcome.init),
            let arm = reader.integer(UInt8.self).flatMap(Arm.init), reader.integer(UInt8.self) == 0,
            let moment = reader.integer(Int64.self)
        else { return nil }
        var times: [UInt64] = []
        for _ in RequestStage.allCases {
            guard let nanoseconds = reader.integer(UInt32.self) else { return nil }
            times.append(UInt64(nanoseconds))
        }
        guard let rows = reader.integer(UInt32.self), let inputCount = reader.integer(UInt16.self),
            let outputCount = reader.integer(UInt16.self), let id = reader.text(), let model = reader.text(),
            let version = reader.text(), let error = reader.text()
        else { return nil }
        var parts: [Part] = []
        for _ in 0..<Int(inputCount) + Int(outputCount) {
            guard let part = reader.part() else { return nil }
            parts.append(part)
        }
        guard reader.isAtEnd else { return nil }
        self.init(
            id: id, model: model, version: version, arm: arm, outcome: outcome,
            recorded: Timestamp(microseconds: moment),
            stages: StageTimes(
                ingest: times[0], preprocess: times[1], inference: times[2], postprocess: times[3],
                serialise: times[4], total: times[5]),
            batchRows: Int(rows), error: error, inputs: Array(parts.prefix(Int(inputCount))),
            outputs: Array(parts.dropFirst(Int(inputCount))))
    }

    /// The record as it lies on disk.
    public func encoded() -> [UInt8] {
        var writer = TensorRecordWriter(
            id: id, model: model, version: version, arm: arm, outcome: outcome,
            recorded: recorded.microseconds, stages: stages, batchRows: batchRows, error: error,
            inputs: inputs.count, outputs: outputs.count, capacity: 256)
        for part in inputs + outputs {
            writer.begin(part.name, part.type, part.shape)
            switch part.content {
            case .nothing: writer.endWithoutContent()
            case .elements(let bytes): bytes.withUnsafeBytes { writer.end(elements: $0) }
            case .digest(let digest): writer.end(digest: digest)
            }
        }
        return writer.bytes
    }
}

/// Reads the parts of a record one after another; nil where the bytes end before.
private struct RecordReading {
    private let bytes: UnsafeRawBufferPointer
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) -> Value? {
        let size = MemoryLayout<Value>.size
        guard bytes.count - position >= size else { return nil }
        defer { position += size }
        return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: type))
    }

    mutating func slice(_ count: Int) -> UnsafeRawBufferPointer? {
        guard count >= 0, bytes.count - position >= count else { return nil }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }

    mutating func text() -> String? {
        integer(UInt16.self).flatMap { slice(Int($0)) }.map { String(decoding: $0, as: UTF8.self) }
    }

    mutating func part() -> TensorRecord.Part? {
        guard let name = text(), let type = text().flatMap(TensorType.init), let rank = integer(UInt8.self) else {
            return nil
        }
        var shape: [Int] = []
        for _ in 0..<rank {
            guard let size = integer(Int64.self), size >= 0 else { return nil }
            shape.append(Int(size))
        }
        guard let kind = integer(UInt8.self), let count = integer(UInt32.self), let content = slice(Int(count)) else {
            return nil
        }
        switch kind {
        case 0 where count == 0: return .init(name: name, type: type, shape: shape, content: .nothing)
        case 1: return .init(name: name, type: type, shape: shape, content: .elements([UInt8](content)))
        case 2:
            guard let digest = Digest(String(decoding: content, as: UTF8.self)) else { return nil }
            return .init(name: name, type: type, shape: shape, content: .digest(digest.hex))
        default: return nil
        }
    }
}
