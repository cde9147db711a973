import Basics
import Foundation
import ObjectStorage

/// The name under which the process that holds a root works on jobs: the same after a restart, and no other's.
///
/// It is made of the machine's name, an identifier that the root keeps, and the root's path, so that neither a copy of a
/// root nor the same root on another machine takes over jobs that are not its own.
enum WorkerName {
    /// - Parameter folder: where the identifier is kept; made where it is not there.
    static func of(root: String, folder: String, random: any RandomSource) throws -> String {
        let file = "\(folder)/worker"
        let identifier: String
        if FileManager.default.fileExists(atPath: file) {
            identifier = String(decoding: try AtomicFile.read(file), as: UTF8.self)
        } else {
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            identifier = random.identifier()
            try AtomicFile.write(file, Array(identifier.utf8))
        }
        let host = ProcessInfo.processInfo.hostName
        let place = URL(fileURLWithPath: root).resolvingSymlinksInPath().path
        return "\(host)-\(Digest(of: "\(host) \(identifier) \(place)").hex.prefix(8))"
    }
}
