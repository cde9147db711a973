import Testing

@testable import GRPC

@Suite struct GRPCTimeoutTests {
    @Test(arguments: [
        ("1H", 3_600_000), ("2M", 120_000), ("3S", 3000), ("40m", 40), ("1500u", 2), ("1n", 1), ("0m", 0),
        ("99999999H", 359_999_996_400_000),
    ])
    func everyUnitIsMilliseconds(_ text: String, _ wanted: Int64) {
        #expect(Array(text.utf8).withUnsafeBytes { GRPCTimeout.milliseconds($0) } == wanted)
    }

    @Test(arguments: ["", "S", "5", "5s", "-1S", "1 S", "123456789S", "1.5S", "١S"])
    func whatIsMalformedIsNone(_ text: String) {
        #expect(Array(text.utf8).withUnsafeBytes { GRPCTimeout.milliseconds($0) } == nil)
    }
}
