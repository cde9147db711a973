import Basics

/// A loaded model that turns rows of numbers into rows of numbers.
///
/// Missing inputs are NaN. Implementations may be asked from several threads at once.
public protocol Model: Sendable {
    /// Numbers in one input row.
    var inputCount: Int { get }

    /// Numbers in one output row.
    var outputCount: Int { get }

    /// How many callers can use `predict(row:slot:into:)` at once without waiting for each other.
    var slotCount: Int { get }

    /// Scores `count` rows laid out one after the other.
    ///
    /// - Parameters:
    ///   - rows: at least `count * inputCount` numbers, row-major.
    ///   - into: at least `count * outputCount` numbers, written row-major.
    /// - Throws: `InferenceError` where a buffer is too short or the runtime fails.
    func predict(rows: UnsafeBufferPointer<Double>, count: Int, into: UnsafeMutableBufferPointer<Double>) throws

    /// Scores one row on the fastest path there is.
    ///
    /// - Parameters:
    ///   - row: `inputCount` numbers.
    ///   - slot: 0 ..< `slotCount`; a thread that keeps to a slot of its own never waits for another.
    ///   - into: at least `outputCount` numbers.
    func predict(row: UnsafeBufferPointer<Double>, slot: Int, into: UnsafeMutableBufferPointer<Double>) throws
}

extension Model {
    public var slotCount: Int { 1 }

    public func predict(row: UnsafeBufferPointer<Double>, slot: Int, into: UnsafeMutableBufferPointer<Double>) throws {
        try predict(rows: row, count: 1, into: into)
    }

    /// Scores one row and gives its outputs; for callers that do not count allocations.
    public func predict(row: [Double], slot: Int = 0) throws -> [Double] {
        try array(of: outputCount) { output in
            try row.withUnsafeBufferPointer { try predict(row: $0, slot: slot, into: output) }
        }
    }

    /// Scores `count` rows and gives their outputs, row-major; for callers that do not count allocations.
    public func predict(rows: [Double], count: Int) throws -> [Double] {
        // Room for the answers is made only once the rows are known to be there.
        let (inputs, tooManyInputs) = count.multipliedReportingOverflow(by: inputCount)
        let (outputs, tooManyOutputs) = count.multipliedReportingOverflow(by: outputCount)
        guard count >= 0, !tooManyInputs, !tooManyOutputs, rows.count == inputs else {
            throw InferenceError.shape("\(rows.count) values are not \(count) rows of \(inputCount) features")
        }
        return try array(of: outputs) { output in
            try rows.withUnsafeBufferPointer { try predict(rows: $0, count: count, into: output) }
        }
    }
}

/// A model that can say how much each input moved an answer.
public protocol ExplainableModel: Model {
    /// SHAP values of one row: for each output `inputCount` contributions and then the bias, in the model's raw margin
    /// (log-odds for a binary classifier). They sum to the raw score.
    func contributions(row: [Double]) throws -> [[Double]]
}

/// One kind of model file and how it is loaded.
public protocol ModelRuntime: Sendable {
    /// The name manifests use, such as `lightgbm`.
    var kind: String { get }

    /// Loads a model from the files of a bundle, by path inside the bundle.
    ///
    /// - Parameter slots: how many threads will ask for single rows at once.
    func load(files: [String: [UInt8]], slots: Int) throws -> any Model
}

/// The runtimes a process can load models with.
public struct ModelRuntimes: Sendable {
    private let byKind: [String: any ModelRuntime]

    /// - Parameter runtimes: of two with the same kind the last counts.
    public init(_ runtimes: [any ModelRuntime]) {
        byKind = Dictionary(runtimes.map { ($0.kind, $0) }) { _, last in last }
    }

    /// Every kind that can be loaded, sorted.
    public var kinds: [String] { byKind.keys.sorted() }

    /// - Throws: `InferenceError` where no runtime of that kind is there.
    public func runtime(for kind: String) throws -> any ModelRuntime {
        guard let runtime = byKind[kind] else {
            throw InferenceError(
                .failedPrecondition, "no runtime can load a model of kind '\(kind)'",
                remedy: "Use one of: \(kinds.joined(separator: ", "))")
        }
        return runtime
    }
}

func array(of count: Int, _ fill: (UnsafeMutableBufferPointer<Double>) throws -> Void) rethrows -> [Double] {
    try [Double](unsafeUninitializedCapacity: count) { buffer, written in
        buffer.initialize(repeating: 0)
        try fill(buffer)
        written = count
    }
}
