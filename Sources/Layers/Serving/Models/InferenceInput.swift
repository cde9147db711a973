import Inference

/// One request to a model, read from whatever protocol it came by.
public struct InferenceInput: Sendable {
    /// One for each of the model's inputs, in the model's order.
    public var tensors: [Tensor]
    /// Indices into the model's outputs, without repetition, in the order in which they are wanted.
    public var wanted: [Int]
    /// The moment of ``SystemTime/monotonicNanoseconds`` after which nobody wants the answer; nil for none.
    public var deadline: UInt64?
    /// 1 goes first, then 2 and so on; 0 stands for the model's usual level.
    public var priority: Int
    /// What the caller calls the request.
    public var id: String?
    /// The moment of ``SystemTime/monotonicNanoseconds`` when it was ready for the model; 0 for when it is handed over.
    public var arrived: UInt64 = 0

    public init(tensors: [Tensor], wanted: [Int], deadline: UInt64? = nil, priority: Int = 0, id: String? = nil) {
        self.tensors = tensors
        self.wanted = wanted
        self.deadline = deadline
        self.priority = priority
        self.id = id
    }

    /// The size of the first dimension: what a model counts where it stacks rows. 1 where there is no dimension.
    var rows: Int { tensors.first?.shape.first ?? 1 }
}

/// The answer to one request, and where its time went.
public struct InferenceOutcome: Sendable {
    /// One for each of the outputs that were wanted, in that order.
    public var outputs: [Tensor]
    /// How long it waited for its turn.
    public var queueNanoseconds: UInt64
    /// How long it took to put its rows together with those of others.
    public var inputNanoseconds: UInt64
    /// How long the model ran.
    public var inferNanoseconds: UInt64
    /// How long it took to cut its rows out of the answer.
    public var outputNanoseconds: UInt64
    /// Rows the model ran at once for it and for others.
    public var batchRows: Int
    /// Whether it was not run for this request.
    public var isCached = false

    public init(
        outputs: [Tensor], queueNanoseconds: UInt64 = 0, inputNanoseconds: UInt64 = 0, inferNanoseconds: UInt64 = 0,
        outputNanoseconds: UInt64 = 0, batchRows: Int = 1
    ) {
        self.outputs = outputs
        self.queueNanoseconds = queueNanoseconds
        self.inputNanoseconds = inputNanoseconds
        self.inferNanoseconds = inferNanoseconds
        self.outputNanoseconds = outputNanoseconds
        self.batchRows = batchRows
    }
}
