import Storms
import Testing

/// The judge sees every way in which a store can be wrong.
@Suite struct StormLedgerTests {
    private static func item(_ number: Int) -> StormItem { StormItem(run: 0, writer: 1, number: number) }

    private static func verdict(
        _ output: String, _ items: [Int], effects: [Int] = [], isOrdered: Bool = false
    ) -> StormLedger.Verdict {
        var ledger = StormLedger()
        ledger.read(output)
        var survey = StormSurvey()
        survey.items = items.map(item)
        survey.effects = effects.map(item)
        survey.isOrdered = isOrdered
        return ledger.judge(survey)
    }

    @Test func whatIsAsItMustBePasses() {
        #expect(Self.verdict("r\na 0-1-0\na 0-1-1\n", [0, 1]).words.isEmpty)
        // The next may be there although its acknowledgement was cut off.
        #expect(Self.verdict("r\na 0-1-0\na 0-1-", [0, 1]).words.isEmpty)
        #expect(Self.verdict("r\na 0-1-0\nu 0-1-1 cut\na 0-1-2\n", [0, 2]).words.isEmpty)
        #expect(Self.verdict("r\na 0-1-0\ne 0-1-0\n", [0], effects: [0]).words.isEmpty)
        #expect(Self.verdict("", []).words.isEmpty)
    }

    @Test func whatIsLostIsSeen() {
        #expect(Self.verdict("r\na 0-1-0\na 0-1-1\n", [1]).lost == 1)
        #expect(Self.verdict("r\na 0-1-0\ne 0-1-0\n", [0]).lost == 1)
    }

    @Test func whatIsDoubledIsSeen() {
        #expect(Self.verdict("r\na 0-1-0\n", [0, 0]).doubled == 1)
        #expect(Self.verdict("r\na 0-1-0\n", [0], effects: [0, 0]).doubled == 1)
    }

    @Test func whatNobodyAskedForIsSeen() {
        #expect(Self.verdict("r\na 0-1-0\n", [0, 2]).unasked == 1)
        #expect(Self.verdict("r\nf 0-1-0 full\n", [0]).unasked == 1)
        #expect(Self.verdict("r\na 0-1-0\na 0-1-1\n", [1, 0], isOrdered: true).unasked == 1)
        #expect(Self.verdict("r\na 0-1-0\n", [0], effects: [1]).unasked == 1)
    }

    @Test func aPartOfAnItemIsNoItem() {
        let item = StormItem(run: 3, writer: 0, number: 17)
        let bytes = item.bytes(most: 500)
        #expect(StormItem(bytes, most: 500) == item)
        #expect(StormItem(Array(bytes.dropLast()), most: 500) == nil)
        var changed = bytes
        changed[changed.count - 1] ^= 1
        #expect(StormItem(changed, most: 500) == nil)
        #expect(StormItem("3-0-017") == nil)
        #expect(StormItem("3-0") == nil)
    }
}
