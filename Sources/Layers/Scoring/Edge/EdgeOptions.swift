import Basics

/// How a model is exported to run without a server.
public struct EdgeOptions: Sendable {
    /// Rows of the kind the model will see: its columns get their names from them, one becomes the folder's example, and
    /// the rest judge a model in whole numbers.
    public var examples: ScoringInput?
    /// The column of the examples that tells what the answer should have been.
    public var label: String?
    /// How the examples' columns are taken: the mapping and the names of columns count.
    public var scoring = ScoringOptions()
    /// The output that is judged; nil for the class a classifier gives, else the last one of real numbers.
    public var output: String?
    /// How the model's numbers are made 8-bit; nil to leave them.
    public var quantization: EdgeQuantization?
    /// The largest loss that is accepted, as a share.
    public var maxLoss = 0.01
    /// The Python that has onnx and onnxruntime, which quantise.
    public var python = "python3"
    /// The program `modelworks-edge`, of which the folder gets a copy.
    public var runner: String
    /// What wrote the folder, for its manifest.
    public var program: String
    /// Calls that are measured.
    public var calls = 2000
    /// Whether a folder that is there gives way.
    public var overwrite = false

    public init(runner: String, program: String) {
        self.runner = runner
        self.program = program
    }
}

/// How 32-bit numbers become 8-bit ones.
public enum EdgeQuantization: String, Sendable, Codable, CaseIterable {
    /// Weights once, and what flows between the layers anew at every call.
    case dynamic
    /// Both once, in ranges that the examples show.
    case `static`
}
