import Basics
import Inference

/// One answer of an endpoint or a model as its record tells of it.
public struct KeptPrediction: Sendable, Codable, Equatable {
    public var id: String
    /// What was asked: an endpoint or a model.
    public var kind: Kind
    /// The name of the endpoint or the model.
    public var model: String
    public var version: String
    public var arm: String
    /// `answered`; `fallback` where the stable version answered for a canary that failed; `cached`; `failed`.
    public var outcome: String
    public var recorded: Timestamp
    /// The moment an endpoint's prediction is for.
    public var eventTime: Timestamp?
    /// In nanoseconds. Of an endpoint's answer only what had passed when it was kept.
    public var stages: StageTimes
    /// What went wrong; nil where nothing did.
    public var error: String?
    public var inputs: [Part]
    public var outputs: [Part]

    public enum Kind: String, Sendable, Codable, CaseIterable {
        case endpoint
        case model

        /// The kind of the channels that hold such records, as `RecordChannels` knows it.
        var channel: String {
            switch self {
            case .endpoint: "predictions"
            case .model: RequestRecords.kind
            }
        }
    }

    /// An input or an output.
    public struct Part: Sendable, Codable, Equatable {
        public var name: String
        public var datatype: String
        public var shape: [Int]
        /// The elements in a row, null where one is no finite number; nil where they were not kept.
        public var data: [JSONValue]?
        /// The SHA-256 of the elements, where they were too many.
        public var digest: String?
        /// What the elements stand for, where that is known.
        public var labels: [String]?
    }

    /// - Parameters:
    ///   - name: of the endpoint.
    ///   - features: the names of the features it has now.
    init(_ record: PredictionRecord, endpoint name: String, features: [String]?) {
        id = record.id
        kind = .endpoint
        model = name
        version = String(record.version)
        arm = record.arm.name
        outcome = record.outcome == .answered ? "answered" : "fallback"
        recorded = record.recorded
        eventTime = record.eventTime
        let (ingest, joined, ran) = (
            UInt64(record.ingestNanoseconds), UInt64(record.featureNanoseconds), UInt64(record.inferenceNanoseconds)
        )
        stages = StageTimes(ingest: ingest, preprocess: joined, inference: ran, total: ingest + joined + ran)
        inputs = [
            Part(
                name: "features", datatype: TensorType.fp64.rawValue, shape: [record.features.count],
                data: record.features.map(JSONValue.init(finite:)),
                labels: features.flatMap { $0.count == record.features.count ? $0 : nil })
        ]
        outputs = [
            Part(
                name: "score", datatype: TensorType.fp64.rawValue, shape: [1],
                data: [JSONValue(finite: record.output)])
        ]
    }

    init(_ record: TensorRecord) {
        id = record.id
        kind = .model
        model = record.model
        version = record.version
        arm = record.arm.name
        outcome = record.outcome.name
        recorded = record.recorded
        stages = record.stages
        error = record.error.isEmpty ? nil : record.error
        inputs = record.inputs.map(Part.init)
        outputs = record.outputs.map(Part.init)
    }
}

extension KeptPrediction.Part {
    fileprivate init(_ part: TensorRecord.Part) {
        name = part.name
        datatype = part.type.rawValue
        shape = part.shape
        data = part.tensor?.documents
        if case .digest(let digest) = part.content { self.digest = digest }
    }
}

extension JSONValue {
    /// A number; null where it is none.
    init(finite number: Double) { self = number.isFinite ? .number(number) : .null }
}

extension Tensor {
    /// The elements in a row.
    fileprivate var documents: [JSONValue] {
        func whole<Number: BitwiseCopyable & BinaryInteger>(_ type: Number.Type) -> [JSONValue] {
            (values(as: type) ?? []).map { value in
                Int64(exactly: value).map(JSONValue.integer) ?? .number(Double(value))
            }
        }
        switch type {
        case .bool: return (values(as: UInt8.self) ?? []).map { .bool($0 != 0) }
        case .uint8: return whole(UInt8.self)
        case .uint16: return whole(UInt16.self)
        case .uint32: return whole(UInt32.self)
        case .uint64: return whole(UInt64.self)
        case .int8: return whole(Int8.self)
        case .int16: return whole(Int16.self)
        case .int32: return whole(Int32.self)
        case .int64: return whole(Int64.self)
        case .fp16: return (values(as: UInt16.self) ?? []).map { JSONValue(finite: Double(Float16(bitPattern: $0))) }
        case .bf16:
            return (values(as: UInt16.self) ?? []).map {
                JSONValue(finite: Double(Float(bitPattern: UInt32($0) << 16)))
            }
        case .fp32: return (values(as: Float.self) ?? []).map { JSONValue(finite: Double($0)) }
        case .fp64: return (values(as: Double.self) ?? []).map(JSONValue.init(finite:))
        case .bytes: return (strings ?? []).map { .string(String(decoding: $0, as: UTF8.self)) }
        }
    }
}
