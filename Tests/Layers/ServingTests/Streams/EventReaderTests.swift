import Basics
import Documents
import Foundation
import Inference
import Testing

@testable import Serving
@testable import Streams

@Suite struct EventReaderTests {
    private struct Shaped: TensorModel {
        let platform = "shaped"
        var inputs: [TensorSpec]
        var outputs: [TensorSpec] { inputs }
        var stacksRows = true
        var columnNames: [String]?
        let byteCount = 0

        init(_ type: TensorType, _ shape: [Int], columns: [String]? = nil, stacks: Bool = true) {
            inputs = [TensorSpec(name: "x", datatype: type, shape: shape)]
            columnNames = columns
            stacksRows = stacks
        }

        func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] { inputs }
    }

    /// What the events' inputs are written out as after a way through tensors, or why not.
    private func echo(_ model: Shaped, _ event: String) -> String {
        do {
            let reader = EventReader(model)
            let members = try StreamScorer.members(StreamRecord(value: Array(event.utf8)))
            let tensor = try reader.tensors([try reader.row(members)])[0]
            var writer = JSONWriter()
            writer.object { AnswerColumn("x", tensor, stacks: model.stacksRows).write(row: 0, to: &$0) }
            return String(decoding: writer.bytes, as: UTF8.self)
        } catch let problem as EventProblem {
            return problem.reason
        } catch {
            return "\(error)"
        }
    }

    @Test func valuesComeThroughWithTheirBits() {
        let cases: [(TensorType, [Int], String, String)] = [
            (.fp32, [-1], "0.1", "0.1"), (.fp64, [-1], "0.1", "0.1"), (.fp64, [-1, 1], "[1e-300]", "1e-300"),
            (.fp64, [-1, 1], "5", "5.0"), (.fp32, [-1, 3], "[1, null, 2.5]", "[1.0,null,2.5]"),
            (.fp32, [-1, 2, 2], "[[1, 2], [3, 4]]", "[[1.0,2.0],[3.0,4.0]]"),
            (.fp32, [-1, 2, 2], "[1, 2, 3, 4]", "[[1.0,2.0],[3.0,4.0]]"),
            (.fp32, [-1, -1], "[1, 2, 3]", "[1.0,2.0,3.0]"), (.fp32, [-1, -1], "[]", "[]"),
            (.fp16, [-1], "0.5", "0.5"), (.bf16, [-1], "1.00390625", "1.0"),
            (.int64, [-1], "9223372036854775807", "9223372036854775807"), (.int8, [-1], "-128", "-128"),
            (.uint64, [-1], "18446744073709549568", "18446744073709549568"), (.int32, [-1], "3.0", "3"),
            (.bool, [-1, 2], "[true, 0]", "[true,false]"), (.bytes, [-1], #""\u00e9\"""#, #""é\"""#),
            (.bytes, [-1, 2], #"["a", ""]"#, #"["a",""]"#),
        ]
        for (type, shape, value, wanted) in cases {
            #expect(echo(Shaped(type, shape), #"{"x": \#(value)}"#) == #"{"x":\#(wanted)}"#, "\(type) \(value)")
        }
    }

    @Test func whatDoesNotFitIsTold() {
        let cases: [(TensorType, [Int], String, String)] = [
            (.fp32, [-1, 2], #"{"y": 1}"#, "the event has no 'x'; it has 'y'"),
            (.fp32, [-1, 2], #"{"x": [1, 2, 3]}"#, "'x' has the shape [2] and was given [3]"),
            (.fp32, [-1, 2], #"{"x": 1}"#, "'x' has the shape [2] and was given []"),
            (.fp32, [-1, 2, 2], #"{"x": [[1, 2], [3]]}"#, "the lists in 'x' differ in length"),
            (.fp32, [-1, 2, 2], #"{"x": [[1, 2], 3]}"#, "the lists in 'x' differ in length"),
            (.fp32, [-1, -1], #"{"x": [1, [2]]}"#, "the lists in 'x' differ in length"),
            (.int8, [-1], #"{"x": 128}"#, "'x' takes whole numbers of INT8 and was given 128"),
            (.int8, [-1], #"{"x": 1.5}"#, "'x' takes whole numbers of INT8 and was given 1.5"),
            (.int64, [-1], #"{"x": null}"#, "'x' takes whole numbers of INT64 and was given null"),
            (.bool, [-1], #"{"x": 2}"#, "'x' takes truth values of BOOL and was given 2"),
            (.bytes, [-1], #"{"x": 2}"#, "'x' takes texts of BYTES and was given 2"),
            (.fp32, [-1], #"{"x": {}}"#, "'x' takes numbers of FP32 and was given an object"),
        ]
        for (type, shape, event, wanted) in cases { #expect(echo(Shaped(type, shape), event) == wanted, "\(event)") }
    }

    @Test func columnsAreTakenByName() {
        let model = Shaped(.fp64, [-1, 2], columns: ["a", "b"])
        #expect(echo(model, #"{"b": 2, "a": null, "c": "else"}"#) == #"{"x":[null,2.0]}"#)
        #expect(echo(model, #"{"x": [3, 4], "a": 1}"#) == #"{"x":[3.0,4.0]}"#)
        #expect(echo(model, #"{"a": 1}"#).hasPrefix("the event has no 'b'"))
        // A model that does not stack rows takes the whole tensor from one event.
        #expect(
            echo(Shaped(.fp64, [2, 2], stacks: false), #"{"x": [[1, 2], [3, 4]]}"#) == #"{"x":[[1.0,2.0],[3.0,4.0]]}"#)
    }

    @Test func marksSurviveTheirHeader() throws {
        let mark = SourceMark(scorer: "a/b c", topic: "t.x", partition: 3, offset: 1 << 40, base: 7)
        let record = StreamRecord(value: [], headers: [.init("x", []), mark.encoded])
        #expect(SourceMark(record) == mark)
        for text in ["", "t/1/2", "t/x/2/3/g", "t/1/99999999999999999999/3/g"] {
            let header = StreamRecord.Header(SourceMark.header, Array(text.utf8))
            #expect(SourceMark(StreamRecord(value: [], headers: [header])) == nil)
        }
    }

    @Test func anyBytesAreAnEventOrAreTold() {
        let random = SeededRandom(seed: 3)
        let model = Shaped(.fp32, [-1, -1])
        let pieces = ["{", "}", "[", "]", "\"x\"", ":", ",", "1", "null", "1e999", "\u{0}", "true", " "]
        for _ in 0..<20_000 {
            let event = (0..<Int(random.next() % 12)).map { _ in pieces[Int(random.next() % UInt64(pieces.count))] }
            #expect(!echo(model, event.joined()).isEmpty)
        }
    }
}
