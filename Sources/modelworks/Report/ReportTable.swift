/// Tables of the page.
enum ReportTable {
    /// - Parameters:
    ///   - columns: title, and whether the column holds figures.
    ///   - rows: plain text, one entry for each column.
    static func render(_ columns: [(title: String, isFigure: Bool)], _ rows: [[String]]) -> Markup {
        render(columns, rows.map { $0.map { .text($0) } })
    }

    /// The same with markup in the cells.
    static func render(_ columns: [(title: String, isFigure: Bool)], _ rows: [[Markup]]) -> Markup {
        func kind(_ index: Int) -> String {
            columns.indices.contains(index) && columns[index].isFigure ? "figure" : "words"
        }
        let head = columns.indices.map { Markup.tag("th", ["class": kind($0), "scope": "col"], columns[$0].title) }
        let body = rows.map { row in
            Markup.tag("tr", [:], row.indices.map { .tag("td", ["class": kind($0)], [row[$0]]) })
        }
        let table = Markup.tag("table", [:], [.tag("thead", [:], [.tag("tr", [:], head)]), .tag("tbody", [:], body)])
        return .tag("div", ["class": "scroll"], [table])
    }

    /// Something to unfold below a picture.
    static func details(_ summary: String, _ content: Markup) -> Markup {
        .tag("details", [:], [.tag("summary", [:], summary), content])
    }
}
