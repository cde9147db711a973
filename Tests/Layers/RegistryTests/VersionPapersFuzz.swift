import Basics
import TestSupport
import Testing

@testable import Registry

/// What a version says of itself: its source, and the file `MLmodel` beside it.
@Suite struct VersionPapersFuzz {
    private static let sources = [
        "models:/m/3", "models:/m-0a1b", "runs:/0a1b/model/a", "runs:/0a1b", "s3://bucket/key", "/data/m",
        "mlflow-artifacts:/1/0a1b/artifacts/model", "file:///a", "models:/m/99999999999999999999",
    ]
    private static let pieces = [
        "..", "/", "//", "models:/", "runs:/", "3", "-1", "+1", "\u{0}", "%2e%2e", "é", "🙂", ":", "\n", "m",
        "9223372036854775808", "\u{661}",
    ]

    @Test func aSourceIsReadOrRefused() throws {
        let fuzzer = Fuzzer(pieces: Self.pieces)
        var (taken, refused) = (0, 0)
        for _ in fuzzer.rounds(atLeast: 10_000) {
            let text = fuzzer.text(from: Self.sources)
            do {
                let source = try VersionSource(text)
                taken += 1
                #expect(
                    !text.split(separator: "/").contains(".."), "seed \(fuzzer.seed): \(text.debugDescription)")
                switch source {
                case .place(let place): #expect(place == text)
                case .version(let id): #expect(text.hasPrefix("models:/") && !id.model.contains("/"))
                case .loggedModel(let id): #expect(text.hasPrefix("models:/") && !id.contains("/"))
                case .run(let run, _): #expect(text.hasPrefix("runs:/") && !run.isEmpty && !run.contains("/"))
                }
            } catch let failure as RegistryFailure {
                refused += 1
                #expect(failure.code == .invalidArgument)
            }
        }
        #expect(taken > 200 && refused > 200, "\(taken) taken, \(refused) refused")
    }

    private static let models = [
        """
        flavors:
          python_function: {loader_module: mlflow.sklearn}
        saved_input_example_info: {artifact_path: input_example.json, type: dataframe}
        signature:
          inputs: '[{"type": "double", "name": "x", "required": true}]'
          outputs: '[{"type": "double", "required": true}]'
          params: null

        """
    ]
    private static let words = [
        "signature:", "saved_input_example_info:", "inputs: ", "artifact_path: ", "&a ", "*a", "[", "]", "{", "}", "'",
        "\"", "|", "\n", "  ", "---\n", "!!binary ", "<<: ", "null", "~", "\u{0}", "\u{FEFF}", "é", "- ", "? ", "\t",
    ]

    @Test func aDescriptionIsReadOrSaysNothing() {
        let fuzzer = Fuzzer(pieces: Self.words)
        let sound = ModelDescription(Self.models.first)
        var (signed, sampled, silent) = (0, 0, 0)
        for _ in fuzzer.rounds(atLeast: 4000) {
            let text = fuzzer.text(from: Self.models)
            let found = ModelDescription(text)
            if found.signature != nil { signed += 1 }
            if found.sample != nil { sampled += 1 }
            if found.signature == nil, found.sample == nil { silent += 1 }
        }
        #expect(sound.signature != nil && sound.sample == "input_example.json")
        #expect(signed > 100 && sampled > 100 && silent > 100, "\(signed) signed, \(sampled) sampled, \(silent) silent")
    }
}
