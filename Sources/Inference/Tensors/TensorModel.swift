/// The name, type and shape of an input or output.
public struct TensorSpec: Sendable, Codable, Equatable {
    public let name: String
    public let datatype: TensorType
    /// -1 stands for a size that each request chooses. Of outputs this is what the file declares; what ran decides.
    public let shape: [Int]
    /// Other types that are converted to `datatype` without loss or as the runtime's own clients do.
    public let alsoAccepted: [TensorType]
    /// What the last dimension's elements stand for, such as the classes of a classifier, in order; nil where the file
    /// does not tell.
    public let labels: [String]?

    public init(
        name: String, datatype: TensorType, shape: [Int], alsoAccepted: [TensorType] = [], labels: [String]? = nil
    ) {
        self.name = name
        self.datatype = datatype
        self.shape = shape
        self.alsoAccepted = alsoAccepted
        self.labels = labels
    }

    /// - Throws: ``InferenceError`` where `tensor` is of another type, rank or size.
    public func check(_ tensor: Tensor) throws {
        guard tensor.type == datatype || alsoAccepted.contains(tensor.type) else {
            throw InferenceError.shape(
                "input '\(name)' takes \(datatype.rawValue) and was given \(tensor.type.rawValue)")
        }
        guard tensor.shape.count == shape.count, zip(shape, tensor.shape).allSatisfy({ $0 < 0 || $0 == $1 }) else {
            throw InferenceError.shape("input '\(name)' has the shape \(shape) and was given \(tensor.shape)")
        }
    }
}

/// A loaded model that turns named tensors into named tensors. Safe to ask from several threads at once.
public protocol TensorModel: Sendable {
    /// What the protocol calls the platform, such as `onnxruntime_onnx`.
    var platform: String { get }

    /// In the order in which `run` takes them.
    var inputs: [TensorSpec] { get }

    var outputs: [TensorSpec] { get }

    /// Whether the first dimension of every input and output counts rows that do not touch each other, so that rows of
    /// several requests may be run together and their answers be cut apart.
    var stacksRows: Bool { get }

    /// Names of the columns of its one input, which has rows of them; nil where it does not know any.
    var columnNames: [String]? { get }

    /// Bytes of memory it keeps, as far as that is known; for a budget.
    var byteCount: Int { get }

    /// Runs the model.
    ///
    /// - Parameters:
    ///   - inputs: one tensor for each of `inputs`, in order, each checked by ``TensorSpec/check(_:)``.
    ///   - wanted: indices into `outputs`, without repetition.
    /// - Returns: one tensor for each of `wanted`, in that order; their shapes are what ran.
    /// - Throws: ``InferenceError`` where the runtime fails, or the inputs do not fit each other.
    func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor]
}

extension TensorModel {
    public var columnNames: [String]? { nil }

    /// The index of an output.
    public func output(named name: String) -> Int? { outputs.firstIndex { $0.name == name } }
}

/// A model that is run by processes of its own, whose number can change while it answers.
public protocol ScalableModel: TensorModel {
    /// Processes that answer or are being started.
    var replicas: Int { get }

    /// Has so many from now on; returns at once. With none, the first request that comes waits for one.
    func scale(to count: Int)
}
