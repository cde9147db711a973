import Foundation
import TestSupport

/// A small file system in memory, mounted on a folder of its own; unmounted when the value goes.
final class Mount {
    let path: String
    private let folder: TemporaryFolder

    /// Whether this user may mount at all.
    static let permitted: Bool = (try? Mount(megabytes: 1)) != nil

    init(megabytes: Int) throws {
        folder = try TemporaryFolder()
        path = "\(folder.path)/disk"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Mount.run("mount", ["-t", "tmpfs", "-o", "size=\(megabytes)m", "modelworks-test", path], folder)
    }

    deinit { try? Mount.run("umount", ["-l", path], folder) }

    /// From now on nothing can be written.
    func makeReadOnly() throws { try Mount.run("mount", ["-o", "remount,ro", path], folder) }

    private static func run(_ program: String, _ arguments: [String], _ folder: TemporaryFolder) throws {
        let found = ["/bin", "/usr/bin", "/sbin", "/usr/sbin"].map { "\($0)/\(program)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let found else { throw Unmet("there is no \(program) here") }
        let errors = "\(folder.path)/\(program).err"
        let child = try ChildProcess(found, arguments, output: "/dev/null", errors: errors)
        guard try child.wait() == 0 else { throw Unmet("\(program) failed: \(Modelworks.text(errors))") }
    }
}
