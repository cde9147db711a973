import Basics
import Foundation
import TestSupport
import Testing

/// A server that can not start says why in one message and ends with 1.
@Suite struct StartFaults {
    @Test("a second server on a root names the first", .timeLimit(.minutes(2)))
    func secondServer() async throws {
        try await onThread("second-server") {
            let folder = try TemporaryFolder()
            let root = "\(folder.path)/root"
            let server = try Server(root: root, logs: folder.path)
            let second = try Modelworks.run(["up", "--root", root, "--http-port", "0"], folder: folder.path)
            #expect(second.code == 1)
            #expect(second.errors.contains("in use by another modelworks (process \(server.child.pid))"))
            #expect(try API(url: server.url).get("/status")["now"] != nil)
            // The claim ends with the process, however that ends.
            try server.kill()
            #expect(try Server(root: root, logs: folder.path).stop() == 0)
        }
    }

    @Test("a port in use is named", .timeLimit(.minutes(2)))
    func portInUse() async throws {
        try await onThread("port-in-use") {
            let folder = try TemporaryFolder()
            let server = try Server(root: "\(folder.path)/first", logs: folder.path)
            let second = try Modelworks.run(
                ["up", "--root", "\(folder.path)/second", "--http-port", "\(server.port)"], folder: folder.path)
            #expect(second.code == 1)
            #expect(second.errors.contains("port \(server.port) on 127.0.0.1 is in use"))
            #expect(try API(url: server.url).get("/status")["now"] != nil)
        }
    }

    @Test("a root that is a file is refused", .timeLimit(.minutes(2)))
    func rootIsFile() async throws {
        try await onThread("root-file") {
            let folder = try TemporaryFolder()
            let root = try folder.write("not a folder", to: "root")
            let result = try Modelworks.run(["up", "--root", root, "--http-port", "0"], folder: folder.path)
            #expect(result.code == 1)
            #expect(result.errors.contains(root))
            #expect(Modelworks.text(root) == "not a folder")
        }
    }

    // Permissions do not bind the superuser, so the whole file system is made read-only.
    @Test(
        "a read-only root is refused", .enabled(if: Mount.permitted, "mounting is not permitted here"),
        .timeLimit(.minutes(2)), arguments: [true, false])
    func readOnlyRoot(usedBefore: Bool) async throws {
        try await onThread("read-only") {
            let folder = try TemporaryFolder()
            let disk = try Mount(megabytes: 24)
            let root = "\(disk.path)/root"
            if usedBefore { #expect(try Server(root: root, logs: folder.path).stop() == 0) }
            try disk.makeReadOnly()
            let result = try Modelworks.run(["up", "--root", root, "--http-port", "0"], folder: folder.path)
            #expect(result.code == 1)
            #expect(result.errors.contains("the root \(root) can not be used"))
            #expect(result.errors.contains("--root"))
        }
    }
}
