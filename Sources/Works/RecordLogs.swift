import Basics
import Foundation
import ObjectStorage
import Synchronization

/// The record logs of a root, each opened once.
final class RecordLogs: Sendable {
    private let root: String
    private let open = Mutex<[String: RecordLog]>([:])

    init(root: String) { self.root = root }

    /// - Parameters:
    ///   - kind: `predictions` or `labels`.
    ///   - endpoint: the endpoint's name, made safe for a path.
    func open(_ kind: String, _ endpoint: String) throws -> RecordLog {
        let name = endpoint.addingPercentEncoding(
            withAllowedCharacters: .alphanumerics.union(.init(charactersIn: "-_")))
        let path = "\(root)/\(kind)/\(name ?? Digest(of: endpoint).hex)"
        return try open.withLock { logs in
            if let log = logs[path] { return log }
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            let log = try RecordLog(folder: path)
            logs[path] = log
            return log
        }
    }

    func close() async {
        for log in open.withLock({ Array($0.values) }) { try? await log.sync() }
    }
}
