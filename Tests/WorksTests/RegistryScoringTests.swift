import Basics
import Columnar
import Foundation
import HTTP
import Inference
import Jobs
import TestSupport
import Testing
import Works
import Workshop

/// Tables scored by a version of a registry, by the program a person or a job would run.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct RegistryScoringTests {
    private static let rows: [[Double]] = [[0.5, 3, 2], [4, 9, 2.25], [1, 0.25, 7], [2.5, 6, 6]]

    @Test func aVersionIsScoredByHandAndByAJob() async throws {
        let shop = try await Workshop { $0.jobLeases = JobLeases(heartbeatSeconds: 0.1, missedMax: 100) }
        try await shop.apply()
        try await shop.trainAndDeploy()
        let manifest = try await shop.bundle(of: 1).manifest
        let model = try await shop.model(of: 1)
        let expected = try Self.rows.map { try model.predict(row: $0)[0] }
        let output = try #require(manifest.signature.outputs.first?.name)
        let folder = shop.folder
        let lines = Self.rows.enumerated().map { id, row in "\(id)," + row.map { "\($0)" }.joined(separator: ",") }
        let names = manifest.signature.inputs.map(\.name)
        try folder.write((["id," + names.joined(separator: ",")] + lines).joined(separator: "\n"), to: "given.csv")
        let root = folder("root")
        let program = try Program.path()
        let job = """
            kind: score
            name: nightly
            owner: shop-team
            program: \(program)
            model: models:/order-failure@best
            input: \(folder("given.csv"))
            output: \(folder("job.parquet"))
            keep: [id]
            every: 1d

            """
        try await shop.serving { _ in
            // By number and by alias.
            let alias = try await shop.works.dispatch(
                .post, "/api/2.0/mlflow/registered-models/alias", headers: ["Content-Type": "application/json"],
                body: Array(#"{"name":"order-failure","alias":"best","version":"1"}"#.utf8))
            try #require(alias.status == 200)
            for (reference, place) in [("models:/order-failure/1", "hand"), ("models:/order-failure@best", "alias")] {
                let outcome = try await Program.run(
                    [
                        "score", reference, "--root", root, "--input", folder("given.csv"), "--output",
                        folder("\(place).parquet"), "--keep", "id", "--json",
                    ], folder: folder.path)
                #expect(outcome.code == 0, "\(outcome.all)")
                #expect(try await named(output, folder("\(place).parquet")) == expected, "\(place)")
            }
            for (reference, told) in [
                ("models:/order-failure/9", "version=9"), ("models:/nobody/1", "nobody"),
                ("models:/order-failure@none", "none"), ("models:/order-failure", "Write models:/NAME/VERSION"),
            ] {
                let outcome = try await Program.run(
                    [
                        "score", reference, "--root", root, "--input", folder("given.csv"), "--output",
                        folder("none.parquet"),
                    ], folder: folder.path)
                #expect(outcome.code != 0 && outcome.errors.contains(told), "\(reference): \(outcome.all)")
            }
            // A file becomes the next version, which gives the same.
            let text = try #require(try await shop.bundle(of: 1).files[LightGBMRuntime.modelPath])
            try Data(text).write(to: URL(fileURLWithPath: folder("copy.txt")))
            let fixtures =
                URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().path
                + "/InferenceTests/Fixtures"
            for (words, told) in [
                (
                    ["order-failure", folder("copy.txt")],
                    "order-failure/2 is registered. It takes \(names.joined(separator: ", "))."
                ),
                (["weights", "\(fixtures)/beside/model.onnx"], "weights/1 is registered. It takes x0, x1,"),
                (["trees", "\(fixtures)/xgboost/binary.json", "--features", "p,q,r,s,t"], "It takes p, q, r, s, t."),
            ] {
                let outcome = try await Program.run(
                    ["models", "register"] + words + ["--root", root], folder: folder.path)
                #expect(outcome.code == 0 && outcome.output.contains(told), "\(outcome.all)")
            }
            for (words, told) in [
                (["weights", "\(fixtures)/hostile/custom.onnx"], "Launch"),
                (["trees", "\(fixtures)/xgboost/binary.json", "--features", "p,q"], "takes 5 columns"),
                (["trees", "\(fixtures)/answers.md"], "there is no model file"),
            ] {
                let outcome = try await Program.run(
                    ["models", "register"] + words + ["--root", root], folder: folder.path)
                #expect(outcome.code == 1 && outcome.errors.contains(told), "\(outcome.all)")
            }
            let again = try await Program.run(
                [
                    "score", "models:/order-failure/2", "--root", root, "--input", folder("given.csv"), "--output",
                    folder("copy.parquet"), "--keep", "id",
                ], folder: folder.path)
            #expect(again.code == 0, "\(again.all)")
            #expect(try await named("score", folder("copy.parquet")) == expected)
            // The scorer itself, as a job of the factory.
            try await shop.post("/apply", shop.directory(Blueprint.files(with: ["pipelines/nightly.yaml": job])))
            try await Deadline(seconds: 120).wait("the end of the job") {
                let jobs = try await shop.get("/jobs").json.array ?? []
                let state = jobs.first?["state"]?.string ?? ""
                return JobState(rawValue: state)?.isFinal ?? false
            }
            let jobs = try await shop.get("/jobs").json.array ?? []
            #expect(jobs.first?["state"] == "succeeded", "\(jobs)")
            #expect(try await named(output, folder("job.parquet")) == expected)
        }
    }

    private func named(_ column: String, _ file: String) async throws -> [Double] {
        let engine = ColumnarEngine(ColumnarOptions(temporaryDirectory: NSTemporaryDirectory()))
        return try await engine.query("SELECT \"\(column)\" AS score FROM '\(file)' ORDER BY id").doubles("score")
    }
}
