import Basics
import Experiments
import TestSupport
import Testing

/// Paths of artifacts: whatever is taken names something below the root, in every way a reader may undo its escapes.
@Suite struct ArtifactPathFuzz {
    private static let samples = [
        "model/MLmodel", "0/0a1b/artifacts/a b/ü.txt", "a/%2e%2e/b", "mlflow-artifacts:/1/x", "%252e%252e%252fx",
        "mlflow-artifacts://host:5000/1/a/../b", "C:/x", "a//b", "./a", "a/.",
    ]
    private static let pieces = [
        "..", "/", "%2e", "%2E", "%2f", "%25", "%5c", "\\", ".", "%00", "\u{0}", ":", "#", "%", "%+5", "%c0%ae", "é",
        "\u{2024}", "\u{FF0E}", "~", "a", "mlflow-artifacts:", "//",
    ]

    /// Every text that comes of undoing escapes once more, up to where there is nothing left to undo.
    private func readings(_ text: String) -> [String] {
        func value(_ byte: UInt8) -> UInt8? { Character(Unicode.Scalar(byte)).hexDigitValue.map(UInt8.init) }
        var readings = [Array(text.utf8)]
        while let last = readings.last {
            var undone: [UInt8] = []
            var index = 0
            while index < last.count {
                if last[index] == 37, index + 2 < last.count, let high = value(last[index + 1]),
                    let low = value(last[index + 2])
                {
                    undone.append(high << 4 | low)
                    index += 3
                } else {
                    undone.append(last[index])
                    index += 1
                }
            }
            guard undone != last else { break }
            readings.append(undone)
        }
        return readings.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func noPathLeadsOut() throws {
        let fuzzer = Fuzzer(pieces: Self.pieces)
        var (taken, refused) = (0, 0)
        for _ in fuzzer.rounds(atLeast: 10_000) {
            let text = fuzzer.text(from: Self.samples)
            do {
                var paths = [try ArtifactPath(text)]
                if let path = try ArtifactPath(location: text) { paths.append(path) }
                paths.append(try paths[0].appending("b"))
                taken += 1
                for path in paths {
                    for reading in readings(path.description) {
                        let names = reading.split(separator: "/", omittingEmptySubsequences: false)
                        #expect(
                            !names.contains("..") && !names.contains(".") && !names.contains("")
                                && !reading.utf8.contains(0) && !reading.utf8.contains(UInt8(ascii: "\\")),
                            "seed \(fuzzer.seed): \(text.debugDescription)")
                    }
                }
            } catch let failure as ExperimentsFailure {
                refused += 1
                #expect(failure.code == .invalidArgument)
            }
        }
        #expect(taken > 200 && refused > 200, "\(taken) taken, \(refused) refused")
    }

    @Test func escapesWithinEscapesTakeNoTime() {
        let deep = "%" + String(repeating: "25", count: 1 << 20) + "2e"
        #expect(throws: ExperimentsFailure.self) { try ArtifactPath(deep) }
    }
}
