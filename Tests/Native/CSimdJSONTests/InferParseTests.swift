import CSimdJSON
import Testing

/// A parser that frees itself; answers are copied out so that tests read plainly.
final class Parser {
    let handle: OpaquePointer?

    init(maxBytes: Int = 1 << 20, maxDepth: Int = 16) { handle = mw_json_parser_new(maxBytes, maxDepth) }
    deinit { mw_json_parser_free(handle) }

    struct Refusal: Error, Equatable {
        let status: mw_json_status.RawValue
        let message: String
        let place: String
    }

    func infer<Result>(_ text: String, _ body: (mw_infer_view) throws -> Result) throws -> Result {
        try infer(Array(text.utf8), body)
    }

    func infer<Result>(_ bytes: [UInt8], _ body: (mw_infer_view) throws -> Result) throws -> Result {
        var view = mw_infer_view()
        var error = mw_json_error()
        let status = mw_infer_parse(handle, bytes, bytes.count, &view, &error)
        guard status == MW_JSON_OK else { throw refusal(status, error) }
        return try body(view)
    }

    func tree<Result>(_ text: String, _ body: (mw_tree_view) throws -> Result) throws -> Result {
        var view = mw_tree_view()
        var error = mw_json_error()
        let bytes = Array(text.utf8)
        let status = mw_tree_parse(handle, bytes, bytes.count, &view, &error)
        guard status == MW_JSON_OK else { throw refusal(status, error) }
        return try body(view)
    }

    private func refusal(_ status: mw_json_status, _ error: mw_json_error) -> Refusal {
        func text<Tuple>(_ tuple: Tuple) -> String {
            withUnsafeBytes(of: tuple) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        return Refusal(status: status.rawValue, message: text(error.message), place: text(error.where))
    }
}

func string(_ text: mw_text) -> String {
    String(decoding: UnsafeRawBufferPointer(start: text.text, count: text.length), as: UTF8.self)
}

func list<Element>(_ base: UnsafePointer<Element>?, _ count: Int) -> [Element] {
    Array(UnsafeBufferPointer(start: base, count: base == nil ? 0 : count))
}

@Suite struct InferParseTests {
    @Test func everyPartOfARequestIsRead() throws {
        let text = """
            {"id":"caf\\u00e9","parameters":{"priority":18446744073709551615,"note":"x","on":true,"ratio":0.5,"low":-3},
             "unknown":{"deep":[1,{"a":2}]},
             "inputs":[{"name":"x","shape":[2,3],"datatype":"FP64","data":[[1,2.5,-0.0],[null,1e300,3]]},
                       {"name":"n","datatype":"INT64","shape":[3],"data":[9007199254740993,-9223372036854775808,0]},
                       {"name":"u","datatype":"UINT64","shape":[1,1],"data":[18446744073709551615]},
                       {"name":"s","datatype":"BYTES","shape":[2],"data":["a\\"b",null],"parameters":{"content_type":"str"}},
                       {"name":"b","datatype":"BOOL","shape":[3],"data":[true,0,1]},
                       {"name":"raw","datatype":"FP32","shape":[4],"parameters":{"binary_data_size":16}}],
             "outputs":[{"name":"y","parameters":{"binary_data":false}},{"name":"z"}]}
            """
        try Parser().infer(text) { view in
            #expect(view.has_id && string(view.id) == "café")
            let parameters = list(view.parameters.items, view.parameters.count)
            #expect(parameters.map { string($0.key) } == ["priority", "note", "on", "ratio", "low"])
            #expect(parameters[0].value.kind == MW_VALUE_UINT64 && parameters[0].value.uint64 == .max)
            #expect(string(parameters[1].value.text) == "x" && parameters[2].value.boolean)
            #expect(parameters[3].value.number == 0.5 && parameters[4].value.int64 == -3)
            let inputs = list(view.inputs, view.input_count)
            #expect(inputs.map { string($0.name) } == ["x", "n", "u", "s", "b", "raw"])
            let x = list(inputs[0].doubles, inputs[0].count)
            #expect(x[0] == 1 && x[1] == 2.5 && x[2].sign == .minus && x[3].isNaN && x[4] == 1e300 && x[5] == 3)
            #expect(list(inputs[0].nulls, 6) == [0, 0, 0, 1, 0, 0] && inputs[0].null_count == 1)
            #expect(inputs[0].rank == 2 && inputs[0].shape.0 == 2 && inputs[0].shape.1 == 3)
            #expect(list(inputs[1].int64s, 3) == [9_007_199_254_740_993, .min, 0] && inputs[1].nulls == nil)
            #expect(list(inputs[2].uint64s, 1) == [.max])
            #expect(list(inputs[3].texts, 2).map(string) == ["a\"b", ""] && list(inputs[3].nulls, 2) == [0, 1])
            #expect(list(inputs[4].booleans, 3) == [1, 0, 1])
            #expect(inputs[5].kind == MW_DATA_ABSENT && inputs[5].parameters.items[0].value.int64 == 16)
            let outputs = list(view.outputs, view.output_count)
            #expect(outputs.map { string($0.name) } == ["y", "z"] && outputs[0].parameters.count == 1)
        }
    }

    @Test(arguments: [
        ("[]", "", "object"), ("{}", "inputs", "lacks"), (#"{"inputs":3}"#, "inputs", "array"),
        (#"{"id":7,"inputs":[]}"#, "id", "string"), (#"{"inputs":[7]}"#, "inputs[0]", "object"),
        (#"{"inputs":[{"shape":[1],"datatype":"FP64","data":[1]}]}"#, "inputs[0]", "name"),
        (#"{"inputs":[{"name":"x","datatype":"FP64","data":[1]}]}"#, "inputs[0]", "shape"),
        (#"{"inputs":[{"name":"x","shape":[1],"data":[1]}]}"#, "inputs[0]", "datatype"),
        (#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP65","data":[1]}]}"#, "inputs[0].datatype", "none of"),
        (#"{"inputs":[{"name":"x","shape":[-1],"datatype":"FP64","data":[1]}]}"#, "inputs[0].shape[0]", "0 or more"),
        (
            #"{"inputs":[{"name":"x","shape":[4294967296,4294967296],"datatype":"FP64","data":[1]}]}"#,
            "inputs[0].shape[1]", "multiply"
        ),
        (
            #"{"inputs":[{"name":"x","shape":[1,1,1,1,1,1,1,1,1],"datatype":"FP64","data":[1]}]}"#,
            "inputs[0].shape[8]", "8"
        ),
        (#"{"inputs":[{"name":"x","shape":[2],"datatype":"FP64","data":[1]}]}"#, "inputs[0].data", "asks for 2"),
        (#"{"inputs":[{"name":"x","shape":[2],"datatype":"FP64","data":[1,"2"]}]}"#, "inputs[0].data[1]", "no number"),
        (#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1e39]}]}"#, "inputs[0].data[0]", "range"),
        (#"{"inputs":[{"name":"x","shape":[1],"datatype":"INT64","data":[1.0]}]}"#, "inputs[0].data[0]", "no integer"),
        (#"{"inputs":[{"name":"x","shape":[1],"datatype":"INT8","data":[128]}]}"#, "inputs[0].data[0]", "range"),
        (#"{"inputs":[{"name":"x","shape":[1],"datatype":"UINT8","data":[-1]}]}"#, "inputs[0].data[0]", "0 or more"),
        (#"{"inputs":[{"name":"x","shape":[1],"datatype":"BOOL","data":[2]}]}"#, "inputs[0].data[0]", "BOOL"),
        (#"{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","data":[2]}]}"#, "inputs[0].data[0]", "no string"),
        (#"{"inputs":[],"outputs":[{}]}"#, "outputs[0]", "name"),
    ])
    func wrongShapesAreNamed(text: String, place: String, part: String) throws {
        let refusal = #expect(throws: Parser.Refusal.self) { try Parser().infer(text) { _ in } }
        #expect(refusal?.status == MW_JSON_SHAPE.rawValue && refusal?.place == place)
        #expect(refusal?.message.contains(part) == true, "\(refusal?.message ?? "")")
    }

    @Test func whatIsNoJSONIsASyntaxError() throws {
        for text in ["", " ", "{", "{\"inputs\":[}", "{\"inputs\":[]} x", "nul", "{\"a\":01}", "\u{1}"] {
            let refusal = #expect(throws: Parser.Refusal.self) { try Parser().infer(text) { _ in } }
            #expect(refusal?.status == MW_JSON_SYNTAX.rawValue, "\(text)")
        }
        let refusal = #expect(throws: Parser.Refusal.self) { try Parser().infer([0x22, 0xFF, 0x22]) { _ in } }
        #expect(refusal?.message.contains("UTF-8") == true)
    }

    @Test func limitsHold() throws {
        let parser = Parser(maxBytes: 200, maxDepth: 5)
        try parser.infer(#"{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP64","data":[[1]]}]}"#) {
            #expect($0.input_count == 1)
        }
        for text in [
            #"{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP64","data":[[[1]]]}]}"#,
            #"{"inputs":[],"x":""# + String(repeating: "y", count: 200) + "\"}",
        ] {
            let refusal = #expect(throws: Parser.Refusal.self) { try parser.infer(text) { _ in } }
            #expect(refusal?.status == MW_JSON_LIMIT.rawValue)
        }
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: Parser.Refusal.self) { try Parser().infer(deep) { _ in } }
    }

    @Test func aSteadyLoadHoldsItsMemory() throws {
        let parser = Parser()
        let data = (0..<500).map { "\($0).5" }.joined(separator: ",")
        let text = #"{"inputs":[{"name":"x","shape":[500],"datatype":"FP64","data":["# + data + "]}]}"
        for _ in 0..<3 { try parser.infer(text) { #expect($0.inputs[0].doubles[499] == 499.5) } }
        let held = mw_json_parser_footprint(parser.handle)
        for _ in 0..<200 { try parser.infer(text) { #expect($0.input_count == 1) } }
        #expect(mw_json_parser_footprint(parser.handle) == held)
        mw_json_parser_trim(parser.handle, held)
        #expect(mw_json_parser_footprint(parser.handle) == held)
        mw_json_parser_trim(parser.handle, 1024)
        #expect(mw_json_parser_footprint(parser.handle) <= 1024)
        try parser.infer(text) { #expect($0.inputs[0].count == 500) }
    }

    @Test func mutationsNeverReadOutside() throws {
        let seed = Array(
            #"{"id":"a\u00e9","parameters":{"p":1,"q":"r"},"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2.5],[null,-3e2]]},{"name":"s","shape":[2],"datatype":"BYTES","data":["ab","c"]},{"name":"i","shape":[1],"datatype":"INT64","data":[12]}],"outputs":[{"name":"y"}]}"#
                .utf8)
        let alphabet = Array(#"{}[]",:0123456789.-e+\ntrufalsNBYTESINP6432 "#.utf8) + [0, 0xC3, 0xFF]
        var state: UInt64 = 42
        func draw(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(max(1, bound)))
        }
        let parser = Parser()
        var accepted = 0
        for _ in 0..<30_000 {
            var bytes = seed
            for _ in 0...draw(4) {
                let position = draw(bytes.count)
                switch draw(4) {
                case 0: bytes[position] = alphabet[draw(alphabet.count)]
                case 1: bytes.insert(alphabet[draw(alphabet.count)], at: position)
                case 2: bytes.remove(at: position)
                default:
                    let end = min(bytes.count, position + draw(30))
                    bytes.insert(contentsOf: bytes[position..<end], at: draw(bytes.count))
                }
            }
            do {
                try parser.infer(bytes) { view in
                    accepted += 1
                    // Everything the view points to is read, so that a wrong pointer shows.
                    for input in list(view.inputs, view.input_count) {
                        _ = string(input.name).count + list(input.texts, input.count).map(string).count
                        _ = list(input.doubles, input.count).reduce(0, +)
                        _ = list(input.nulls, input.count).count { $0 == 1 } + list(input.int64s, input.count).count
                        _ = list(input.parameters.items, input.parameters.count).map { string($0.key) }
                    }
                    _ = list(view.outputs, view.output_count).map { string($0.name) }
                    _ = list(view.parameters.items, view.parameters.count).map {
                        string($0.key) + string($0.value.text)
                    }
                }
            } catch let refusal as Parser.Refusal {
                #expect(!refusal.message.isEmpty)
            }
        }
        #expect(accepted > 1000, "\(accepted)")
    }
}
