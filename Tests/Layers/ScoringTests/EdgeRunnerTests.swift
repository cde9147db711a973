import Basics
import Foundation
import Scoring
import TestSupport
import Testing

/// What an exported folder answers, and how it takes what is wrong.
@Suite struct EdgeRunnerTests {
    private static let mlp = #"{"name":"x","datatype":"FP32","shape":[1,12],"data":[1,2,3,4,5,6,7,8,9,10,11,12]}"#

    @Test func tablesAnswerAsRequestsDo() async throws {
        let bench = try EdgeBench()
        let names = (0..<12).map { "c\($0)" }
        try await bench.export("mlp.onnx") { $0.scoring.features = names }
        #expect(try bench.manifest().inputs.first?.columns == names)
        let random = SeededRandom(seed: 3)
        let rows = (0..<20).map { _ in (0..<12).map { _ in Double(Int64(random.next() % 2000)) / 500 - 2 } }
        let requests = rows.map {
            #"{"inputs":[{"name":"x","datatype":"FP32","shape":[1,12],"data":\#($0)}]}"# + "\n"
        }
        // A column too many, others in another order, quotes, ends of lines of Windows and a mark of UTF-8.
        let header = "more," + names.reversed().joined(separator: ",")
        let table = rows.map { row in "\"a,\"\"b\"," + row.reversed().map { "\"\($0)\"" }.joined(separator: ",") }
        let csv = "\u{FEFF}" + ([header] + table).joined(separator: "\r\n")
        let (one, other) = (try bench.score(requests.joined()), try bench.score(csv))
        #expect(one.code == 0 && other.code == 0, "\(one.errors)\(other.errors)")
        #expect(one.lines.map { $0["outputs"] } == other.lines.map { $0["outputs"] })
        #expect(one.lines.count == 20)
        #expect(other.lines.map { $0["id"]?.string } == (1...20).map { "\($0)" })
    }

    @Test func fieldsAreReadAsTheyWereWritten() async throws {
        let bench = try EdgeBench()
        try await bench.export("words.onnx")
        let fuzzer = Fuzzer(pieces: ["\"", ",", "\n", "\r\n", "a", " ", "é", "😀", "\"\"", ",,"])
        let rows = (0..<400).map { _ in
            (0..<2).map { _ in
                // A line's end inside quotes is kept as one character.
                String(decoding: fuzzer.row(below: 6), as: UTF8.self).replacing("\r\n", with: "\n")
            }
        }
        func quoted(_ text: String) -> String { "\"" + text.replacing("\"", with: "\"\"") + "\"" }
        let csv = "first,second\n" + rows.map { $0.map(quoted).joined(separator: ",") + "\n" }.joined()
        let outcome = try bench.score(csv)
        #expect(outcome.code == 0, "\(outcome.errors)")
        let answers = outcome.lines.map { line in
            (line["outputs"]?.array ?? []).compactMap { $0["data"]?.array?.first?.string }
        }
        #expect(answers == rows)
    }

    @Test func refusesRequestsByTheirNumber() async throws {
        let bench = try EdgeBench()
        try await bench.export("mlp.onnx")
        let good = #"{"inputs":[\#(Self.mlp)]}"#
        let bad = [
            (#"{"inputs":[{"name":"y","datatype":"FP32","shape":[1],"data":[1]}]}"#, "no input 'y'"),
            (#"{"inputs":[{"name":"x","datatype":"FP64","shape":[1,1],"data":[1]}]}"#, "takes FP32"),
            (#"{"inputs":[{"name":"x","datatype":"FP32","shape":[1,3],"data":[1,2,3]}]}"#, "[-1, 12]"),
            (#"{"inputs":[{"name":"x","datatype":"FP32","shape":[1,12],"data":[1]}]}"#, "inputs[0]"),
            (#"{"inputs":[{"name":"x","datatype":"FP32","shape":[1,12]}]}"#, "no data"),
            (#"{"inputs":[]}"#, "input"), ("[1,2", "inputs"), ("\u{0}", "inputs"),
            (#"{"inputs":[\#(Self.mlp)],"outputs":[{"name":"q"}]}"#, "no output 'q'"),
            (String(repeating: "[", count: 5000), "inputs"),
        ]
        let rows = bad.flatMap { [good, "", $0.0] } + [good]
        let outcome = try bench.score(rows.joined(separator: "\n"), "--format", "json")
        #expect(outcome.code == 1)
        try #require(outcome.lines.count == 2 * bad.count + 1)
        for (index, (_, words)) in bad.enumerated() {
            let (answer, refusal) = (outcome.lines[2 * index], outcome.lines[2 * index + 1])
            #expect(answer["outputs"] != nil && answer == outcome.lines.last)
            #expect(refusal["row"]?.integer == Int64(2 * index + 2))
            let told = "\(refusal["error"]?.string ?? "") \(refusal["remedy"]?.string ?? "")"
            #expect(told.contains(words), "\(told)")
        }
        #expect(outcome.errors.contains("10 of 21 rows could not be scored. The first is row 2: "))
    }

    @Test func refusesRowsOfATable() async throws {
        let bench = try EdgeBench()
        try await bench.export("mlp.onnx") { $0.scoring.features = (0..<12).map { "c\($0)" } }
        let header = (0..<12).map { "c\($0)" }.joined(separator: ",")
        let good = (0..<12).map { "\($0)" }.joined(separator: ",")
        let bad = [
            ("1,2", "2 fields"), (good.replacing("5", with: "five"), "'five' of 'c5' is no FP32"),
            (good.replacing("5", with: "1e99"), "'1e99'"), ("\"1\"2,\(good.dropFirst(2))", "quote closes"),
        ]
        let outcome = try bench.score(([header, good] + bad.map(\.0) + [good, "\"1,2"]).joined(separator: "\n"))
        #expect(outcome.code == 1)
        #expect(outcome.lines.count == 7)
        for (line, expected) in zip(outcome.lines[1...], bad) {
            #expect(line["error"]?.string?.contains(expected.1) == true, "\(line)")
        }
        #expect(outcome.lines[5]["outputs"] == outcome.lines[0]["outputs"])
        #expect(outcome.lines[6]["error"]?.string == "a quote is never closed")
        // A missing value is NaN, as it is to the server.
        #expect(try bench.score("\(header)\n\(good.dropLast(2))\n").code == 0)
        let lacking = try bench.score("a,b\n1,2\n")
        #expect(lacking.code == 1 && lacking.errors.contains("no column 'c0' but 'a', 'b'"), "\(lacking.errors)")
    }

    @Test func neverCrashesOnWhateverComes() async throws {
        let bench = try EdgeBench()
        try await bench.export("pipeline.onnx")
        let example = [UInt8](try Data(contentsOf: URL(fileURLWithPath: bench.folder("edge/example.jsonl"))))
        let fuzzer = Fuzzer(pieces: [
            "\"", ",", "[", "]", "{", "}", "null", "NaN", "-1", "1e999", "99999999999999999999", "\"BYTES\"",
            "\"FP32\"", "\\u0000", "\"data\":", "\"shape\":[4294967296,4294967296]", "\r", "\u{FEFF}",
        ])
        for name in ["json", "csv"] {
            var lines: [UInt8] = name == "csv" ? Array("a,b,c\n".utf8) : []
            for _ in 0..<3000 { lines += fuzzer.mutated(example).filter { $0 != 10 } + [10] }
            let outcome = try bench.score(lines, "--format", name)
            #expect((0...2).contains(outcome.code), "seed \(fuzzer.seed): \(outcome.code) \(outcome.errors)")
            #expect(outcome.lines.allSatisfy { $0 != .null })
        }
    }

    @Test("The memory limit ends it cleanly", arguments: ["mlp.onnx", "lightgbm/binary.txt", "xgboost/binary.json"])
    func memoryLimit(file: String) async throws {
        let bench = try EdgeBench()
        try await bench.export(file)
        let example = try String(contentsOfFile: bench.folder("edge/example.jsonl"), encoding: .utf8)
        let codes = try [1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64, 4096].map { limit in
            let outcome = try bench.score(example, "--memory-limit", "\(limit)")
            if outcome.code == 4 { #expect(outcome.errors.contains("memory limit is reached. Raise")) }
            return outcome.code
        }
        #expect(codes.allSatisfy { $0 == 0 || $0 == 4 }, "\(codes)")
        #expect(codes.first == 4 && codes.last == 0, "\(codes)")
    }

    @Test func measures() async throws {
        let bench = try EdgeBench()
        let report = try await bench.export("mlp.onnx")
        let measured = report.manifest.measured
        #expect(
            measured.calls == 50 && measured.p50 > 0 && measured.p50 <= measured.p99 && measured.p99 <= measured.p999)
        #expect(measured.peakMemory > 1)
        let outcome = try bench.score("", "--bench", "200")
        #expect(outcome.code == 0 && outcome.lines.first?["calls"]?.integer == 200, "\(outcome.errors)")
    }

    @Test("Wrong use is told", arguments: ["--format=json", "--bench", "--nothing", "a b c"])
    func wrongUse(words: String) async throws {
        let bench = try EdgeBench()
        try await bench.export("mlp.onnx")
        let outcome = try words.contains(" ") ? bench.score("", "a", "b") : bench.score("", words)
        #expect(outcome.code == 2 && outcome.errors.contains("See --help"), "\(outcome.errors)")
    }

    enum Damage: CaseIterable {
        case model, noModel, library, noLibrary, manifest, noManifest

        func strike(_ edge: String) throws {
            let manager = FileManager.default
            switch self {
            case .model:
                let path = "\(edge)/model/model.onnx"
                var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
                bytes[bytes.count / 2] ^= 1
                try bytes.write(to: URL(fileURLWithPath: path))
            case .noModel: try manager.removeItem(atPath: "\(edge)/model/model.onnx")
            case .library: try Data("text".utf8).write(to: URL(fileURLWithPath: "\(edge)/lib/libonnxruntime.so"))
            case .noLibrary: try manager.removeItem(atPath: "\(edge)/lib/libonnxruntime.so")
            case .manifest: try Data("{\"format\": 1}".utf8).write(to: URL(fileURLWithPath: "\(edge)/manifest.json"))
            case .noManifest: try manager.removeItem(atPath: "\(edge)/manifest.json")
            }
        }

        var words: String {
            switch self {
            case .model: "its SHA-256 differs. Copy the folder again."
            case .noModel: "model.onnx can not be opened"
            case .library, .noLibrary: "the library of onnxruntime can not be opened"
            case .manifest: "manifest.json has no"
            case .noManifest: "manifest.json can not be opened"
            }
        }
    }

    @Test("A folder that lacks something says so", arguments: Damage.allCases)
    func damaged(damage: Damage) async throws {
        let bench = try EdgeBench()
        try await bench.export("mlp.onnx")
        try damage.strike(bench.folder("edge"))
        let outcome = try bench.score("{}")
        #expect(outcome.code == 3 && outcome.output.isEmpty)
        #expect(outcome.errors.contains(damage.words), "\(outcome.errors)")
    }
}
