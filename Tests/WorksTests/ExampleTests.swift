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
}
