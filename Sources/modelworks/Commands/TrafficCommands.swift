import Basics
import Foundation

/// The API path of an endpoint.
private func endpointPath(_ name: String) -> String { "/endpoints/\(Client.escape(name))" }

struct PromoteCommand: ClientCommand {
    let usage = Usage(
        name: "promote", summary: "Make the candidate of a rollout stable now", positionals: ["ENDPOINT"],
        example: "modelworks promote flight-delay")

    func run(_ arguments: Arguments, _ client: Client, _ context: Context) async throws -> Output {
        let name = arguments.required(0)
        let document = try await client.post("\(endpointPath(name))/promote", [String: String]())
        guard let candidate = document.at("candidate.version")?.cell else {
            return Output(document: document, text: "Others have to agree first: see 'modelworks models request'.")
        }
        return Output(
            document: document, text: "\(document.at("candidate.model")?.cell ?? "")/\(candidate) answers on \(name).")
    }
}

struct TrafficCommand: WordedCommand {
    let usage = Usage(
        name: "traffic",
        summary: "Show who answers on an endpoint; switch to a fallback; mirror to a shadow; split between versions",
        positionals: ["[show|override|release|shadow|split]", "[ENDPOINT]"],
        options: [
            .init(name: "constant", value: "NUMBER", help: "override: answer this to every request"),
            .init(name: "version", value: "MODEL/VERSION", help: "override, shadow: this version"),
            .init(name: "share", value: "SHARE", help: "shadow: of the requests, such as 10% (default 100%)"),
            .init(
                name: "off", value: nil, help: "shadow: stop mirroring; split: give all traffic to the stable version"),
            .init(
                name: "arms", value: "MODEL/VERSION=SHARE,...",
                help: "split: who shares the traffic, the stable one first"),
            .init(
                name: "policy", value: "POLICY",
                help: "split: fixed (A/B test), thompson or epsilon_greedy (default fixed)"
            ),
            .init(name: "goal", value: "higher|lower", help: "split: which labels are better (default higher)"),
            .init(
                name: "floor", value: "SHARE", help: "split: the least of the stable version in a bandit (default 10%)"),
            .init(name: "epsilon", value: "SHARE", help: "split: what epsilon_greedy explores with (default 10%)"),
            .init(
                name: "alpha", value: "SHARE",
                help: "split: chance of ever taking equal arms for different (default 5%)"),
            .init(name: "reason", value: "TEXT", help: "why; kept in the journal"),
        ], example: "modelworks traffic override flight-delay --constant 0.2 --reason 'scores are off'")

    var words: [Word] {
        [
            Word("show", needs: "ENDPOINT") { arguments, client in
                let document = try await client.get(endpointPath(arguments.required(1)))
                return Output(document: document, text: Self.text(document))
            },
            Word("override", needs: "ENDPOINT") { arguments, client in
                struct Body: Encodable {
                    var constant: Double?
                    var version: String?
                    var reason: String?
                }
                let constant = try arguments.option("constant").map { text in
                    guard let number = Double(text) else { throw UsageError("'\(text)' is no number") }
                    return number
                }
                let name = arguments.required(1)
                let document = try await client.post(
                    "\(endpointPath(name))/override",
                    Body(
                        constant: constant, version: arguments.option("version"), reason: arguments.option("reason")))
                let who = arguments.option("version") ?? "The constant \(arguments.option("constant") ?? "")"
                return Output(
                    document: document,
                    text: "\(who) answers on \(name), until 'modelworks traffic release \(name)'.")
            },
            Word("release", needs: "ENDPOINT") { arguments, client in
                let name = arguments.required(1)
                let document = try await client.post(
                    "\(endpointPath(name))/release", ["reason": arguments.option("reason") ?? "asked for"])
                return Output(
                    document: document,
                    text:
                        "\(document.at("stable.model")?.cell ?? "")/\(document.at("stable.version")?.cell ?? "") answers on \(name) again."
                )
            },
            Word("shadow", needs: "ENDPOINT") { arguments, client in
                struct Body: Encodable {
                    var version: String?
                    var share: Double?
                    var reason: String?
                }
                let version = arguments.option("version")
                guard (version == nil) == arguments.flag("off") else {
                    throw UsageError("'modelworks traffic shadow' needs --version MODEL/VERSION, or --off")
                }
                let name = arguments.required(1)
                let document = try await client.post(
                    "\(endpointPath(name))/shadow",
                    Body(
                        version: version, share: try arguments.option("share").map(Self.share),
                        reason: arguments.option("reason")))
                return Output(
                    document: document,
                    text: version.map { "\($0) is asked beside \(name); see 'modelworks traffic show \(name)'." }
                        ?? "Nothing is asked beside \(name).")
            },
            Word("split", needs: "ENDPOINT") { arguments, client in try await Self.split(arguments, client) },
        ]
    }

    /// Splits the traffic, ends that, or shows what it has come to.
    private static func split(_ arguments: Arguments, _ client: Client) async throws -> Output {
        struct Body: Encodable {
            struct Arm: Encodable {
                var version: String
                var share: Double
            }
            var arms: [Arm]?
            var policy: String?
            var goal: String?
            var floor: Double?
            var epsilon: Double?
            var alpha: Double?
            var reason: String?
        }
        let name = arguments.required(1)
        let path = "\(endpointPath(name))/split"
        let arms = try arguments.list("arms")?.map { text in
            guard let sign = text.lastIndex(of: "=") else { throw UsageError("'\(text)' is not MODEL/VERSION=SHARE") }
            return Body.Arm(
                version: String(text[..<sign]), share: try share(String(text[text.index(after: sign)...])))
        }
        guard arms != nil || arguments.flag("off") else {
            let document = try await client.get(path)
            return Output(document: document, text: report(document))
        }
        guard (arms == nil) == arguments.flag("off") else {
            throw UsageError("'--off' ends a split, '--arms' begins one")
        }
        let document = try await client.post(
            path,
            Body(
                arms: arms, policy: arguments.option("policy"), goal: arguments.option("goal"),
                floor: try arguments.option("floor").map(share), epsilon: try arguments.option("epsilon").map(share),
                alpha: try arguments.option("alpha").map(share), reason: arguments.option("reason")))
        return Output(
            document: document,
            text: arms == nil
                ? "The stable version has all traffic of \(name)."
                : "The traffic of \(name) is split; see 'modelworks traffic split \(name)'.")
    }

    private static func report(_ document: JSONValue) -> String {
        var table = TextTable(["version", "share", "exposures", "labels", "mean", "difference"])
        for arm in document["arms"]?.array ?? [] {
            func number(_ path: String) -> String { arm.at(path)?.double.map { String(format: "%.4g", $0) } ?? "–" }
            let difference = arm["difference"].map { _ in
                "\(number("difference.estimate")) [\(number("difference.lower")), \(number("difference.upper"))]"
            }
            table.add([
                arm["version"]?.cell ?? "", String(format: "%.1f%%", (arm["share"]?.double ?? 0) * 100),
                arm["exposures"]?.cell ?? "", arm["labels"]?.cell ?? "", number("mean"), difference ?? "–",
            ])
        }
        return table.rendered() + (document["finding"]?.cell ?? "Nothing can be said yet.")
    }

    private static func share(_ text: String) throws -> Double {
        let number = text.hasSuffix("%") ? Double(text.dropLast()).map { $0 / 100 } : Double(text)
        guard let number, number > 0, number <= 1 else { throw UsageError("'\(text)' is no share such as 10%") }
        return number
    }

    private static func text(_ document: JSONValue) -> String {
        func version(_ path: String) -> String? {
            guard let model = document.at("\(path).model")?.cell, let number = document.at("\(path).version")?.cell
            else { return nil }
            return "\(model)/\(number)"
        }
        func counts(_ arm: String) -> String {
            let answers = document.at("\(arm).answers")?.cell ?? "0"
            let failures = document.at("\(arm).failures")?.cell ?? "0"
            return "\(answers) answers, \(failures) failed, p99 \(document.at("\(arm).p99")?.cell ?? "–") ms"
        }
        var lines: [String] = []
        if let constant = document.at("traffic.override.constant")?.cell {
            lines.append("override  the constant \(constant)")
        } else if let override = version("traffic.override.version") {
            lines.append("override  \(override)")
        }
        lines.append(
            "stable    \(version("traffic.stable").map { "\($0): \(counts("stable"))" } ?? "nothing is deployed")")
        if let canary = version("traffic.canary") {
            let share = document.at("traffic.canaryShare")?.double ?? 0
            lines.append("canary    \(canary) on \(Int((share * 100).rounded()))%: \(counts("canary"))")
        }
        if let previous = version("traffic.previous") { lines.append("previous  \(previous), kept warm") }
        if let shadow = version("traffic.shadow.version") {
            func count(_ key: String) -> String { document.at("shadow.\(key)")?.cell ?? "0" }
            lines.append(
                "shadow    \(shadow): asked \(count("asked")), dropped \(count("dropped")), failed \(count("failures")), disagreed \(count("disagreements")), by \(count("largestDifference")) at most"
            )
        }
        return lines.joined(separator: "\n")
    }
}

struct DrillCommand: WordedCommand {
    let usage = Usage(
        name: "drill", summary: "Try a roll-back on a live endpoint, and put everything back",
        positionals: ["rollback", "ENDPOINT"],
        example: "modelworks drill rollback flight-delay")

    /// A roll-back has to be in force within so many seconds.
    private static let limit = 5.0

    var words: [Word] {
        [
            Word("rollback", needs: "ENDPOINT") { arguments, client in
                try await Self.rollBack(arguments.required(1), client)
            }
        ]
    }

    /// Goes back to the version before and then returns, each timed until the endpoint says so.
    private static func rollBack(_ name: String, _ client: Client) async throws -> Output {
        struct Deploy: Encodable {
            var version: String
            var reason = "a drill: back to what it was"
        }
        func stable(_ document: JSONValue, _ path: String) throws -> String {
            guard let model = document.at("\(path).model")?.cell, let version = document.at("\(path).version")?.cell
            else { throw UsageError("'\(name)' has no version to go back to", remedy: "Deploy a second one first.") }
            return "\(model)/\(version)"
        }
        let before = try await client.get(endpointPath(name))
        guard before.at("traffic.canary.version") == nil else {
            throw UsageError(
                "a rollout is under way on '\(name)'", remedy: "Wait for its end; a drill would take it back.")
        }
        let (current, previous) = (try stable(before, "traffic.stable"), try stable(before, "traffic.previous"))
        func timed(_ body: () async throws -> JSONValue, until version: String) async throws -> Double {
            let start = SystemTime.monotonicNanoseconds
            _ = try await body()
            let now = try await client.get(endpointPath(name))
            guard try stable(now, "traffic.stable") == version else {
                throw UsageError("'\(name)' is answered by \(try stable(now, "traffic.stable")), not by \(version)")
            }
            return Double(SystemTime.monotonicNanoseconds &- start) / 1e9
        }
        let back = try await timed(
            { try await client.post("\(endpointPath(name))/rollback", ["reason": "a drill"]) }, until: previous)
        let again = try await timed(
            { try await client.post("\(endpointPath(name))/deploy", Deploy(version: current)) }, until: current)
        let passed = back <= limit && again <= limit
        return Output(
            document: [
                "endpoint": .string(name), "from": .string(current), "to": .string(previous),
                "rollback_seconds": .number(back), "restore_seconds": .number(again), "passed": .bool(passed),
            ],
            text:
                "\(passed ? "Passed" : "Failed"): \(name) went from \(current) to \(previous) in \(milliseconds(back)), and back in \(milliseconds(again)) (limit \(Int(limit)) s).",
            good: passed)
    }

    private static func milliseconds(_ seconds: Double) -> String { "\(Int((seconds * 1000).rounded(.up))) ms" }
}
