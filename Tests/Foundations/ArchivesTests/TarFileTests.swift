import Archives
import Basics
import Foundation
import TestSupport
import Testing

@Suite struct TarFileTests {
    private func members(_ random: SeededRandom) -> [TarFile.Member] {
        (0..<Int(random.next() % 8)).map { index in
            let length = Int(random.next() % 3000)
            let name = String(repeating: "ab/", count: Int(random.next() % 60)) + "\(index)"
            return TarFile.Member(name: name, bytes: (0..<length).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        }
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        let random = SeededRandom(seed: 7)
        for _ in 0..<50 {
            let members = members(random)
            let bytes = try TarFile.write(members)
            #expect(try TarFile.read(bytes, limit: 1 << 20) == members)
            #expect(try TarFile.write(members) == bytes)
        }
    }

    @Test func aCutFileIsNoShorterOne() throws {
        let members = [TarFile.Member(name: "a", bytes: [1, 2, 3]), TarFile.Member(name: "b", bytes: [4])]
        let bytes = try TarFile.write(members)
        for length in stride(from: 1, to: 1540, by: 7) {
            let found = try? TarFile.read(Array(bytes.prefix(length)), limit: 100)
            #expect(found == nil || found.map { members.starts(with: $0) && $0.count < 2 } == true, "\(length)")
        }
        #expect(throws: ArchiveFailure.self) { try TarFile.read(bytes, limit: 3) }
        #expect(throws: ArchiveFailure.self) { try TarFile.read(Array("no tar at all".utf8), limit: 100) }
    }

    /// Made by the system's own tar, which reads ours too.
    @Test func theSystemsTarUnderstandsIt() throws {
        let folder = try TemporaryFolder()
        func tar(_ arguments: String...) throws -> String {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = ["tar"] + arguments
            let pipe = Pipe()
            process.standardOutput = pipe
            try process.run()
            let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            return text
        }
        let file = "\(folder.path)/ours.tar"
        try Data(TarFile.write([TarFile.Member(name: "a/b", bytes: [104, 105])])).write(to: URL(filePath: file))
        #expect(try tar("-tf", file) == "a/b\n")
        #expect(try tar("-xOf", file, "a/b") == "hi")
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder.path)/link", withDestinationPath: "/etc/passwd")
        _ = try tar("-cf", "\(folder.path)/link.tar", "-C", folder.path, "link")
        let bytes = try [UInt8](Data(contentsOf: URL(filePath: "\(folder.path)/link.tar")))
        #expect(throws: ArchiveFailure.self) { try TarFile.read(bytes, limit: 100) }
    }

    @Test func aFileHasTheBytesItSays() throws {
        func refused(_ body: (TarWriter) throws -> Void) {
            #expect(throws: ArchiveFailure.self) { try body(try TarWriter()) }
        }
        refused {
            try $0.begin("a", size: 2)
            try $0.write([1, 2, 3])
        }
        refused {
            try $0.begin("a", size: 2)
            try $0.write([1])
            try $0.begin("b", size: 0)
        }
        refused {
            try $0.begin("a", size: 2)
            try $0.finish()
        }
        refused { try $0.begin("ä", size: 0) }
    }

    @Test func piecesAreTakenAsTheyComeOut() throws {
        let content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let whole = try TarFile.write([TarFile.Member(name: "a", bytes: content)])
        let writer = try TarWriter()
        try writer.begin("a", size: Int64(content.count))
        var (bytes, most, rest) = ([UInt8](), 0, content[...])
        while !rest.isEmpty {
            try writer.write(Array(rest.prefix(7001)))
            rest = rest.dropFirst(7001)
            let taken = writer.taken()
            most = max(most, taken.count)
            bytes += taken
        }
        try writer.finish()
        #expect(bytes + writer.taken() == whole)
        #expect(most <= 20_480)
    }
}
