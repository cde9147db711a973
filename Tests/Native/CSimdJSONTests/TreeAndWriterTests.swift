import CSimdJSON
import Foundation
import Testing

@Suite struct TreeTests {
    @Test func documentsAreLaidOutInPreorder() throws {
        try Parser().tree(#"{"a":1,"b":{"c":[true,null]},"d":"x","a":9223372036854775808}"#) { view in
            let nodes = list(view.nodes, view.count)
            #expect(nodes.map { string($0.key) } == ["", "a", "b", "c", "", "", "d", "a"])
            #expect(nodes.map(\.end) == [8, 2, 6, 6, 5, 6, 7, 8] && nodes.map(\.parent) == [0, 0, 0, 2, 3, 3, 0, 0])
            func member(_ object: Int, _ key: String) -> Int64 {
                withUnsafePointer(to: view) { mw_tree_member($0, object, key, key.utf8.count) }
            }
            #expect(member(0, "a") == 7 && member(0, "b") == 2 && member(2, "c") == 3)
            #expect(member(0, "c") == -1 && member(1, "a") == -1 && member(99, "a") == -1)
            #expect(nodes[7].value.uint64 == 9_223_372_036_854_775_808)
        }
        try Parser().tree("3") { #expect($0.count == 1 && $0.nodes[0].value.int64 == 3) }
    }
}

@Suite struct WriterTests {
    func text(_ write: (UnsafeMutablePointer<CChar>) -> Int) -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { buffer in
            guard let base = buffer.baseAddress else { return "" }
            let length = write(base)
            return String(decoding: UnsafeRawBufferPointer(start: base, count: length), as: UTF8.self)
        }
    }

    @Test func numbersAreTheShortestThatReadBack() {
        #expect(text { mw_double_format($0, 0.1) } == "0.1")
        #expect(text { mw_double_format($0, -1.7976931348623157e308) } == "-1.7976931348623157e+308")
        #expect(text { mw_double_format($0, 5) } == "5" && text { mw_double_format($0, -0.0) } == "-0.0")
        #expect(text { mw_double_format($0, .nan) } == "null" && text { mw_double_format($0, -.infinity) } == "null")
        #expect(text { mw_float_format($0, 0.1) } == "0.1")
        #expect(text { mw_doubles_format($0, 512, [1, 0.5, .nan], 3) } == "1,0.5,null")
        #expect(text { mw_doubles_format($0, 95, [1, 0.5, .nan], 3) } == "")
        var state: UInt64 = 1
        for _ in 0..<20_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let value = Double(bitPattern: state)
            guard value.isFinite else { continue }
            #expect(Double(text { mw_double_format($0, value) })?.bitPattern == value.bitPattern)
        }
    }

    @Test func stringsAreEscaped() throws {
        func escape(_ bytes: [UInt8], capacity: Int = 512) -> String {
            bytes.withUnsafeBytes { raw in
                let source = raw.assumingMemoryBound(to: CChar.self).baseAddress
                return text { mw_json_escape($0, capacity, source, raw.count) }
            }
        }
        #expect(escape(Array("a\"b\\c\n\u{1}é😀".utf8)) == #""a\"b\\c\n\u0001é😀""#)
        #expect(escape([]) == "\"\"" && escape(Array("ab".utf8), capacity: 13) == "")
        // Overlong, surrogate, cut short, beyond Unicode.
        for bad: [UInt8] in [[0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xE2, 0x82], [0xF4, 0x90, 0x80, 0x80]] {
            let escaped = escape(bad)
            #expect(escaped == "\"" + String(repeating: "\u{FFFD}", count: bad.count) + "\"")
        }
        for code in 0..<0x300 {
            guard let scalar = Unicode.Scalar(code) else { continue }
            let escaped = escape(Array(String(Character(scalar)).utf8))
            #expect(
                try JSONDecoder().decode([String].self, from: Data("[\(escaped)]".utf8)) == [String(Character(scalar))])
        }
    }
}
