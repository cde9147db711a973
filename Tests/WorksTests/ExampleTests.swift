import Basics
import Foundation
import TestSupport
import Testing
import Workshop

/// What stands in `Examples` holds.
@Suite struct ExampleTests {
    private static let folder = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../Examples").standardized
        .path

    @Test func everyFeatureOfTheFlightsIsAssertedAndHolds() async throws {
        let workshop = try await Workshop()
        try await workshop.serving { _ in
            let words = ["features", "test", "\(Self.folder)/flights", "--min-coverage", "1", "--json"]
            let told = try await Program.run(
                words + ["--url", "http://\(try workshop.address())"], folder: workshop.folder.path)
            #expect(told.code == 0, "\(told.all)")
            #expect(told.json["tests"]?.array?.isEmpty == false)
        }
    }

    @Test func theAnomaliesOfTheStreamAreFoundAndNoOthers() async throws {
        let (folder, program) = (try TemporaryFolder(), try Program.path())
        let output = try await BlockingThread(name: "example").run {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "\(Self.folder)/anomaly-stream/run")
            process.environment = ProcessInfo.processInfo.environment.merging([
                "MODELWORKS": program, "TMPDIR": folder.path,
            ]) { $1 }
            let log = folder("output")
            _ = FileManager.default.createFile(atPath: log, contents: nil)
            process.standardOutput = FileHandle(forWritingAtPath: log)
            try process.run()
            process.waitUntilExit()
            #expect(process.terminationStatus == 0)
            return Program.text(log)
        }
        let found = output.split(separator: "\n").drop { $0 != "anomalies:" }.dropFirst()
            .prefix { $0 != "rejected:" }.compactMap { $0.split(separator: " ").first.map(String.init) }
        #expect(found.sorted() == ["boiler-180", "boiler-431", "pump-300", "pump-95", "valve-540"])
        #expect(output.contains("1800 scored, 1 rejected"))
        #expect(output.contains("pump-600"))
    }
}
