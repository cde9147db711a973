import Foundation
import Synchronization
import Testing

@testable import modelworks

/// What is written to a terminal or pipe, kept for looking at.
private final class Screen: TerminalOutput {
    let isTerminal: Bool
    let width: Int
    private let content = Mutex("")

    init(isTerminal: Bool, width: Int = 80) { (self.isTerminal, self.width) = (isTerminal, width) }

    func write(_ text: String) { content.withLock { $0 += text } }
    var text: String { content.withLock { $0 } }
}

private final class Clock: Sendable {
    private let value = Mutex<UInt64>(1)
    func advance(_ seconds: Double) { value.withLock { $0 += UInt64(seconds * 1e9) } }
    var read: @Sendable () -> UInt64 { { self.value.withLock { $0 } } }
}

@Suite struct ReportTerminalTests {
    private let plain = Style(isEnabled: false)

    @Test func aPipeGetsALinePerTenth() {
        let (screen, clock) = (Screen(isTerminal: false), Clock())
        let bar = ProgressBar(
            "replay", total: 1000, unit: "flights", output: screen, style: plain, nanoseconds: clock.read)
        for _ in 0..<1000 {
            clock.advance(0.01)
            bar.advance()
        }
        bar.finish()
        bar.advance()
        let lines = screen.text.split(separator: "\n")
        #expect(lines.count == 10)
        #expect(lines.first?.hasPrefix("replay   10%  100/1,000  100/s  eta 9.0 s") == true)
        #expect(lines.last == "✓ replay  1,000 flights in 10 s, 100/s")
        #expect(!screen.text.contains("\u{1B}") && !screen.text.contains("\r"))
    }

    @Test(arguments: [20, 40, 80, 200])
    func aBarFitsItsTerminal(_ width: Int) {
        let (screen, clock) = (Screen(isTerminal: true, width: width), Clock())
        let bar = ProgressBar("training", total: 300, output: screen, style: plain, nanoseconds: clock.read)
        for _ in 0..<300 {
            clock.advance(0.2)
            bar.advance()
        }
        let drawn = screen.text.components(separatedBy: "\r\u{1B}[K").dropFirst()
        #expect(drawn.count == 300)
        #expect(drawn.allSatisfy { TextWidth.columns($0) < width })
    }

    @Test func manyThreadsCountRight() async {
        let (screen, clock) = (Screen(isTerminal: false), Clock())
        let bar = ProgressBar("x", total: 8000, output: screen, style: plain, nanoseconds: clock.read)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { for _ in 0..<1000 { bar.advance() } } }
        }
        bar.finish()
        #expect(screen.text.contains("✓ x  8,000 in"))
        #expect(screen.text.split(separator: "\n").count == 10)
    }

    @Test func tablesAlignFigures() {
        var table = TextTable(["feature", "psi"])
        table.add("temperature", "1.90")
        table.add("温度", "12.5")
        table.add("line\nbreak", "–")
        #expect(
            table.rendered() == """
                feature       psi
                ─────────────────
                temperature  1.90
                温度         12.5
                line break      –

                """)
        for line in table.rendered(width: 14).split(separator: "\n") { #expect(TextWidth.columns(String(line)) <= 14) }
    }

    @Test(arguments: [
        ("1,234", true), ("-0.5", true), ("12 ms", true), ("95%", true), ("2013-04-01", false), ("abc", false),
        ("v2", false), ("12:30", false), ("5 flights", false),
    ])
    func figuresAreTold(_ text: String, _ isFigure: Bool) { #expect(TextTable.isFigure(text) == isFigure) }

    @Test func widthsCountColumns() {
        #expect(TextWidth.columns("日本") == 4 && TextWidth.columns("e\u{301}") == 1)
        #expect(TextWidth.columns("\u{1B}[31mred\u{1B}[39m") == 3)
        #expect(TextWidth.truncated("temperature", to: 5) == "temp…")
        #expect(TextWidth.sanitised("a\u{1B}[2Jb") == "a [2Jb")
    }

    @Test func sparklinesSpanTheirRange() {
        #expect(Sparkline.render([0, 1, nil, 7, .nan]) == "▁▂·█·")
        #expect(Sparkline.render([5, 5]) == "▄▄")
        #expect(Sparkline.render([nil, nil]) == "··")
        #expect(Sparkline.render([-9, 9], in: 0...1) == "▁█")
    }

    @Test func coloursAreForPeople() {
        let terminal = Screen(isTerminal: true)
        #expect(Style(for: terminal, environment: [:]).red("x") == "\u{1B}[31mx\u{1B}[39m")
        #expect(Style(for: terminal, environment: ["NO_COLOR": ""]).isEnabled)
        #expect(!Style(for: terminal, environment: ["NO_COLOR": "1"]).isEnabled)
        #expect(!Style(for: terminal, environment: ["TERM": "dumb"]).isEnabled)
        #expect(Style(for: Screen(isTerminal: false), environment: [:]).bold("x") == "x")
    }

    @Test func durationsReadWell() {
        #expect([4.25, 59, 187, 7387].map(ProgressBar.duration) == ["4.2 s", "59 s", "3:07", "2:03:07"])
        #expect(ProgressBar.duration(.infinity) == "–")
    }
}
