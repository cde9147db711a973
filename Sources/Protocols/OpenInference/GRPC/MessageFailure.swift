import Basics

/// What can be wrong with a message of gRPC.
enum MessageFailure: Failure {
    case malformed
    case tooLarge
    /// Raw contents, and others beside them.
    case mixedContents(String)
    case rawCount(raw: Int, inputs: Int)
    case unknownType(input: String, String)
    case rawOnly(input: String, String)
    case beyondRange(input: String, String)

    var code: FailureCode {
        switch self {
        case .tooLarge: .resourceExhausted
        default: .invalidArgument
        }
    }

    var message: String {
        switch self {
        case .malformed: "the message is not what its type asks for"
        case .tooLarge: "the message takes more memory than it may"
        case .mixedContents(let name):
            "the input '\(name)' has contents of its own beside the raw contents of the request"
        case .rawCount(let raw, let inputs): "the request has \(raw) raw contents for \(inputs) inputs"
        case .unknownType(let input, let type): "the input '\(input)' has the unknown datatype '\(type)'"
        case .rawOnly(let input, let type): "the input '\(input)' of \(type) has no typed contents"
        case .beyondRange(let input, let type): "the input '\(input)' holds a number beyond the range of \(type)"
        }
    }

    var remedy: String? {
        switch self {
        case .rawOnly: "Send them as raw contents."
        case .unknownType: "Known: BOOL, UINT8-64, INT8-64, FP16, BF16, FP32, FP64, BYTES."
        default: nil
        }
    }
}
