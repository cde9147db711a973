import Basics

/// What can go wrong while a model is trained, bundled, loaded or asked.
public struct InferenceError: Failure, Equatable {
    public let code: FailureCode
    public let message: String
    public let remedy: String?

    init(_ code: FailureCode, _ message: String, remedy: String? = nil) {
        self.code = code
        self.message = message
        self.remedy = remedy
    }

    /// The buffers handed in do not fit each other or the model.
    static func shape(_ message: String) -> InferenceError {
        InferenceError(.invalidArgument, message, remedy: "Hand in one value per feature and row")
    }

    static func parameter(_ name: String, _ message: String) -> InferenceError {
        InferenceError(
            .invalidArgument, "the training parameter '\(name)' \(message)",
            remedy: "See https://lightgbm.readthedocs.io/en/latest/Parameters.html for names and ranges")
    }

    static func malformedModel(_ message: String) -> InferenceError {
        InferenceError(
            .invalidArgument, "the LightGBM model text is malformed: \(message)",
            remedy: "Save the model again with LightGBM 4 and bundle it anew")
    }

    /// Stored bytes are not those the digest was made of.
    static func damaged(_ message: String) -> InferenceError {
        InferenceError(.dataLoss, message, remedy: "Restore the bundle from its source, or train and register it anew")
    }

    static func manifest(_ message: String) -> InferenceError {
        InferenceError(
            .invalidArgument, "the bundle manifest is not usable: \(message)",
            remedy: "Write bundles with ModelBundle.encode")
    }

    /// LightGBM itself refused; `text` is its own words.
    static func native(_ call: String, _ text: String) -> InferenceError {
        InferenceError(
            .internal, "LightGBM failed in \(call): \(text)",
            remedy: "Check the training parameters and data against LightGBM's message")
    }

    /// A model file that can not be served as it is.
    ///
    /// - Parameter format: the kind of file, such as `ONNX`.
    static func modelFile(_ format: String, _ message: String, remedy: String? = nil) -> InferenceError {
        InferenceError(
            .invalidArgument, "the \(format) model can not be loaded: \(message)",
            remedy: remedy ?? "Check that the file is whole, and export the model again")
    }

    /// A library that is opened at its first use is not there or not the pinned release.
    static func library(_ name: String, _ reason: String) -> InferenceError {
        InferenceError(
            .failedPrecondition, "\(name) can not be opened: \(reason)",
            remedy: "Install the program with its lib folder beside bin, or run `make setup`")
    }

    /// A runtime refused or failed; `text` is its own words.
    static func runtime(_ code: FailureCode, _ name: String, _ text: String) -> InferenceError {
        let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        return InferenceError(
            code, "\(name) failed: \(line.prefix(1000))",
            remedy: code == .invalidArgument
                ? "Compare the request with the model's metadata" : "Try the same inputs with \(name)'s own client")
    }
}
