/// A table in plain text: columns as wide as their content, figures to the right, words to the left.
struct TextTable: Sendable {
    /// Which side a column keeps to.
    enum Alignment: Sendable {
        case left
        case right
        /// Right where every filled cell reads as a figure.
        case automatic
    }

    private let titles: [String]
    private let alignments: [Alignment]
    private var rows: [[String]?] = []

    /// - Parameters:
    ///   - titles: one for each column; empty ones are allowed.
    ///   - alignments: by column; missing ones are automatic.
    init(_ titles: [String], alignments: [Alignment] = []) {
        self.titles = titles.map(TextWidth.sanitised)
        self.alignments = alignments
    }

    /// Adds a row; missing cells are empty, cells beyond the last column are dropped.
    mutating func add(_ cells: [String]) {
        rows.append(titles.indices.map { cells.indices.contains($0) ? TextWidth.sanitised(cells[$0]) : "" })
    }

    /// Adds a row; missing cells are empty, cells beyond the last column are dropped.
    mutating func add(_ cells: String...) { add(cells) }

    /// Adds a thin line across the table.
    mutating func addRule() { rows.append(nil) }

    /// The table's lines, each ending in a newline. The widest columns of words are cut where `width` is given and too small.
    func rendered(style: Style = Style(isEnabled: false), width: Int? = nil) -> String {
        let widths = columnWidths(limit: width)
        let isRight = titles.indices.map(isRightAligned)
        func line(_ cells: [String], _ decorate: (String) -> String) -> String {
            var text = ""
            for index in titles.indices {
                let cell = TextWidth.truncated(cells[index], to: widths[index])
                let padding = String(repeating: " ", count: max(0, widths[index] - TextWidth.columns(cell)))
                let isLast = index == titles.count - 1
                let padded = isRight[index] ? padding + decorate(cell) : decorate(cell) + (isLast ? "" : padding)
                text += (index == 0 ? "" : "  ") + padded
            }
            return text + "\n"
        }
        let rule = style.dim(String(repeating: "─", count: widths.reduce(2 * max(0, widths.count - 1), +))) + "\n"
        let head = titles.allSatisfy(\.isEmpty) ? "" : line(titles, style.bold) + rule
        return rows.reduce(head) { text, row in text + (row.map { line($0) { $0 } } ?? rule) }
    }

    private func isRightAligned(_ index: Int) -> Bool {
        switch alignments.indices.contains(index) ? alignments[index] : .automatic {
        case .left: return false
        case .right: return true
        case .automatic:
            let cells = rows.compactMap { $0?[index] }.filter { !$0.isEmpty && $0 != "–" && $0 != "-" }
            return !cells.isEmpty && cells.allSatisfy(TextTable.isFigure)
        }
    }

    /// Whether `text` begins like a number and has at most a short unit behind it: `-1,234.5`, `12.4 ms`, `95%`.
    static func isFigure(_ text: String) -> Bool {
        let plain = text.drop { "+-−~<>≤≥$".contains($0) }
        guard let first = plain.first, first.isASCII, first.isNumber else { return false }
        let unit = plain.drop { ($0.isASCII && $0.isNumber) || ".,_eE".contains($0) }
        return unit.trimmingPrefix(" ").count <= 4 && !unit.contains(":") && !unit.contains("/")
    }

    private func columnWidths(limit: Int?) -> [Int] {
        var widths = titles.indices.map { index in
            rows.compactMap { $0?[index] }.reduce(TextWidth.columns(titles[index])) { max($0, TextWidth.columns($1)) }
        }
        guard let limit else { return widths }
        let gaps = 2 * max(0, widths.count - 1)
        while widths.reduce(gaps, +) > limit, let widest = widths.indices.max(by: { widths[$0] < widths[$1] }),
            widths[widest] > 8
        {
            widths[widest] -= 1
        }
        return widths
    }
}
