import Basics
import Datasets
import Foundation
import SQL
import TestSupport
import Testing

/// The texts that `dvc add` of DVC 3.67 wrote for the same files.
@Suite struct DVCTests {
    private let files = [
        "data/a.txt": "hello\n", "data/sub/b.csv": "x,y\r\n1,2\r\n", "data/sub/b.csv2": "q", "data/Z": "A",
        "data/quote\"back\\slash.txt": "z", "data/ü b/😀.txt": "",
    ]
    private let listed =
        #"[{"md5": "7fc56270e7a70fa81a5935b72eacbe29", "relpath": "Z"}, "#
        + #"{"md5": "b1946ac92492d2347c6235b4d2611184", "relpath": "a.txt"}, "#
        + #"{"md5": "fbade9e36a3f36d3d676c1b808451dd7", "relpath": "quote\"back\\slash.txt"}, "#
        + #"{"md5": "ef4330228809c42919ada65a11393fd1", "relpath": "sub/b.csv"}, "#
        + #"{"md5": "7694f4a66316e53c8cdd9d9954bd611d", "relpath": "sub/b.csv2"}, "#
        + #"{"md5": "d41d8cd98f00b204e9800998ecf8427e", "relpath": "\u00fc b/\ud83d\ude00.txt"}]"#
    private let folderFile = """
        outs:
        - md5: bfd22aa3eb226934e1f262415e37aa25.dir
          size: 19
          nfiles: 6
          hash: md5
          path: data

        """

    private func folder() throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        for (name, text) in files { try folder.write(text, to: name) }
        return folder
    }

    @Test func aFolderGivesTheListAndTheFileThatDVCWrites() async throws {
        let folder = try folder()
        let tree = try DVCTree(folder: folder("data"))
        #expect(tree.text == listed)
        #expect(try DVCTree(listed, path: "x").entries.map(\.md5) == tree.entries.map(\.md5))
        let file = try await DVCWorkspace().add(folder("data/"))
        #expect(file.text == folderFile)
        #expect(try String(contentsOfFile: folder("data.dvc"), encoding: .utf8) == folderFile)
        #expect(try DVCFile(folderFile, path: "data.dvc") == file)
    }

    @Test func aFileGivesTheFileThatDVCWrites() async throws {
        let folder = try TemporaryFolder()
        for name in ["single.csv", "my file.csv"] {
            try folder.write("1\n", to: name)
            let file = try await DVCWorkspace().add(folder(name))
            #expect(
                file.text == """
                    outs:
                    - md5: b026324c6904b2a9cb4b88d6d61c81d1
                      size: 2
                      hash: md5
                      path: \(name)

                    """)
        }
    }

    @Test func whatIsAddedLiesInTheCacheAndChangesAreTold() async throws {
        let folder = try folder()
        try folder.write("[core]\n    no_scm = True\n", to: ".dvc/config")
        let workspace = DVCWorkspace()
        _ = try await workspace.add(folder("data"))
        let cache = folder(".dvc/cache/files/md5")
        #expect(try String(contentsOfFile: "\(cache)/bf/d22aa3eb226934e1f262415e37aa25.dir", encoding: .utf8) == listed)
        #expect(try String(contentsOfFile: "\(cache)/b1/946ac92492d2347c6235b4d2611184", encoding: .utf8) == "hello\n")
        #expect(try await workspace.status(folder("data")).isUnchanged)
        try folder.write("hello!", to: "data/a.txt")
        try folder.write("new", to: "data/n")
        try FileManager.default.removeItem(atPath: folder("data/Z"))
        let status = try await workspace.status(folder("data.dvc"))
        #expect(!status.isUnchanged)
        #expect((status.added, status.modified, status.removed) == (["n"], ["a.txt"], ["Z"]))
    }

    @Test func aTableBesideItsDVCFileMustBeWhatThatSays() async throws {
        let small = try await SmallDatasets()
        let columns = "columns: {n: integer}"
        try small.folder.write("n\n1\n", to: "data/in/a.csv")
        try small.folder.write("n\n2\n", to: "data/in/b.csv")
        try small.folder.write("n\n3\n", to: "data/one.csv")
        let workspace = DVCWorkspace()
        let sum = try await workspace.add(small.data("in")).output.hash
        let one = try await workspace.add(small.data("one.csv")).output.hash
        #expect(try await small.ingest("path: in/\nformat: csv\n\(columns)").lineage.dvc == sum)
        #expect(try await small.ingest("path: one.csv\n\(columns)").lineage.dvc == one)
        for name in ["in/b.csv", "one.csv"] { try small.folder.write("n\n4\n", to: "data/\(name)") }
        for path in ["in", "one.csv"] {
            await #expect("\(path)") { try await small.ingest("path: \(path)\nformat: csv\n\(columns)") } throws: {
                if case DatasetsFailure.dvcMismatch = $0 { true } else { false }
            }
        }
        #expect(try await small.store.versions(of: "sales").count == 2)
        await small.database.close()
    }

    @Test func filesThatAreNoneOfDVC3AreRefused() throws {
        for text in [
            "", "outs: []", "outs: [{md5: b026324c6904b2a9cb4b88d6d61c81d1, path: x}]",
            "outs: [{md5: nothing, hash: md5, path: x}]",
            "outs: [{md5: b026324c6904b2a9cb4b88d6d61c81d1, hash: md5, path: ../x}]",
            "outs: [{md5: b026324c6904b2a9cb4b88d6d61c81d1, hash: etag, path: x}]",
            "outs: [{md5: b026324c6904b2a9cb4b88d6d61c81d1, hash: md5, path: x, size: -1}]",
        ] {
            #expect(throws: (any Error).self, "\(text)") { try DVCFile(text, path: "x.dvc") }
        }
        #expect(throws: DatasetsFailure.self) { try DVCTree("{}", path: "x.dir") }
        let folder = try TemporaryFolder()
        try folder.write("*.tmp", to: "data/.dvcignore")
        #expect(throws: DatasetsFailure.self) { try DVCTree(folder: folder("data")) }
    }

    @Test func sumsAreThoseOfTheStandard() {
        // RFC 1321, appendix A.5.
        #expect(MD5(of: []).hex == "d41d8cd98f00b204e9800998ecf8427e")
        #expect(MD5(of: Array("abc".utf8)).hex == "900150983cd24fb0d6963f7d28e17f72")
        #expect(MD5(of: Array("message digest".utf8)).hex == "f96b697d7cb7938d525a2f31aaf161d0")
    }
}
