import Basics
import Foundation
import HTTP
import Inference
import Synchronization
import TestSupport
import Testing
import Workshop

@testable import modelworks

/// Candidates that pass every check before traffic and are bad in it, each in its own way, rolled out while clients ask
/// without a pause: none keeps its traffic, nobody gets an error, and one that is as good as the version before takes over.
@Suite(.serialized) struct RolloutLoadFaults {
    /// In which way a candidate is no good.
    enum Fault: String, CaseIterable, Sendable { case errors, slow, notANumber, shifted }

    /// What the clients saw of one rollout.
    struct Seen: Sendable {
        var answers = 0
        var wrong: [String] = []
        var ofCandidate = 0
        /// On the monotonic clock.
        var first: UInt64 = 0
        var last: UInt64 = 0

        /// From the candidate's first answer to its last one.
        var seconds: Double { Double(last - first) / 1e9 }
    }

    private final class Watch: Sendable {
        let seen = Mutex(Seen())
        let isOver = Atomic(false)
    }

    /// A factory on the system's clock, so that it judges by itself; one version has all the traffic.
    private func factory() async throws -> Workshop {
        let shop = try await Workshop()
        try await shop.apply(
            Blueprint.files(with: [
                "works.yaml": "{name: workshop, owner: test, data: data}\n",
                "serving/orders.yaml": """
                {endpoint: orders, owner: test, model: order-failure, service: orders, rollout: {steps: [25%, 100%],
                 step_every: 1s, min_requests: 50, max_error_rate: 1%, max_p99_ms: 100, failure_limit: 5}}
                """,
            ]))
        try await shop.post("/train/\(Blueprint.training)")
        try await shop.post("/models/order-failure/versions/1/stage", ["stage": "Production", "reason": "first"])
        try await shop.post("/endpoints/orders/deploy", ["version": "order-failure/1", "reason": "first"])
        return shop
    }

    private let later = Rows().orders.filter { $0.placed >= Blueprint.trainedTo }

    @Test(arguments: Fault.allCases) func aBadCandidateLosesItsTraffic(_ fault: Fault) async throws {
        let shop = try await factory()
        let candidate = try await register(fault, shop)
        try await shop.serving { client in
            let (seen, entry) = try await underLoad(shop) {
                try await shop.post("/endpoints/orders/deploy", ["version": .string(candidate), "canary": true])
                try await Deadline(seconds: 60).wait("the rollout ends") {
                    try await shop.get("/rollouts").json.array?.first?["state"] == "rolledBack"
                }
                return try #require(try await shop.journal(type: "endpoint.rolled_back").first)
            }
            let reason = entry["body"]?["reason"]?.string ?? ""
            print(
                "rollout under load: \(fault), \(seen.answers) answers, \(seen.ofCandidate) by the candidate in"
                    + String(format: " %.2f s, ", seen.seconds) + "errors \(seen.wrong.count), because \(reason)")
            #expect(seen.wrong.isEmpty, "\(seen.wrong.prefix(3))")
            #expect(seen.seconds < 5)
            switch fault {
            case .errors, .notANumber: #expect(reason.contains("failed"))
            case .slow: #expect(reason.contains("latency") || reason.contains("p99"))
            case .shifted: #expect(reason.contains("outputs are spread otherwise"))
            }
            #expect(try await shop.get("/endpoints/orders").json["traffic"]?["stable"]?["version"] == 1)
        }
    }

    @Test func aGoodCandidateTakesOver() async throws {
        let shop = try await factory()
        try await shop.post("/train/\(Blueprint.training)")
        try await shop.serving { client in
            let (seen, state) = try await underLoad(shop) {
                try await shop.post("/endpoints/orders/deploy", ["version": "order-failure/2", "canary": true])
                try await Deadline(seconds: 60).wait("the rollout ends") {
                    try await shop.get("/rollouts").json.array?.first?["state"] != "progressing"
                }
                return try await shop.get("/rollouts").json.array?.first?["state"]
            }
            #expect(state == "completed")
            #expect(seen.wrong.isEmpty, "\(seen.wrong.prefix(3))")
            #expect(try await shop.get("/endpoints/orders").json["traffic"]?["stable"]?["version"] == 2)
        }
    }

    /// Clients ask while `body` runs, and for a moment longer.
    private func underLoad<Result: Sendable>(
        _ shop: Workshop, _ body: @Sendable () async throws -> Result
    ) async throws -> (Seen, Result) {
        let url = "http://\(try shop.address())"
        let watch = Watch()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<6 {
                group.addTask { [later] in
                    let client = try HTTPClient(baseURL: url, connections: 1)
                    var count = 0
                    while !watch.isOver.load(ordering: .relaxed) {
                        var order = later[(number * 1009 + count) % later.count]
                        order.id = "\(number)-\(count)"
                        count += 1
                        let answer = try await client.infer(Blueprint.endpoint, try Blueprint.request(order))
                        let now = SystemTime.monotonicNanoseconds
                        let scored = try? Scored(answer)
                        watch.seen.withLock { seen in
                            seen.answers += 1
                            guard let scored else { return seen.wrong.append(answer.text) }
                            guard scored.version == "2" else { return }
                            seen.ofCandidate += 1
                            if seen.first == 0 { seen.first = now }
                            seen.last = now
                        }
                    }
                }
            }
            defer { watch.isOver.store(true, ordering: .relaxed) }
            let result = try await body()
            let count = watch.seen.withLock(\.answers)
            try await Deadline(seconds: 60).wait("answers after the end") {
                watch.seen.withLock(\.answers) > count + 300
            }
            watch.isOver.store(true, ordering: .relaxed)
            try await group.waitForAll()
            return (watch.seen.withLock { $0 }, result)
        }
    }

    private func register(_ fault: Fault, _ shop: Workshop) async throws -> String {
        let champion = try await shop.bundle(of: 1)
        var files = champion.files
        let text = files[LightGBMRuntime.modelPath] ?? []
        switch fault {
        case .notANumber:
            files[LightGBMRuntime.modelPath] = try BrokenModel.spoil(
                text, keeping: champion.manifest.sample.inputs.first?.map { $0 ?? .nan } ?? [])
        case .shifted: files[LightGBMRuntime.modelPath] = try Self.shifted(text)
        case .errors: return try await shop.register(try onnx("failing"), kind: "onnx", like: champion.manifest)
        case .slow: return try await shop.register(try onnx("slow"), kind: "onnx", like: champion.manifest)
        }
        return try await shop.register(files, like: champion.manifest, reason: "a drill")
    }

    private func onnx(_ name: String) throws -> [String: [UInt8]] {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
        return [ONNXRuntime.modelPath: [UInt8](try Data(contentsOf: folder.appending(path: "\(name).onnx")))]
    }

    /// The model with a half more in every leaf of its first tree, so that every row has higher odds.
    private static func shifted(_ text: [UInt8]) throws -> [UInt8] {
        var lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
        let place = try #require(lines.firstIndex { $0.hasPrefix("leaf_value=") })
        let head = try #require(lines.firstIndex { $0.hasPrefix("tree_sizes=") })
        let leaves = lines[place].dropFirst("leaf_value=".count).split(separator: " ").compactMap { Double($0) }
        let before = lines[place].utf8.count
        lines[place] = "leaf_value=" + leaves.map { "\($0 + 0.5)" }.joined(separator: " ")
        var sizes = lines[head].dropFirst("tree_sizes=".count).split(separator: " ").compactMap { Int($0) }
        let first = try #require(sizes.first)
        sizes[0] = first + lines[place].utf8.count - before
        lines[head] = "tree_sizes=" + sizes.map(String.init).joined(separator: " ")
        return Array(lines.joined(separator: "\n").utf8)
    }
}
