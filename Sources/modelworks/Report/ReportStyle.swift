/// The style sheet of the page, for light and dark screens and for paper.
enum ReportStyle {
    static let css = """

        :root{--page:#f6f7f9;--panel:#fff;--ink:#1b2430;--muted:#5d6876;--line:#e2e6eb;--axis:#a9b2bd;
        --champion:#2868a8;--challenger:#c8621b;--served:#7f8a97;--good:#23804a;--bad:#b8322a;--warn:#a86b00;
        --volume:#dce3ea;--volume-ink:#a9b8c8;
        --p0:#eef3f7;--p1:#dbe6ef;--p2:#bdd2e3;--p3:#fbdc8c;--p4:#f5b84f;--p5:#e2703a;--p6:#b3261e;
        --arm0:#5b8fc4;--arm1:#e09a5c;--arm2:#c2504a;--arm3:#7aa874;--arm4:#9a86b8;--arm5:#8d99a6}
        @media (prefers-color-scheme:dark){:root{--page:#11161c;--panel:#19202a;--ink:#e4e9ef;--muted:#9aa6b4;
        --line:#2b3541;--axis:#566372;--champion:#6fb0ee;--challenger:#f2a060;--served:#9aa6b4;--good:#5fc58a;--bad:#f0817a;
        --warn:#e5b454;--volume:#2a3644;--volume-ink:#4c6178;
        --p0:#202b37;--p1:#26394c;--p2:#315069;--p3:#75602a;--p4:#a87b24;--p5:#d0682f;--p6:#ee5247;
        --arm0:#447ab0;--arm1:#c07c40;--arm2:#b3463f;--arm3:#5f8c59;--arm4:#7d699c;--arm5:#687583}}
        *{box-sizing:border-box}
        body{margin:0;background:var(--page);color:var(--ink);
        font:15px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"DejaVu Sans",sans-serif}
        main{max-width:1080px;margin:0 auto;padding:40px 24px 64px}
        h1{font-size:28px;line-height:1.2;margin:0 0 4px;letter-spacing:-.01em}
        h2{font-size:18px;margin:0 0 2px}
        p{margin:0 0 12px}
        .subtitle,.lead,.note{color:var(--muted)}
        .lead{margin-bottom:14px;max-width:76ch}.note{font-size:13px;margin:8px 0 0}
        section{background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:22px 24px;margin-top:20px}
        .tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:12px;margin-top:22px}
        section .tiles{margin-top:10px}
        .tile{background:var(--panel);border:1px solid var(--line);border-radius:10px;padding:12px 16px}
        .tile .name{color:var(--muted);font-size:13px}
        .tile .value{font-size:21px;font-weight:600;font-variant-numeric:tabular-nums;letter-spacing:-.01em;overflow-wrap:anywhere}
        .tile .remark{color:var(--muted);font-size:12.5px}
        figure{margin:0}
        svg{display:block;width:100%;height:auto;font-family:inherit;overflow:visible}
        svg text{font-size:11px;fill:var(--muted)}
        svg .row-name{fill:var(--ink)}svg .row-value,svg .tick{font-variant-numeric:tabular-nums}
        svg .label{fill:var(--ink);font-weight:600;stroke:var(--panel);stroke-width:4px;stroke-linejoin:round;paint-order:stroke}
        .grid{stroke:var(--line);stroke-width:1}.axis{stroke:var(--axis);stroke-width:1}
        .mark{stroke-width:1.3;stroke-dasharray:4 3;stroke:var(--muted)}
        .mark.alert{stroke:var(--warn)}.mark.retrain{stroke:var(--challenger)}.mark.rollout{stroke:var(--good)}
        .mark.rollback{stroke:var(--bad)}
        svg .label.alert{fill:var(--warn)}svg .label.retrain{fill:var(--challenger)}svg .label.rollout{fill:var(--good)}
        svg .label.rollback{fill:var(--bad)}
        .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}
        .line.served{stroke:var(--served);stroke-width:9;opacity:.3}
        .line.champion{stroke:var(--champion)}.line.challenger{stroke:var(--challenger)}
        .dot{stroke:var(--panel);stroke-width:1}.dot.champion{fill:var(--champion)}.dot.challenger{fill:var(--challenger)}
        .dot.served{fill:transparent;stroke:none}
        .bar-requests{fill:var(--volume);background:var(--volume)}.bar-labels{fill:var(--volume-ink);background:var(--volume-ink)}
        .latency-bar{fill:var(--arm0)}.lens{fill:var(--muted);opacity:.13}
        .p0{fill:var(--p0);background:var(--p0)}.p1{fill:var(--p1);background:var(--p1)}.p2{fill:var(--p2);background:var(--p2)}
        .p3{fill:var(--p3);background:var(--p3)}.p4{fill:var(--p4);background:var(--p4)}.p5{fill:var(--p5);background:var(--p5)}
        .p6{fill:var(--p6);background:var(--p6)}.none{fill:transparent;background:transparent}
        .cell.none{stroke:var(--axis);stroke-width:.8;stroke-dasharray:2 2}.swatch.none{border:1px dashed var(--axis)}
        .arm0{fill:var(--arm0);background:var(--arm0)}.arm1{fill:var(--arm1);background:var(--arm1)}
        .arm2{fill:var(--arm2);background:var(--arm2)}.arm3{fill:var(--arm3);background:var(--arm3)}
        .arm4{fill:var(--arm4);background:var(--arm4)}.arm5{fill:var(--arm5);background:var(--arm5)}
        .legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;color:var(--muted);margin:0 0 8px}
        .entry{display:inline-flex;align-items:center;gap:7px}
        .swatch{width:14px;height:14px;border-radius:3px;border:1px solid var(--line)}
        .line-champion,.line-challenger,.line-served{width:20px;height:3px;border:0}
        .line-champion{background:var(--champion)}.line-challenger{background:var(--challenger)}
        .line-served{background:var(--served);opacity:.4;height:9px}
        .scroll{overflow-x:auto}
        table{border-collapse:collapse;width:100%;font-size:14px}
        th{font-weight:600;color:var(--muted);font-size:12.5px;text-align:left;border-bottom:1px solid var(--axis);padding:6px 20px 6px 0}
        td{border-bottom:1px solid var(--line);padding:7px 20px 7px 0;vertical-align:top}
        th:last-child,td:last-child{padding-right:0}tr:last-child td{border-bottom:0}
        .figure{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
        code{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;font-size:.9em}
        .good{color:var(--good);font-weight:600}.bad{color:var(--bad);font-weight:600}
        .empty{color:var(--muted);border:1px dashed var(--axis);border-radius:8px;padding:22px;text-align:center;margin:6px 0 0}
        details{margin-top:10px;font-size:14px}summary{cursor:pointer;color:var(--muted);font-size:13px}
        footer{color:var(--muted);font-size:13px;margin-top:20px}
        @media print{body{background:#fff}section,.tile{break-inside:avoid}}

        """
}
