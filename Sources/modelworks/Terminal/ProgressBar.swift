import Synchronization

/// Shows how far a long piece of work is: a bar drawn in place on a terminal, a line per tenth elsewhere.
///
/// All functions may be called from any thread at any rate; a terminal is redrawn at most ten times a second.
final class ProgressBar: Sendable {
    private struct State {
        var done = 0
        var note = ""
        var lastDrawn: UInt64?
        var nextTenth = 1
        var isFinished = false
        /// Units per second, smoothed so that the remaining time does not jump.
        var rate: Double?
        var sampledAt: UInt64
        var sampledDone = 0
    }

    private let label: String
    private let total: Int?
    private let unit: String
    private let output: any TerminalOutput
    private let style: Style
    private let started: UInt64
    private let nanoseconds: @Sendable () -> UInt64
    private let state: Mutex<State>

    /// - Parameters:
    ///   - label: what is being done, in a word or two.
    ///   - total: units of work in all; nil where it is not known beforehand.
    ///   - unit: what is counted, in plural ("flights"); empty for none.
    ///   - nanoseconds: a clock that never goes back.
    init(
        _ label: String, total: Int?, unit: String = "", output: any TerminalOutput, style: Style,
        nanoseconds: @escaping @Sendable () -> UInt64
    ) {
        self.label = TextWidth.sanitised(label)
        self.total = total.flatMap { $0 > 0 ? $0 : nil }
        self.unit = unit
        self.output = output
        self.style = style
        self.nanoseconds = nanoseconds
        started = nanoseconds()
        state = Mutex(State(sampledAt: started))
    }

    /// Counts `units` more as done.
    func advance(by units: Int = 1) {
        update { $0.done = max(0, $0.done.addingReportingOverflow(units).partialValue) }
    }

    /// Sets how many units are done.
    func set(_ done: Int) { update { $0.done = max(0, done) } }

    /// A few words behind the figures, such as the event time that a replay has reached.
    func note(_ text: String) { update { $0.note = TextWidth.sanitised(text) } }

    /// Prints a line of its own above the bar.
    func print(_ line: String) {
        state.withLock { state in
            guard output.isTerminal, !state.isFinished else { return output.write(line + "\n") }
            output.write("\r\u{1B}[K\(line)\n" + bar(state, at: nanoseconds()))
        }
    }

    /// Draws the last state and leaves the line; later calls change nothing.
    func finish(_ remark: String? = nil) {
        state.withLock { state in
            guard !state.isFinished else { return }
            state.isFinished = true
            let seconds = elapsed(nanoseconds())
            let rate = seconds > 0 ? Double(state.done) / seconds : 0
            var text = "\(style.green("✓")) \(label)  \(Numbers.grouped(state.done))\(unit.isEmpty ? "" : " \(unit)")"
            text += " in \(ProgressBar.duration(seconds))"
            if rate >= 1, state.done > 1 { text += ", \(Numbers.significantCount(rate))/s" }
            if let remark { text += "  \(style.dim(TextWidth.sanitised(remark)))" }
            output.write((output.isTerminal ? "\r\u{1B}[K" : "") + text + "\n")
        }
    }

    private func update(_ change: (inout State) -> Void) {
        state.withLock { state in
            guard !state.isFinished else { return }
            change(&state)
            let now = nanoseconds()
            sample(&state, at: now)
            output.isTerminal ? redraw(&state, at: now) : log(&state, at: now)
        }
    }

    private func sample(_ state: inout State, at now: UInt64) {
        let span = now > state.sampledAt ? Double(now - state.sampledAt) / 1e9 : 0
        guard span >= 0.25 else { return }
        let fresh = max(0, Double(state.done) - Double(state.sampledDone)) / span
        let weight = min(1, span / 4)
        state.rate = state.rate.map { $0 + weight * (fresh - $0) } ?? fresh
        (state.sampledAt, state.sampledDone) = (now, state.done)
    }

    private func redraw(_ state: inout State, at now: UInt64) {
        let isDue = state.lastDrawn.map { now >= $0 && now - $0 >= 100_000_000 } ?? true
        guard isDue || state.done == total else { return }
        state.lastDrawn = now
        output.write("\r\u{1B}[K" + bar(state, at: now))
    }

    private func log(_ state: inout State, at now: UInt64) {
        guard let total else {
            guard now >= (state.lastDrawn ?? started), now - (state.lastDrawn ?? started) >= 10_000_000_000 else {
                return
            }
            state.lastDrawn = now
            return output.write("\(label)  \(figures(state, at: now))\n")
        }
        let tenth = Int(min(10, Double(state.done) / Double(total) * 10))
        guard tenth >= state.nextTenth, tenth < 10 else { return }
        state.nextTenth = tenth + 1
        output.write("\(label)  \(figures(state, at: now))\n")
    }

    private func bar(_ state: State, at now: UInt64) -> String {
        let figures = figures(state, at: now)
        let limit = output.width - 1
        guard let total else { return TextWidth.truncated("\(label)  \(figures)", to: limit) }
        let room = limit - TextWidth.columns(label) - TextWidth.columns(figures) - 4
        guard room >= 8 else { return TextWidth.truncated("\(label)  \(figures)", to: limit) }
        let cells = min(30, room)
        let eighths = Int(min(1, Double(state.done) / Double(total)) * Double(cells * 8))
        let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
        let filled = String(repeating: "█", count: eighths / 8) + parts[eighths % 8]
        let rest = String(repeating: "░", count: max(0, cells - TextWidth.columns(filled)))
        return "\(label)  \(style.cyan(filled))\(style.dim(rest))  \(figures)"
    }

    private func figures(_ state: State, at now: UInt64) -> String {
        let seconds = elapsed(now)
        let rate = state.rate ?? (seconds > 0 ? Double(state.done) / seconds : 0)
        var parts: [String] = []
        if let total {
            let percent = Int(min(100, Double(state.done) / Double(total) * 100))
            parts.append(String(repeating: " ", count: percent < 10 ? 2 : percent < 100 ? 1 : 0) + "\(percent)%")
            parts.append("\(Numbers.grouped(state.done))/\(Numbers.grouped(total))")
        } else {
            parts.append(Numbers.grouped(state.done) + (unit.isEmpty ? "" : " \(unit)"))
        }
        if rate > 0 { parts.append("\(Numbers.significantCount(rate))/s") }
        if let total, rate > 0, state.done < total {
            parts.append("eta \(ProgressBar.duration((Double(total) - Double(state.done)) / rate))")
        }
        if !state.note.isEmpty { parts.append(state.note) }
        return parts.joined(separator: "  ")
    }

    private func elapsed(_ now: UInt64) -> Double { now > started ? Double(now - started) / 1e9 : 0 }

    /// `4.2 s`, `3:07`, `2:03:07`.
    static func duration(_ seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return Numbers.none }
        if seconds < 10 { return Numbers.fixed(seconds, 1) + " s" }
        let whole = Int(seconds.rounded())
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60):\(two(whole % 60))" }
        return "\(whole / 3600):\(two(whole / 60 % 60)):\(two(whole % 60))"
    }
}

extension Numbers {
    /// A rate or count: one decimal below 10 where it says something, whole and grouped above.
    static func significantCount(_ value: Double) -> String {
        guard value.isFinite, value.magnitude < 1e15 else { return none }
        return value.magnitude < 10 && value != value.rounded() ? fixed(value, 1) : grouped(Int(value.rounded()))
    }
}
