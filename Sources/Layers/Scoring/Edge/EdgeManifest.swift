import Basics
import Inference

/// What the folder of an exported model tells of it; the runner reads the first part.
public struct EdgeManifest: Sendable, Codable, Equatable {
    /// An input or output.
    public struct Place: Sendable, Codable, Equatable {
        public let name: String
        public let datatype: TensorType
        /// -1 stands for a size that each request chooses.
        public let shape: [Int]
        /// Of an input: what its values are called in a table.
        public let columns: [String]?
        /// Of an output: the classes its last dimension stands for.
        public let labels: [String]?
    }

    public struct File: Sendable, Codable, Equatable {
        /// 64 hexadecimal digits.
        public let sha256: String
        public let bytes: Int
    }

    /// What was exported.
    public struct Source: Sendable, Codable, Equatable {
        /// As the caller named it.
        public let reference: String
        /// Of the model's files before anything was done to them.
        public let digest: Digest
    }

    public struct Made: Sendable, Codable, Equatable {
        public let at: Timestamp
        /// The program and its version.
        public let by: String
    }

    /// The form that this release writes and the runner reads.
    public static let currentFormat = 1

    public let format: Int
    public let name: String
    public let version: String
    public let runtime: ModelFiles.Runtime
    /// The model itself among the files.
    public let model: String
    /// What lies in the folder `model`.
    public let files: [String: File]
    public let inputs: [Place]
    public let outputs: [Place]
    public let source: Source
    public let made: Made
    /// Calls of one row that the runner made on the machine that exported.
    public let measured: EdgeMeasurement
    /// How the model in whole numbers compares with the one it was made from; nil where none was made.
    public let quantization: EdgeJudgement?
}

/// What the runner measured: from the text of a row to the text of its answer, one after another on one thread.
public struct EdgeMeasurement: Sendable, Codable, Equatable {
    public let calls: Int
    /// Percentiles of the time of a call, in microseconds.
    public let p50: Double
    public let p99: Double
    public let p999: Double
    /// Processor time of a call, in microseconds.
    public let processor: Double
    /// The largest resident size of the process, in MiB.
    public let peakMemory: Double

    enum CodingKeys: String, CodingKey {
        case calls
        case p50 = "p50_us"
        case p99 = "p99_us"
        case p999 = "p999_us"
        case processor = "processor_us"
        case peakMemory = "peak_memory_mb"
    }
}

/// A model in whole numbers beside the one it was made from, on the same examples and the same machine.
public struct EdgeJudgement: Sendable, Codable, Equatable {
    /// One of the two.
    public struct Side: Sendable, Codable, Equatable {
        public let bytes: Int
        public let quality: Double
        public let measured: EdgeMeasurement
    }

    /// What is compared.
    public enum Measure: String, Sendable, Codable {
        /// The share of examples whose class is right.
        case accuracy
        /// The area under the ROC curve, of one score against labels of two kinds.
        case auc
        /// The root of the mean squared error against the labels; the loss is how much larger it became.
        case rmse
        /// Without labels: the share of examples whose class is that of the original.
        case agreement
        /// Without labels: the root of the mean squared difference from the original's answers, in their standard
        /// deviations.
        case deviation
    }

    public let method: EdgeQuantization
    public let measure: Measure
    public let examples: Int
    /// How much worse the model became, as a share; below 0 where it became better.
    public let loss: Double
    public let maxLoss: Double
    public let fp32: Side
    public let int8: Side

    /// Whether the loss may be had.
    public var isAccepted: Bool { loss <= maxLoss }

    /// Change of the median call, of processor time and of the files, as shares: -0.4 is 40% less.
    public var latencyChange: Double { int8.measured.p50 / max(fp32.measured.p50, 1e-9) - 1 }
    public var processorChange: Double { int8.measured.processor / max(fp32.measured.processor, 1e-9) - 1 }
    public var sizeChange: Double { Double(int8.bytes) / Double(max(1, fp32.bytes)) - 1 }

    enum CodingKeys: String, CodingKey {
        case method, measure, examples, loss, fp32, int8
        case maxLoss = "max_loss"
    }
}

/// What came of an export.
public struct EdgeReport: Sendable, Encodable {
    /// The folder; nil where nothing was written because the loss is too large.
    public let folder: String?
    public let manifest: EdgeManifest
    /// Bytes of the whole folder and of its parts.
    public let bytes: Int
    public let modelBytes: Int
    public let libraryBytes: Int
    public let runnerBytes: Int

    enum CodingKeys: String, CodingKey {
        case folder, manifest, bytes
        case modelBytes = "model_bytes"
        case libraryBytes = "library_bytes"
        case runnerBytes = "runner_bytes"
    }
}
