import Basics
import Configuration
import Testing

/// What a reader is told of a file that can not be taken: always file, line and column first.
@Suite struct BadInputTests {
    /// The description of the error of reading `text` as a table-like document.
    private func complaint(_ text: String, _ read: (ConfigurationMapping) throws -> Void = { _ in }) -> String {
        do {
            for node in try YAMLParser.parse(text, file: "f.yaml") {
                try read(
                    try node.mapping(allowing: [
                        "name", "owner", "ttl", "every", "share", "count", "ratio", "on", "from", "columns", "list",
                        "kind",
                    ]))
            }
            return "no error"
        } catch let failure as ConfigurationFailure {
            return failure.description
        } catch {
            return "another error: \(error)"
        }
    }

    @Test(arguments: [
        ("name: a\nttll: 3h\n", "f.yaml:2:1: unknown key 'ttll' (did you mean 'ttl'?)"),
        ("name: a\nonwer: me\n", "f.yaml:2:1: unknown key 'onwer' (did you mean 'owner'?)"),
        ("Name: a\n", "f.yaml:1:1: unknown key 'Name' (did you mean 'name'?)"),
        (
            "name: a\nzzzzzzzz: b\n",
            "f.yaml:2:1: unknown key 'zzzzzzzz'. Known keys: columns, count, every, from, kind, list, name, on, owner, "
                + "ratio, share, ttl."
        ),
        ("name: a\nname: b\n", "f.yaml:2:1: the key 'name' stands twice"),
        ("name: a\n'name': b\n", "f.yaml:2:1: the key 'name' stands twice"),
        ("- a\n", "f.yaml:1:1: a mapping is wanted here, and there is a list"),
        ("just words\n", "f.yaml:1:1: a mapping is wanted here, and there is a single value"),
        ("name: &x a\n", "f.yaml:1:7: anchors and aliases are not taken. Write the value out."),
        ("name: *x\n", "f.yaml:1:7: anchors and aliases are not taken. Write the value out."),
        ("list: &x [a]\n", "f.yaml:1:7: anchors and aliases are not taken. Write the value out."),
        ("columns: &x\n  a: b\n", "f.yaml:1:10: anchors and aliases are not taken. Write the value out."),
        ("<<: *base\nname: a\n", "f.yaml:1:5: anchors and aliases are not taken. Write the value out."),
        ("? [a, b]\n: c\n", "f.yaml:1:3: a key must be a single value"),
        ("{a: b}: c\n", "f.yaml:1:1: a key must be a single value"),
        ("name: a\u{0}b\n", "f.yaml: the file holds a NUL byte"),
    ])
    func theShapeIsChecked(text: String, expected: String) {
        #expect(complaint(text) == expected)
    }

    @Test(arguments: [
        ("name: [a\n", 2), ("name: 'a\n", 2), ("name: a\n\towner: b\n", 2), ("name: {a: b\n", 2), ("a: b: c\n", 1),
        ("name: a\n owner: b\n", 2), ("list:\n- a\n b\n: c\n", 4), ("name: \"\\q\"\n", 1),
        ("%YAML 9.9\n---\na: b\n", 1),
        ("name: @x\n", 1), ("name: `x`\n", 1), ("]", 1), ("}\n", 1), ("!<tag name: a\n", 1),
    ])
    func brokenYAMLNamesItsLine(text: String, line: Int) {
        let told = complaint(text)
        #expect(told.hasPrefix("f.yaml:\(line):"), "\(told)")
        #expect(told.hasSuffix(". Check indentation, colons and quotes."), "\(told)")
    }

    @Test func aControlCharacterIsToldWithItsLine() {
        #expect(complaint("name: a\nowner: b\u{7}\n").hasPrefix("f.yaml:2:9: control characters are not allowed"))
    }

    @Test(arguments: [
        ("owner: x", "f.yaml:1:1: the key 'name' is missing"),
        ("name:", "f.yaml:1:1: the key 'name' is missing"),
        ("name: ~", "f.yaml:1:1: the key 'name' is missing"),
        ("name: null", "f.yaml:1:1: the key 'name' is missing"),
        ("name: [a]", "f.yaml:1:7: a single value is wanted here, and there is a list"),
        ("name: {a: b}", "f.yaml:1:7: a single value is wanted here, and there is a mapping"),
    ])
    func aNameIsOneValue(text: String, expected: String) {
        #expect(complaint(text) { _ = try $0.string("name") } == expected)
    }

    @Test(arguments: ["abc", "1.5", "1e3", "0x10", "9223372036854775808", "1_000", "''", "٣"])
    func aCountIsAWholeNumber(text: String) {
        let told = complaint("name: a\ncount: \(text)\n") { _ = try $0.int("count") }
        #expect(told.hasPrefix("f.yaml:2:8: 'count' must be a whole number, and is '"), "\(told)")
    }

    @Test(arguments: ["abc", "nan", "inf", "-infinity", "1e999", "1,5", "5%"])
    func aRatioIsAFiniteNumber(text: String) {
        #expect(
            complaint("ratio: \(text)") { _ = try $0.double("ratio") }
                == "f.yaml:1:8: 'ratio' must be a number, and is '\(text)'")
    }

    @Test(arguments: ["yes", "on", "True", "1", "y"])
    func aSwitchIsTrueOrFalse(text: String) {
        #expect(
            complaint("on: \(text)") { _ = try $0.bool("on") }
                == "f.yaml:1:5: 'on' must be true or false, and is '\(text)'")
    }

    private enum Kind: String, CaseIterable { case csv, parquet }

    @Test func aChoiceNamesItsCases() {
        #expect(
            complaint("kind: cvs") { (map: ConfigurationMapping) in _ = try map.choice("kind") as Kind }
                == "f.yaml:1:7: 'kind' must be one of csv, parquet, and is 'cvs'")
    }

    @Test func aListHoldsValuesOnly() {
        #expect(
            complaint("list: [a, [b]]") { _ = try $0.strings("list") }
                == "f.yaml:1:11: a single value is wanted here, and there is a list")
        #expect(
            complaint("list: {a: b}") { _ = try $0.strings("list") }
                == "f.yaml:1:7: a list is wanted here, and there is a mapping")
        #expect(complaint("name: a") { _ = try $0.strings("list") } == "f.yaml:1:1: the key 'list' is missing")
        #expect(
            complaint("list: a") { _ = try $0.list("list") }
                == "f.yaml:1:7: a list is wanted here, and there is a single value")
    }
}
