import Basics

/// One self-contained page of what a run of the loop did: no script, no font, no picture from elsewhere.
enum ReportPage {
    /// The whole page. It is HTML 5 and, below the document type, well-formed XML; every text of `report` is escaped.
    static func render(_ report: DemoReport) -> String {
        let head = Markup.tag(
            "head", [:],
            [
                .tag("meta", ["charset": "utf-8"]),
                .tag("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"]),
                .tag("meta", ["name": "color-scheme", "content": "light dark"]),
                .tag(
                    "meta",
                    [
                        "http-equiv": "Content-Security-Policy",
                        "content": "default-src 'none'; style-src 'unsafe-inline'",
                    ]), .tag("title", [:], report.title), .tag("style", [:], [.styleSheet(ReportStyle.css)]),
            ])
        let body = Markup.tag("body", [:], [.tag("main", [:], content(report))])
        return "<!DOCTYPE html>\n" + Markup.tag("html", ["lang": "en"], [head, body]).rendered + "\n"
    }

    private static func content(_ report: DemoReport) -> [Markup] {
        var parts: [Markup] = [.tag("h1", [:], report.title)]
        if let subtitle = report.subtitle { parts.append(.tag("p", ["class": "subtitle"], subtitle)) }
        if !report.facts.isEmpty { parts.append(tiles(report.facts)) }
        parts += [
            section(
                "Quality by week",
                "AUC of each model on the labels of the week, and of the answers that were really given.",
                PerformanceChart.render(report)),
            section(
                "Drift by feature and week",
                "Population stability index against the reference profile of the model. From "
                    + "\(report.drift.watch) on a feature is watched, from \(report.drift.alert) on it raises an alert.",
                DriftHeatMap.render(report.drift, events: report.events)),
            section(
                "Traffic", "Share of requests that each arm was given.",
                TrafficChart.render(report.traffic, until: report.trafficEnd)),
            section("Rollout", "Each step was judged before the next one began.", RunTables.rollout(report.rollout)),
            section(
                "Automatic rollback",
                report.rollback?.reason ?? "A deliberately broken version was deployed as a canary.",
                RunTables.rollback(report.rollback)),
            section(
                "Latency", "Time from request to answer, measured at the client.", LatencyChart.render(report.latency)),
            section(
                "Quarantine", "Rows that an expectation kept out of the features.",
                RunTables.quarantine(report.quarantine)),
            section(
                "Lineage and journal", "What production runs on, by content.",
                .group([RunTables.lineage(report.lineage), RunTables.journal(report.journal)])),
        ]
        return parts
    }

    /// A row of large figures.
    static func tiles(_ facts: [DemoReport.Fact]) -> Markup {
        .tag(
            "div", ["class": "tiles"],
            facts.map { fact in
                .tag(
                    "div", ["class": "tile"],
                    [.tag("div", ["class": "name"], fact.name), .tag("div", ["class": "value"], fact.value)]
                        + (fact.note.map { [.tag("div", ["class": "remark"], $0)] } ?? []))
            })
    }

    private static func section(_ title: String, _ lead: String, _ content: Markup) -> Markup {
        .tag("section", [:], [.tag("h2", [:], title), .tag("p", ["class": "lead"], lead), content])
    }
}
