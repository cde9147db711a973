import Basics

/// The parts of the page that are read rather than looked at.
enum RunTables {
    static func rollout(_ steps: [DemoReport.RolloutStep]) -> Markup {
        guard !steps.isEmpty else { return Picture.nothing("No version was rolled out.") }
        return ReportTable.render(
            [
                ("share", true), ("from (UTC)", false), ("to (UTC)", false), ("requests", true), ("errors", true),
                ("p99", true), ("verdict", false),
            ],
            steps.map { step in
                [
                    .text(Numbers.percent(step.share)), .text(Numbers.minute(step.from)),
                    .text(Numbers.minute(step.to)),
                    .text(Numbers.grouped(step.requests)), .text(Numbers.grouped(step.errors)),
                    .text(Numbers.milliseconds(step.p99)), .tag("span", ["class": kind(step.verdict)], step.verdict),
                ]
            })
    }

    static func rollback(_ rollback: DemoReport.Rollback?) -> Markup {
        guard let rollback else { return Picture.nothing("Nothing had to be rolled back.") }
        let clientNote = rollback.clientErrors == 0 ? "every request was answered" : "requests that saw an error"
        return ReportPage.tiles([
            .init(
                name: "Time to roll back", value: "\(Numbers.fixed(rollback.seconds, rollback.seconds < 10 ? 2 : 1)) s",
                note: "first bad answer to stable alone"),
            .init(
                name: "Errors of the canary", value: Numbers.grouped(rollback.canaryErrors), note: "inside the endpoint"
            ),
            .init(name: "Errors seen by clients", value: Numbers.grouped(rollback.clientErrors), note: clientNote),
            .init(
                name: "Served by stable", value: Numbers.grouped(rollback.servedByStable), note: "requests meanwhile"),
        ])
    }

    static func quarantine(_ rows: [DemoReport.Quarantine]) -> Markup {
        guard !rows.isEmpty else { return Picture.nothing("No row was kept out: every expectation held.") }
        return ReportTable.render(
            [("table", false), ("expectation", false), ("rows", true), ("for example", false)],
            rows.map { row in
                [
                    .tag("code", [:], row.table), .tag("code", [:], row.expectation), .text(Numbers.grouped(row.rows)),
                    .text(row.reason),
                ]
            })
    }

    static func lineage(_ lineage: DemoReport.Lineage) -> Markup {
        guard !lineage.items.isEmpty else { return Picture.nothing("No lineage was recorded.") }
        return ReportTable.render(
            [("what", false), ("name", false), ("digest", false), ("", false)],
            lineage.items.map { item in
                [
                    .text(item.kind), .text(item.name), .tag("code", ["title": item.digest], short(item.digest)),
                    .text(item.note ?? ""),
                ]
            })
    }

    static func journal(_ journal: DemoReport.Journal?) -> Markup {
        guard let journal else { return .group([]) }
        let verdict =
            journal.verified
            ? Markup.tag("span", ["class": "good"], "the hash chain holds")
            : Markup.tag("span", ["class": "bad"], "the hash chain is broken")
        var parts: [Markup] = [.text("Journal: \(Numbers.grouped(journal.entries)) entries, "), verdict]
        if let head = journal.head { parts += [.text(", head "), .tag("code", ["title": head], short(head))] }
        return .tag("p", ["class": "note"], parts + [.text(".")])
    }

    private static func short(_ digest: String) -> String {
        let bare = digest.hasPrefix("sha256:") ? digest.dropFirst(7) : digest[...]
        return String(bare.prefix(12))
    }

    private static func kind(_ verdict: String) -> String {
        let text = verdict.lowercased()
        if ["fail", "back", "abort", "reject"].contains(where: text.contains) { return "bad" }
        return ["promot", "pass", "done", "complete", "advance"].contains(where: text.contains) ? "good" : "plain"
    }
}
