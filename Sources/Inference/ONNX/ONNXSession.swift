import Basics
import COnnxRuntime
import Foundation

/// How ONNX Runtime runs a model.
public struct ONNXOptions: Sendable, Equatable {
    /// How much of the graph is rewritten while the model is loaded.
    public enum Optimisation: Int32, Sendable, Equatable {
        case none = 0
        case basic = 1
        case extended = 2
        case all = 99
    }

    /// Threads that share the work of one request. 1, the default, keeps a request on the thread that asks, which serves
    /// many requests on few cores best.
    public var threads: Int
    public var optimisation: Optimisation
    /// Whether the memory of a run is kept for the next. For one batch after the other of the same size that saves the
    /// page faults of each; a server that keeps what its largest request took never gives it back.
    public var keepsMemory: Bool

    public init(threads: Int = 1, optimisation: Optimisation = .all, keepsMemory: Bool = false) {
        self.threads = threads
        self.optimisation = optimisation
        self.keepsMemory = keepsMemory
    }
}

/// The C objects of a loaded model. The library lets any number of threads run one session, and nothing here is changed
/// after it is made.
final class ONNXSession: @unchecked Sendable {
    struct Place {
        let name: String
        let type: ONNXType
    }

    let inputs: [Place]
    let outputs: [Place]
    let allocator: OrtAllocator
    let memory: OrtMemoryInfo
    private let session: OrtSession
    private let inputNames: [UnsafePointer<CChar>?]
    private let outputNames: [UnsafePointer<CChar>?]

    /// - Parameters:
    ///   - file: a model that ``ONNXFile`` has checked.
    ///   - weights: the files it names, by name.
    init(file: UnsafeRawBufferPointer, weights: [String: [UInt8]], options: ONNXOptions) throws {
        let allocator = try ONNXLibrary.made { OrtGetAllocatorWithDefaultOptions($0) }
        let settings = try ONNXSession.settings(options)
        defer { OrtReleaseSessionOptions(settings) }
        let session = try ONNXSession.withFiles(weights, settings) {
            try ONNXSession.opened {
                OrtCreateSessionFromArray(mw_ort_env(), file.baseAddress, file.count, settings, $0)
            }
        }
        do {
            inputs = try ONNXSession.places(
                allocator, count: { OrtSessionGetInputCount(session, $0) },
                name: { OrtSessionGetInputName(session, $0, allocator, $1) },
                type: { OrtSessionGetInputTypeInfo(session, $0, $1) })
            outputs = try ONNXSession.places(
                allocator, count: { OrtSessionGetOutputCount(session, $0) },
                name: { OrtSessionGetOutputName(session, $0, allocator, $1) },
                type: { OrtSessionGetOutputTypeInfo(session, $0, $1) })
            memory = try ONNXLibrary.made {
                OrtCreateCpuMemoryInfo(Int32(MW_ORT_ALLOCATOR_DEVICE), Int32(MW_ORT_MEMORY_DEFAULT), $0)
            }
        } catch {
            OrtReleaseSession(session)
            throw error
        }
        self.session = session
        self.allocator = allocator
        inputNames = inputs.map { UnsafePointer(strdup($0.name)) }
        outputNames = outputs.map { UnsafePointer(strdup($0.name)) }
    }

    deinit {
        OrtReleaseSession(session)
        OrtReleaseMemoryInfo(memory)
        for name in inputNames + outputNames { free(UnsafeMutablePointer(mutating: name)) }
    }

    /// Runs the model.
    ///
    /// - Parameters:
    ///   - values: one for each input; they stay the caller's.
    ///   - wanted: indices into `outputs`.
    /// - Returns: one for each wanted output, or nil with what went wrong. The caller frees them.
    func run(_ values: [OrtValue?], wanted: [Int]) throws -> [OrtValue?] {
        guard values.count == inputs.count, wanted.allSatisfy(outputs.indices.contains) else {
            throw InferenceError.shape("the model has \(inputs.count) inputs and \(outputs.count) outputs")
        }
        let names = wanted.map { outputNames[$0] }
        var answers = [OrtValue?](repeating: nil, count: wanted.count)
        if let failure = ONNXLibrary.failure(
            OrtRun(session, nil, inputNames, values, values.count, names, names.count, &answers))
        {
            for answer in answers where answer != nil { OrtReleaseValue(answer) }
            throw ONNXRunFailure(isArgument: failure.code == MW_ORT_INVALID_ARGUMENT, words: failure.words)
        }
        return answers
    }

    private static func settings(_ options: ONNXOptions) throws -> OrtSessionOptions {
        let settings = try ONNXLibrary.made { OrtCreateSessionOptions($0) }
        do {
            let threads = Int32(clamping: max(1, options.threads))
            try ONNXLibrary.check(OrtSetSessionExecutionMode(settings, Int32(MW_ORT_SEQUENTIAL)))
            try ONNXLibrary.check(OrtSetIntraOpNumThreads(settings, threads))
            try ONNXLibrary.check(OrtSetSessionGraphOptimizationLevel(settings, options.optimisation.rawValue))
            try ONNXLibrary.check(OrtSetSessionLogSeverityLevel(settings, Int32(MW_ORT_LOG_FATAL)))
            // An arena keeps the memory of the largest batch for ever, and a pattern is kept for every shape there ever
            // was; the allocator of the process gives memory back and is as quick at the sizes of a request.
            if !options.keepsMemory { try ONNXLibrary.check(OrtDisableCpuMemArena(settings)) }
            try ONNXLibrary.check(OrtDisableMemPattern(settings))
            // Threads of a pool sleep between requests instead of turning.
            try ONNXLibrary.check(OrtAddSessionConfigEntry(settings, "session.intra_op.allow_spinning", "0"))
            try ONNXLibrary.check(OrtAddSessionConfigEntry(settings, "session.load_model_format", "ONNX"))
        } catch {
            OrtReleaseSessionOptions(settings)
            throw error
        }
        return settings
    }

    /// Hands the contents of weight files in, so that the library opens none. They have to live until the session is made.
    private static func withFiles<Result>(
        _ files: [String: [UInt8]], _ settings: OrtSessionOptions, _ body: () throws -> Result
    ) throws -> Result {
        guard !files.isEmpty else { return try body() }
        let sorted = files.sorted { $0.key < $1.key }
        let names: [UnsafePointer<CChar>?] = sorted.map { UnsafePointer(strdup($0.key)) }
        let contents = sorted.map { file in file.value.withUnsafeBytes { TensorStorage(copying: $0) } }
        defer { for name in names { free(UnsafeMutablePointer(mutating: name)) } }
        let pointers = contents.map { $0.bytes.assumingMemoryBound(to: CChar.self).baseAddress }
        return try withExtendedLifetime(contents) {
            try ONNXLibrary.check(
                OrtAddExternalInitializersFromFilesInMemory(
                    settings, names, pointers, contents.map(\.bytes.count), names.count))
            return try body()
        }
    }

    /// The session, or what is wrong with the file in the library's own words.
    private static func opened(_ call: (UnsafeMutablePointer<OrtSession?>) -> OrtStatus?) throws -> OrtSession {
        var session: OrtSession?
        if let failure = ONNXLibrary.failure(call(&session)) {
            let words = failure.words.split(whereSeparator: \.isNewline).joined(separator: " ")
            throw InferenceError.modelFile(
                "ONNX", "ONNX Runtime says: \(words.prefix(1000))",
                remedy: "Check that the file is whole and uses operators of ONNX itself, of an opset this release knows"
            )
        }
        guard let session else { throw InferenceError.runtime(.internal, "ONNX Runtime", "no session came back") }
        return session
    }

    private static func places(
        _ allocator: OrtAllocator, count: (UnsafeMutablePointer<Int>) -> OrtStatus?,
        name: (Int, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> OrtStatus?,
        type: (Int, UnsafeMutablePointer<OrtTypeInfo?>) -> OrtStatus?
    ) throws -> [Place] {
        try (0..<ONNXLibrary.number(count)).map { index in
            var text: UnsafeMutablePointer<CChar>?
            try ONNXLibrary.check(name(index, &text))
            let known = text.map { String(cString: $0) } ?? ""
            if let text { try ONNXLibrary.check(OrtAllocatorFree(allocator, text)) }
            let info = try ONNXLibrary.made { type(index, $0) }
            defer { OrtReleaseTypeInfo(info) }
            return Place(name: known, type: try ONNXType(info, name: known))
        }
    }
}

/// A run that failed, and whether the library calls the inputs wrong.
struct ONNXRunFailure: Error {
    let isArgument: Bool
    let words: String
}
