import Basics
import Columnar
import Datasets
import Expressions
import Foundation
import Journal
import KeyValue
import ObjectStorage
import SQL

/// Runs feature tests: definitions over rows given by hand, computed and joined by the code that does it for real data, in
/// a feature store of their own that is gone afterwards.
public struct FeatureTestRunner: Sendable {
    private let folder: String
    private let time: any TimeSource
    private let random: any RandomSource

    /// - Parameter folder: where a folder for the runs may be made.
    public init(folder: String, time: any TimeSource, random: any RandomSource) {
        self.folder = folder
        self.time = time
        self.random = random
    }

    /// Runs the tests of a catalogue, in order of name.
    ///
    /// - Parameter names: only these; nil runs all.
    /// - Throws: ``FeaturesFailure/unknown(kind:name:known:)`` for a test there is not. What goes wrong in a test is its
    ///   outcome.
    public func run(_ catalogue: Catalogue, only names: [String]? = nil) async throws -> FeatureTestReport {
        let tests =
            try names.map { try $0.map { try find($0, in: catalogue) } }
            ?? catalogue.tests.values.sorted { $0.name < $1.name }
        let place = "\(folder)/feature-tests-\(getpid())-\(random.identifier())"
        defer { try? FileManager.default.removeItem(atPath: place) }
        for name in ["objects", "online", "scratch", "given"] {
            try FileManager.default.createDirectory(atPath: "\(place)/\(name)", withIntermediateDirectories: true)
        }
        let database = try await Database.open(at: "\(place)/works.db")
        _ = try await database.migrate(Journal.migrations + DatasetStore.migrations + FeatureStore.migrations)
        let online = try LMDBStore(path: "\(place)/online", durable: false)
        let store = FeatureStore(
            database: database, objects: try FileObjectStore(root: "\(place)/objects"),
            engine: ColumnarEngine(ColumnarOptions(temporaryDirectory: "\(place)/scratch")), online: online,
            onlineTable: try await online.table("features"), time: time, random: random,
            scratch: "\(place)/scratch")
        var outcomes: [FeatureTestReport.Outcome] = []
        var asserted: Set<FeatureReference> = []
        for test in tests {
            let run = FeatureTestRun(test, catalogue, store, folder: "\(place)/given")
            let outcome = await run.outcome()
            outcomes.append(outcome)
            asserted.formUnion(run.asserted())
        }
        try await online.close()
        return FeatureTestReport(tests: outcomes, coverage: Self.coverage(catalogue, asserted))
    }

    private func find(_ name: String, in catalogue: Catalogue) throws -> FeatureTest {
        guard let test = catalogue.tests[name] else {
            throw FeaturesFailure.unknown(kind: "feature test", name: name, known: Array(catalogue.tests.keys))
        }
        return test
    }

    private static func coverage(
        _ catalogue: Catalogue, _ asserted: Set<FeatureReference>
    ) -> FeatureTestReport.Coverage {
        func cover(_ kind: String, _ name: String, _ features: [String]) -> FeatureTestReport.ViewCoverage {
            .init(
                kind: kind, name: name, features: features.count,
                missing: features.filter { !asserted.contains(FeatureReference(view: name, feature: $0)) })
        }
        let views = catalogue.views.values.map { cover("view", $0.name, $0.featureNames) }
        let transforms = catalogue.transforms.values.map { cover("transform", $0.name, $0.features.map(\.name)) }
        return .init(views: (views + transforms).sorted { ($0.kind, $0.name) < ($1.kind, $1.name) })
    }
}
