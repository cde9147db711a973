import Basics
import Testing

@Suite struct JSONValueTests {
    @Test(arguments: [
        "0", "-1", "9223372036854775807", "-9223372036854775808", "9007199254740993", "true", "false", "null", #""""#,
        #""5""#, "[]", "{}", "[1,2.5,\"x\",null,[true]]", #"{"a":1,"b":{"c":[0.5]}}"#, "0.1", "5e-324",
        "2.2250738585072014e-308", #""a/b\"c\\é""#,
    ])
    func canonicalTextsComeBackAsTheyWere(text: String) throws {
        #expect(try JSON.string(try JSON.decode(JSONValue.self, from: text)) == text)
    }

    @Test func integersStayIntegers() throws {
        #expect(try JSON.decode(JSONValue.self, from: "9007199254740993") == .integer(9_007_199_254_740_993))
        #expect(try JSON.decode(JSONValue.self, from: "-9223372036854775808") == .integer(.min))
        #expect(try JSON.decode(JSONValue.self, from: "9223372036854775808") == .number(0x1p63))
        #expect(try JSON.decode(JSONValue.self, from: "1.5") == .number(1.5))
        #expect(try JSON.decode(JSONValue.self, from: "true") == .bool(true))
        #expect(JSONValue.integer(3).double == 3)
        #expect(JSONValue.number(3).integer == nil)
        #expect(JSONValue.bool(true).integer == nil)
    }

    @Test func randomDoublesKeepEveryBit() throws {
        let random = SeededRandom(seed: 11)
        var checked = 0
        while checked < 20_000 {
            let value = Double(bitPattern: random.next())
            guard value.isFinite else { continue }
            checked += 1
            let text = try JSON.string([value])
            let back = try JSON.decode([Double].self, from: text)
            #expect(back.first?.bitPattern == value.bitPattern, "\(value) became \(text)")
        }
    }

    @Test func randomIntegersKeepEveryBit() throws {
        let random = SeededRandom(seed: 12)
        for _ in 0..<5000 {
            let value = Int64(bitPattern: random.next())
            #expect(try JSON.decode(JSONValue.self, from: try JSON.string(value)) == .integer(value))
        }
    }

    @Test func canonicalFormSortsKeysAndLeavesSlashes() throws {
        let value: JSONValue = ["b": 1, "a": ["z": "x/y", "k": nil]]
        #expect(try JSON.string(value) == #"{"a":{"k":null,"z":"x/y"},"b":1}"#)
    }

    @Test func documentsAreWrittenAsTheEncoderWritesThem() throws {
        let random = SeededRandom(seed: 13)
        let scalars = Array("aZb09_-./ \"\\\n\t\u{0}\u{1f}\u{7f}ée\u{301}\u{2028}😀￮".unicodeScalars)
        func text() -> String {
            var text = ""
            // Half of them are plain, so that whole documents are.
            let known = random.next() % 2 == 0 ? 9 : scalars.count
            for _ in 0..<(random.next() % 5) {
                text.unicodeScalars.append(scalars[Int(random.next() % UInt64(known))])
            }
            return text
        }
        func document(_ depth: Int) -> JSONValue {
            switch random.next() % (depth > 3 ? 5 : 7) {
            case 0: return .null
            case 1: return .bool(random.next() % 2 == 0)
            case 2: return .integer(Int64(bitPattern: random.next()))
            case 3: return random.next() % 4 == 0 ? .number(Double(random.next() % 1000) / 8) : .integer(0)
            case 4: return .string(text())
            case 5: return .array((0..<(random.next() % 4)).map { _ in document(depth + 1) })
            default:
                let members = (0..<(random.next() % 5)).map { _ in (text(), document(depth + 1)) }
                return .object(Dictionary(members) { first, _ in first })
            }
        }
        for _ in 0..<5000 {
            let value = document(0)
            // Within an array it is the encoder's.
            #expect(try "[\(JSON.string(value))]" == JSON.string([value] as [JSONValue]))
        }
    }

    @Test func whatJSONCanNotSayIsAnError() {
        #expect(throws: (any Error).self) { try JSON.string([Double.nan]) }
        #expect(throws: (any Error).self) { try JSON.string([JSONValue.number(.infinity)]) }
    }

    @Test func failuresTellWhere() {
        struct Body: Decodable {
            struct Item: Decodable { var count: Int }
            var name: String
            var items: [Item]
        }
        func message(_ text: String) -> String? {
            #expect(throws: JSONFailure.self) { try JSON.decode(Body.self, from: text) }?.message
        }
        #expect(message("{}") == "the JSON lacks 'name' in the document")
        #expect(message(#"{"name":"x","items":[{"count":1},{}]}"#) == "the JSON lacks 'count' in 'items[1]'")
        #expect(
            message(#"{"name":"x","items":[{"count":"many"}]}"#)
                == "the JSON has another type than Int at 'items[0].count'")
        #expect(message(#"{"name":"#)?.hasPrefix("the JSON is malformed at the document: ") == true)
        #expect(message("")?.hasPrefix("the JSON is malformed at the document: ") == true)
    }

    @Test func membersAreReachedByName() {
        let value: JSONValue = ["a": ["b": [1, 2]], "t": true]
        #expect(value["a"]?["b"]?.array == [1, 2])
        #expect(value["t"]?.bool == true)
        #expect(value["x"] == nil)
        #expect(JSONValue.string("a")["a"] == nil)
    }
}
