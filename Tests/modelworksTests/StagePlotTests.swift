import Basics
import Testing

@testable import modelworks

@Suite struct StagePlotTests {
    private func stage(_ name: String, _ parts: [(Double, Int64)]) -> JSONValue {
        [
            "stage": .string(name),
            "distribution": .array(parts.map { ["upTo": .number($0), "count": .integer($1)] }),
        ]
    }

    @Test func everyStageHasALineOnOneAxis() {
        let text = StagePlot.text([
            stage("ingest", [(0.001, 7), (0.002, 14)]), stage("inference", [(0.002, 1), (0.004, 0), (0.008, 2)]),
            stage("serialise", []),
        ])
        // Bounds 1, 2, 4 and 8 us; 7 of 14 are half of the height, and what saw nothing has a dot.
        #expect(text == "\ningest     ▅█··\ninference  ·▅·█\n           1.00 µs 8.00 µs\n")
    }

    @Test func whatSawNothingIsNotDrawn() {
        #expect(StagePlot.text([]) == "")
        #expect(StagePlot.text([stage("ingest", [])]) == "")
    }
}
