import Basics
import Configuration
import Testing

@Suite struct FactoryDocumentsTests {
    private func complaint(_ files: [String: String], _ environment: [String: String] = [:]) -> String {
        do {
            _ = try FactoryDocuments(files: files, environment: environment)
            return "no error"
        } catch let failure as ConfigurationFailure {
            return failure.description
        } catch {
            return "another error: \(error)"
        }
    }

    @Test func aDirectoryNeedsOneManifest() {
        #expect(
            complaint([:])
                == "works.yaml: the directory has no such file. Run 'modelworks init DIRECTORY', or name a factory directory."
        )
        #expect(complaint(["works.yaml": ""]) == "works.yaml: the file must hold one document")
        #expect(complaint(["works.yaml": "a: 1\n---\nb: 2"]) == "works.yaml: the file must hold one document")
    }

    @Test func definitionsStandInAFolderOfTheirKind() {
        for path in ["table.yaml", "dat/table.yaml", "Data/table.yaml"] {
            #expect(
                complaint(["works.yaml": "name: a", path: "name: b"])
                    == "\(path): definitions stand in a folder of their kind. Folders: data, features, training, pipelines, "
                    + "serving, streams, monitoring, governance.")
        }
    }

    @Test func foldersHoldTheirDocumentsInOrderOfPath() throws {
        let documents = try FactoryDocuments(
            files: [
                "works.yaml": "name: a", "data/b.yaml": "n: 2\n---\nn: 3", "data/a.yaml": "n: 1", "data/q.sql": "x",
            ],
            environment: [:])
        let numbers = try (documents.folders["data"] ?? []).map { try $0.mapping().int("n") }
        #expect(numbers == [1, 2, 3])
        #expect(documents.folders["features"] == nil)
    }

    @Test(arguments: [
        ("data: ${WHERE}", "/srv"), ("data: ${WHERE:-x}", "/srv"), ("data: ${ELSE:-/tmp/x}", "/tmp/x"),
        ("data: ${ELSE:-}y", "y"),
        ("data: ${WHERE}/${WHERE}", "/srv//srv"), ("data: a${ELSE:-b:-c}d", "ab:-cd"), ("data: $WHERE", "$WHERE"),
        ("data: ${EMPTY}z", "z"),
    ])
    func theEnvironmentIsPutIn(text: String, expected: String) throws {
        let documents = try FactoryDocuments(
            files: ["works.yaml": text], environment: ["WHERE": "/srv", "EMPTY": ""])
        #expect(try documents.manifest.mapping().string("data") == expected)
    }

    @Test func aValueFromTheEnvironmentIsNotSubstitutedAgain() throws {
        let documents = try FactoryDocuments(
            files: ["works.yaml": "data: '${A}'"], environment: ["A": "${B}", "B": "no"])
        #expect(try documents.manifest.mapping().string("data") == "${B}")
    }

    @Test func whatIsMissingInTheEnvironmentIsTold() {
        #expect(
            complaint(["works.yaml": "name: a\ndata: ${NOWHERE}"])
                == "works.yaml:2:1: the environment has no 'NOWHERE'. Set it, or write ${NOWHERE:-default}.")
        #expect(
            complaint(["works.yaml": "name: a\n\ndata: ${WHERE"], ["WHERE": "x"]) == "works.yaml:3:1: '${' has no '}'")
        #expect(
            complaint(["works.yaml": "name: ${}"])
                == "works.yaml:1:1: the environment has no ''. Set it, or write ${:-default}.")
    }

    @Test func onlyTheManifestReadsTheEnvironment() throws {
        let documents = try FactoryDocuments(
            files: ["works.yaml": "name: a", "data/a.yaml": "path: ${WHERE}"], environment: ["WHERE": "/srv"])
        #expect(try documents.folders["data"]?.first?.mapping().string("path") == "${WHERE}")
    }

    @Test func textsAreFoundBesideTheirDocument() throws {
        let documents = try FactoryDocuments(
            files: [
                "works.yaml": "name: a", "features/v.yaml": "sql: v.sq", "features/v.sql": "SELECT 1",
                "features/w.yaml": "sql: v.sql",
            ],
            environment: [:])
        let nodes = try (documents.folders["features"] ?? []).map { try $0.mapping().required("sql") }
        #expect(try documents.text(nodes[1]) == "SELECT 1")
        let failure = try #require(throws: ConfigurationFailure.self) { try documents.text(nodes[0]) }
        #expect(
            failure.message == "features/v.yaml:1:6: there is no file 'features/v.sq' (did you mean 'features/v.sql'?)")
    }
}
