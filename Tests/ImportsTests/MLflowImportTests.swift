import Basics
import Experiments
import Foundation
import HTTP
import ModelworksClient
import Registry
import Synchronization
import TestSupport
import Testing
import Works
import Workshop

@testable import Imports

/// A source that fails after some pages, as one does whose reader is killed.
private struct BreakingSource: ArchiveSource {
    struct Broken: Error {}

    let source: any ArchiveSource
    let left = Counter()
    let pages: Int

    final class Counter: Sendable {
        let count = Mutex(0)
    }

    var description: String { source.description }
    func experiments() async throws -> [SourceExperiment] { try await source.experiments() }
    func runCount() async throws -> Int? { try await source.runCount() }
    func moves(_ location: String) -> Bool { source.moves(location) }
    func models() async throws -> [ArchivedModel] { try await source.models() }
    func close() async { await source.close() }

    func runs(of experiment: String, from page: String?) async throws -> SourcePage<ArchivedRun> {
        try await source.runs(of: experiment, from: page)
    }

    func loggedModels(of experiment: String, from page: String?) async throws -> SourcePage<ArchivedLoggedModel> {
        try await source.loggedModels(of: experiment, from: page)
    }

    /// Breaks in the middle of a page: its records are there, some of its files not.
    func files(below location: String, of owner: ArtifactOwner) async throws -> [SourceFile] {
        try await source.files(below: location, of: owner).map { file in
            SourceFile(path: file.path) {
                let count = left.count.withLock { count in
                    count += 1
                    return count
                }
                guard count <= pages else { throw Broken() }
                return try await file.read()
            }
        }
    }
}

@Suite(.serialized, .enabled(if: OldStore.python != nil, "the stock MLflow client is not set up"))
struct MLflowImportTests {
    private func part(_ report: ImportReport, _ name: String) -> ImportReport.Part? {
        report.parts.first { $0.name == name }
    }

    /// Imports, and lets the stock client compare.
    private func importAndCompare(_ store: OldStore, runs: Int) async throws {
        let shop = try await Workshop()
        try await shop.serving { _ in
            let url = "http://\(try shop.address())"
            let connection = FactoryConnection(try HTTPClient(baseURL: url, connections: 1))
            let source = try await store.source()
            let report = try await StoreImport(from: source, into: connection).run()
            #expect(report.isEqual, "\(report.differences.prefix(5))")
            #expect(part(report, "runs")?.there == runs)
            #expect(part(report, "runs")?.here == runs)
            #expect(report.parts.allSatisfy { $0.thereDigest == $0.hereDigest })
            let again = try await StoreImport(from: source, into: connection).run()
            #expect(again.isEqual, "\(again.differences.prefix(5))")
            await source.close()
            let outcome = try await store.compare(with: url)
            #expect(outcome.isGood && outcome.text.contains("all equal"), "\(outcome.text)")
            // What was imported twice is journaled once.
            #expect(try await shop.journal(type: "run.imported").count == runs)
        }
    }

    @Test func aDatabaseIsHereAsItWasThere() async throws {
        try await importAndCompare(try await OldStore(.sqlite, runs: 50), runs: 50)
    }

    @Test func aFolderIsHereAsItWasThere() async throws {
        try await importAndCompare(try await SharedFolder.only.store(), runs: 21)
    }

    @Test func anImportThatWasBrokenOffGoesOn() async throws {
        let store = try await SharedFolder.only.store()
        let shop = try await Workshop()
        let source = try await store.source()
        for pages in [0, 1, 3, 6] {
            await #expect(throws: BreakingSource.Broken.self) {
                _ = try await StoreImport(
                    from: BreakingSource(source: source, pages: pages), into: shop.connection
                ).run()
            }
        }
        let report = try await StoreImport(from: source, into: shop.connection).run()
        #expect(report.isEqual, "\(report.differences.prefix(5))")
        #expect(part(report, "artifacts").map { $0.there == $0.here && $0.there > 8 } == true)
        #expect(try await shop.journal(type: "run.imported").count == 21)
    }

    /// Versions that came without their files get them once, and no others.
    @Test func filesThatWereLeftBehindCanComeLater() async throws {
        let store = try await SharedFolder.only.store()
        let shop = try await Workshop()
        let source = try await store.source()
        let bare = try await StoreImport(from: source, into: shop.connection, .init(takesArtifacts: false)).run()
        #expect(bare.isEqual, "\(bare.differences.prefix(5))")
        func bills() async throws -> [JSONValue] {
            var bills: [JSONValue] = []
            for version in try await shop.get("/models").json.array ?? [] {
                let (model, number) = (version["id"]?["model"]?.string ?? "", version["id"]?["version"]?.integer ?? 0)
                bills.append(try await shop.get("/models/\(model)/versions/\(number)/bom").json)
            }
            return bills
        }
        func withFiles(_ bills: [JSONValue]) -> Int { bills.count { $0["files"]?.object?.isEmpty == false } }
        let before = try await bills()
        #expect(!before.isEmpty && withFiles(before) == 0)
        // Nobody but an import can put them there.
        let model = try #require(
            try await shop.get("/models").json.array?.compactMap { $0["id"]?["model"]?.string }.first)
        let location = try await shop.works.dispatch(
            .get, "/api/2.0/mlflow/model-versions/get-download-uri?name=\(model)&version=1", headers: [:], body: [])
        let uri = try JSON.decode(JSONValue.self, from: location.body)["artifact_uri"]?.string ?? ""
        let path = uri.replacing("mlflow-artifacts:/", with: "")
        func put(_ prefix: String, _ name: String) async throws -> Int {
            try await shop.works.dispatch(
                .put, "\(prefix)/\(path)/\(name)", headers: [:], body: Array("evil".utf8)
            ).status
        }
        #expect(try await put("/api/2.0/mlflow-artifacts/artifacts", "evil.pkl") == 400)
        // Broken off in the middle, nothing of it counts yet.
        await #expect(throws: BreakingSource.Broken.self) {
            _ = try await StoreImport(from: BreakingSource(source: source, pages: 3), into: shop.connection).run()
        }
        #expect(withFiles(try await bills()) == 0)
        let whole = try await StoreImport(from: source, into: shop.connection).run()
        #expect(whole.isEqual, "\(whole.differences.prefix(5))")
        let after = try await bills()
        #expect(withFiles(after) > 0 && after.count == before.count)
        let arrivals = try await shop.journal(type: "model.files").count
        #expect(arrivals == withFiles(after))
        // Once they are there, nothing is added or changed.
        #expect(try await put("/api/works/v1/imports/artifacts", "evil.pkl") == 412)
        #expect(try await put("/api/2.0/mlflow-artifacts/artifacts", "evil.pkl") == 400)
        _ = try await StoreImport(from: source, into: shop.connection).run()
        #expect(try await bills() == after)
        #expect(try await shop.journal(type: "model.files").count == arrivals)
        // The same as where they came at once.
        let other = try await Workshop()
        _ = try await StoreImport(from: source, into: other.connection).run()
        let versions = try await other.get("/models").json.array ?? []
        #expect(Set(versions.compactMap { $0["bundle"]?.string }) == Set(after.compactMap { $0["bundle"]?.string }))
    }

    @Test func oneServerIsImportedIntoAnother() async throws {
        let store = try await SharedFolder.only.store()
        let (first, second) = (try await Workshop(), try await Workshop())
        let source = try await store.source()
        _ = try await StoreImport(from: source, into: first.connection).run()
        try await first.serving { _ in
            let server = try await MLflowStore.open(
                "http://\(try first.address())", artifacts: nil, from: "/", environment: [:])
            let report = try await StoreImport(from: server, into: second.connection).run()
            #expect(report.isEqual, "\(report.differences.prefix(5))")
            #expect(part(report, "runs")?.here == 21)
            #expect(part(report, "logged models")?.here == 2)
            #expect(part(report, "registered models")?.here == 2)
            #expect(part(report, "artifacts").map { $0.there == $0.here && $0.there > 8 } == true)
        }
    }

    @Test func whatIsInTheWayIsToldAndTheRestComes() async throws {
        let store = try await SharedFolder.only.store()
        let shop = try await Workshop()
        func mlflow(_ path: String, _ body: String) async throws {
            let answer = try await shop.works.dispatch(
                .post, "/api/2.0/mlflow\(path)", headers: ["Content-Type": "application/json"], body: Array(body.utf8))
            #expect(answer.status == 200)
        }
        try await mlflow("/experiments/create", #"{"name": "far"}"#)
        try await mlflow("/registered-models/create", #"{"name": "classifier"}"#)
        let source = try await store.source()
        let rehearsal = try await StoreImport(from: source, into: shop.connection, .init(isRehearsal: true)).run()
        #expect(Set(rehearsal.differences.map(\.what)) == ["experiment 'far'", "model 'classifier'"])
        #expect(try await shop.journal(type: "run.imported").isEmpty)

        let report = try await StoreImport(from: source, into: shop.connection).run()
        #expect(Set(report.differences.map(\.what)) == ["experiment 'far'", "model 'classifier'"])
        #expect(report.differences.allSatisfy { $0.reason.contains("Rename one of the two") })
        let runs = try #require(part(report, "runs"))
        #expect(runs.there == 21 && runs.here == 20 && runs.thereDigest != runs.hereDigest)

        let merged = try await StoreImport(from: source, into: shop.connection, .init(isMerging: true)).run()
        #expect(merged.differences.map(\.what) == ["model 'classifier'"])
        #expect(part(merged, "runs")?.here == 21)
    }

    @Test func aRunThatWasChangedHereIsTold() async throws {
        let store = try await SharedFolder.only.store()
        let shop = try await Workshop()
        let source = try await store.source()
        #expect(try await StoreImport(from: source, into: shop.connection).run().isEqual)
        let churn = try #require(try await source.experiments().first { $0.experiment.name == "churn" })
        let runs = try await source.runs(of: churn.id, from: nil).items
        let id = try #require(runs.first { $0.stage == .active }?.id)
        let body = #"{"run_id": "\#(id)", "key": "depth2", "value": "5"}"#
        _ = try await shop.works.dispatch(
            .post, "/api/2.0/mlflow/runs/log-parameter", headers: ["Content-Type": "application/json"],
            body: Array(body.utf8))
        let report = try await StoreImport(from: source, into: shop.connection).run()
        #expect(report.differences.map(\.what) == ["run \(id)"])
    }

    @Test func whatIsNoStoreIsRefused() async throws {
        let folder = try TemporaryFolder()
        let text = try folder.write("no database", to: "x.db")
        for (address, word) in [
            ("sqlite:///nowhere/x.db", "nothing at"), ("mysql://x/y", "no store"),
            ("\(folder.path)/none", "nothing at"),
        ] {
            do {
                _ = try await MLflowStore.open(address, artifacts: nil, from: "/", environment: [:])
                Issue.record("\(address) was opened")
            } catch { #expect("\(error)".contains(word), "\(error)") }
        }
        await #expect(throws: (any Error).self) {
            _ = try await MLflowStore.open(text, artifacts: nil, from: "/", environment: [:])
        }
    }
}

/// The size that moving in is measured with.
@Suite(.serialized, .enabled(if: ProcessInfo.processInfo.environment["MODELWORKS_SOAK"] == "1"))
struct MLflowImportSoak {
    @Test func aThousandRunsAreHereAsTheyWereThere() async throws {
        let store = try await OldStore(.sqlite, runs: 1000)
        let shop = try await Workshop()
        try await shop.serving { _ in
            let url = "http://\(try shop.address())"
            let source = try await store.source()
            let connection = FactoryConnection(try HTTPClient(baseURL: url, connections: 1))
            // Killed at some moments, and started again.
            for pages in [10, 150] {
                await #expect(throws: BreakingSource.Broken.self) {
                    _ = try await StoreImport(
                        from: BreakingSource(source: source, pages: pages), into: connection
                    ).run()
                }
            }
            let report = try await StoreImport(from: source, into: connection).run()
            #expect(report.isEqual, "\(report.differences.prefix(5))")
            #expect(report.parts.first { $0.name == "runs" }?.here == 1000)
            print("imported in \(report.seconds) s: \(report.parts.map { "\($0.here) \($0.name)" }) \(report.notes)")
            await source.close()
            let outcome = try await store.compare(with: url)
            #expect(outcome.isGood, "\(outcome.text)")
            print(outcome.text)
        }
    }
}
