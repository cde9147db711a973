import Basics
import Foundation
import Inference

/// An exported folder while it is put together.
struct EdgeFolder: Sendable {
    let path: String

    static let example = "example.jsonl"

    /// Lays out a model with its runner and libraries.
    /// - Parameter request: asks for one row, as the protocol has it.
    /// - Throws: ``ScoringFailure``.
    func fill(_ model: ModelFiles, runner: EdgeRunner, request: JSONValue) throws {
        do {
            try FileManager.default.createDirectory(atPath: "\(path)/lib", withIntermediateDirectories: true)
            try FileManager.default.copyItem(atPath: runner.program.path, toPath: "\(path)/\(EdgeRunner.name)")
            for library in try runner.libraries(model.runtime.rawValue) {
                let real = URL(fileURLWithPath: library).resolvingSymlinksInPath().path
                try FileManager.default.copyItem(
                    atPath: real, toPath: "\(path)/lib/\((library as NSString).lastPathComponent)")
            }
        } catch let failure as ScoringFailure {
            throw failure
        } catch {
            throw ScoringFailure.file(path: path, reason: error.localizedDescription)
        }
        try Self.write([UInt8]((try JSON.string(request) + "\n").utf8), to: "\(path)/\(Self.example)")
        try put(model)
    }

    /// Puts a model in the place of the one that is there.
    func put(_ model: ModelFiles) throws {
        let folder = "\(path)/model"
        try? FileManager.default.removeItem(atPath: folder)
        do {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        } catch {
            throw ScoringFailure.file(path: folder, reason: "the folder can not be made")
        }
        for (name, bytes) in model.files { try Self.write(bytes, to: "\(folder)/\(name)") }
    }

    func put(_ manifest: EdgeManifest) throws {
        try Self.write([UInt8]((try JSON.pretty(manifest) + "\n").utf8), to: "\(path)/manifest.json")
    }

    /// Tells people how it is run.
    func putReadme(_ manifest: EdgeManifest) throws {
        let text = """
            # \(manifest.name) \(manifest.version)

            Scores rows without a server, on one thread. Linux on \(Self.machine), with the GNU C library it was built with or a newer one.

                ./score \(Self.example)              # requests of the Open Inference Protocol, one on each line
                ./score rows.csv --memory-limit 512   # or CSV with a header; answers are lines of JSON
                ./score --bench 10000                # how long a call takes on this machine

            `./score --help` tells the rest; `manifest.json` tells what the model takes and gives, and where it comes from.

            """
        try Self.write([UInt8](text.utf8), to: "\(path)/README.md")
    }

    /// Bytes of a file of it, or of all files below a folder; of everything where no name is given.
    func bytes(of name: String = "") -> Int {
        let start = name.isEmpty ? path : "\(path)/\(name)"
        let below = (try? FileManager.default.subpathsOfDirectory(atPath: start)) ?? []
        return ([start] + below.map { "\(start)/\($0)" }).reduce(0) { sum, file in
            let facts = try? FileManager.default.attributesOfItem(atPath: file)
            guard facts?[.type] as? FileAttributeType == .typeRegular else { return sum }
            return sum + ((facts?[.size] as? NSNumber)?.intValue ?? 0)
        }
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        do {
            try Data(bytes).write(to: URL(fileURLWithPath: path))
        } catch {
            throw ScoringFailure.file(path: path, reason: "it can not be written")
        }
    }

    private static var machine: String {
        #if arch(arm64)
            "aarch64"
        #else
            "x86_64"
        #endif
    }
}

extension Tensor {
    /// Elements as JSON has them; what is no number is null.
    var json: [JSONValue] {
        if let strings { return strings.map { .string(String(decoding: $0, as: UTF8.self)) } }
        switch type {
        case .bool: return (doubles ?? []).map { .bool($0 != 0) }
        case .int64: return (values(as: Int64.self) ?? []).map { .integer($0) }
        case .fp32:
            // The shortest text that reads back to the same number.
            return (values(as: Float.self) ?? []).map { value in
                value.isFinite ? Double("\(value)").map { .number($0) } ?? .null : .null
            }
        default:
            return (doubles ?? []).map { value in
                guard value.isFinite else { return .null }
                return type.isReal ? .number(value) : Int64(exactly: value).map { .integer($0) } ?? .number(value)
            }
        }
    }
}
