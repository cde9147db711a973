import Basics
import Configuration
import Testing

@Suite struct LimitTests {
    private func complaint(_ text: String) -> String {
        do {
            _ = try YAMLParser.parse(text, file: "f.yaml")
            return "no error"
        } catch let failure as ConfigurationFailure {
            return failure.message
        } catch {
            return "another error: \(error)"
        }
    }

    @Test func nestingEndsAtThirtyTwo() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(complaint(nested(32)) == "no error")
        #expect(complaint(nested(33)) == "f.yaml:1:33: the file is nested too deeply or too large")
        #expect(complaint(nested(100_000)) == "f.yaml:1:33: the file is nested too deeply or too large")
        let mappings = (0..<40).map { String(repeating: " ", count: $0) + "k:" }.joined(separator: "\n")
        #expect(complaint(mappings).hasSuffix("the file is nested too deeply or too large"))
    }

    @Test func nodesEndAtTwoHundredThousand() {
        // The sequence itself is a node too.
        #expect(complaint(String(repeating: "- a\n", count: 199_999)) == "no error")
        #expect(
            complaint(String(repeating: "- a\n", count: 200_000))
                == "f.yaml:200000:3: the file is nested too deeply or too large")
    }

    @Test func bytesEndAtFourMebibytes() {
        let most = "name: " + String(repeating: "x", count: (4 << 20) - 6)
        #expect(complaint(most) == "no error")
        #expect(complaint(most + "x") == "f.yaml: the file has over 4 MiB")
    }

    @Test func nothingAtAllIsNoDocument() throws {
        for text in ["", " ", "\n\n", "# a comment only\n", "---\n---\n", "~", "\u{FEFF}"] {
            #expect(try YAMLParser.parse(text, file: "f.yaml").isEmpty, "\(text.debugDescription)")
        }
    }

    @Test func documentsComeInOrderWithTheirPlaces() throws {
        let nodes = try YAMLParser.parse("a: 1\n---\nb: 2\n--- \n- 3\n", file: "f.yaml")
        #expect(nodes.map(\.place.line) == [1, 3, 5])
        #expect(nodes.map(\.kind) == ["a mapping", "a mapping", "a list"])
    }

    @Test func quotedWordsAreText() throws {
        let map = try #require(
            try YAMLParser.parse("a: 'null'\nb: \"5\"\nc: |\n  two\n  lines\nd: >-\n  one\n  line\n", file: "f").first
        )
        .mapping()
        #expect(try map.string("a") == "null")
        #expect(try map.int("b") == 5)
        #expect(try map.string("c") == "two\nlines\n")
        #expect(try map.string("d") == "one line")
    }

    @Test(arguments: [
        ("kitten", "sitting", 3), ("", "abc", 3), ("abc", "abc", 0), ("ab", "ba", 1), ("ca", "abc", 3),
        ("owner", "onwer", 1),
    ])
    func distancesAreThoseOfOptimalStringAlignment(left: String, right: String, expected: Int) {
        #expect(NearestWord.distance(left, right) == expected)
        #expect(NearestWord.distance(right, left) == expected)
    }

    @Test func onlyANearWordIsOffered() {
        #expect(NearestWord.of("featurs", among: ["features", "sources"]) == "features")
        #expect(NearestWord.of("x", among: ["features"]) == nil)
        #expect(NearestWord.of("anything", among: []) == nil)
        #expect(NearestWord.of("ab", among: ["ac", "aa"]) == "aa")
        #expect(NearestWord.of(String(repeating: "long", count: 5000), among: ["long"]) == nil)
    }
}
