import Basics
import Foundation

/// Files a caller has sent in place of a model's own, for as long as the model that was loaded from them is served.
final class OverrideFolder: Sendable {
    let path: String

    /// - Throws: ``ServingFailure/badRequest(_:remedy:)`` where a file's path leads out of the model's folder.
    init(_ files: [String: [UInt8]], of name: String, random: any RandomSource) throws {
        for file in files.keys {
            let parts = file.split(separator: "/", omittingEmptySubsequences: false)
            guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }), !file.utf8.contains(0) else {
                throw ServingFailure.badRequest(
                    "'\(file)' is no path below the folder of the model '\(name)'",
                    remedy: "Name files like 'file:1/model.onnx'.")
            }
        }
        path = "\(NSTemporaryDirectory())modelworks-model-\(random.identifier())"
        for (file, bytes) in files {
            let place = "\(path)/\(name)/\(file)"
            try FileManager.default.createDirectory(
                atPath: (place as NSString).deletingLastPathComponent, withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o700])
            try Data(bytes).write(to: URL(fileURLWithPath: place))
        }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
