import Basics
import Engines
import Foundation
import HTTP
import TestSupport

/// The seeded factory on the system's clock and on engines that several servers share: its orders are placed now, and
/// its windows are seconds long, so that scheduled work recurs while a test watches.
struct LiveFactory: Sendable {
    /// How long a window of the monitor is: as short as one can be.
    static let windowSeconds: Int64 = 1
    private static let learningSeconds: Int64 = 4 * 86_400
    private static let shops = (1...8).map { "shop-\($0)" }

    let folder: TemporaryFolder
    /// What names the stores to a server.
    let environment: [String: String]

    /// Writes the tables and definitions, and makes the topics that the broker in memory does not make by itself.
    /// - Parameter name: tells it apart from other factories on the same engines.
    init(_ name: String, seed: UInt64, on engines: EngineSet) throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        environment = engines.environment(for: name)
        for kind in ["predictions", "labels"] {
            try engines.kafka.topic("\(name).records.\(kind).\(SeededFactory.endpoint)", partitions: 4)
        }
        let random = SeededRandom(seed: seed)
        func uniform() -> Double { Double(random.next() >> 11) * 0x1p-53 }
        let start = SystemTime().now.floored(toSeconds: 86_400).advanced(bySeconds: -Self.learningSeconds)
        func csv(_ seconds: Int64) -> String {
            String(start.advanced(bySeconds: seconds).description.prefix(19).map { $0 == "T" ? " " : $0 })
        }
        // Beyond midnight too, so that a test that runs through it has features.
        var visits = "shop,seen,visitors\n"
        for number in 0..<1500 {
            let time = Int64(Double(number) / 1500 * Double(Self.learningSeconds + 2 * 86_400))
            visits += "\(Self.shops[number % 8]),\(csv(time)),\((uniform() * 100).rounded())\n"
        }
        var orders = "order_id,shop,placed,amount,late,known\n"
        for number in 0..<900 {
            let time = Int64(Double(number) / 900 * Double(Self.learningSeconds))
            let amount = (uniform() * 5000).rounded() / 100
            let late = uniform() < 1 / (1 + exp(-(amount - 25) / 8))
            orders += "order-\(number),\(Self.shops[Int(random.next() % 8)]),\(csv(time)),\(amount),"
            orders += "\(late ? 1 : 0),\(csv(time + 60))\n"
        }
        try folder.write(visits, to: "factory/data/visits.csv")
        try folder.write(orders, to: "factory/data/orders.csv")
        definitions = try Self.texts(from: start, to: start.advanced(bySeconds: Self.learningSeconds))
    }

    private let definitions: [String: String]

    private static func texts(from: Timestamp, to: Timestamp) throws -> [String: String] {
        var texts = FactoryTexts.all
        texts["works.yaml"] = "{name: orders, owner: test, clock: system}"
        texts["pipelines/retrain.yaml"] = nil
        guard let training = texts["training/orders.yaml"] else { throw Unmet("the factory has no training") }
        let live = training.replacingOccurrences(
            of: "{from: 2024-03-01, to: 2024-03-15}", with: "{from: \(from.day), to: \(to.day)}"
        ).replacingOccurrences(of: "holdout: 2d", with: "holdout: 1d")
        texts["training/orders.yaml"] = live
        // Long enough to be killed in.
        texts["training/long.yaml"] = live.replacingOccurrences(of: "name: orders", with: "name: long")
            .replacingOccurrences(of: "model: orders", with: "model: long")
            .replacingOccurrences(of: "rounds: 20", with: "rounds: 2500")
        texts["monitoring/orders.yaml"] = """
            name: orders
            owner: test
            endpoint: orders
            window: \(windowSeconds)s
            label_wait: 0s
            drift: {psi: {warn: 0.1, critical: 0.2}, min_features: 1}
            performance: {max_drop: 5%, min_labels: 50}
            """
        return texts
    }

    /// Starts a server of this factory.
    /// - Parameter name: of its root, which is its own.
    func server(_ name: String) throws -> Server {
        try Server(root: "\(folder.path)/\(name)", logs: folder.path, environment: environment)
    }

    /// Applies, ingests, computes features, trains two versions and deploys the first.
    func prepare(_ servers: LiveServers) throws {
        let api = try servers.api(0)
        let files = definitions.mapValues { JSONValue.string($0) }
        try api.post("/apply", ["root": .string("\(folder.path)/factory"), "files": .object(files)])
        try api.post("/data/ingest", [:])
        try api.post("/features/build", [:])
        for _ in 1...2 {
            let trained = try api.post("/train/orders", [:])
            guard trained["version"]?["id"] != nil else { throw Unmet("nothing was registered: \(trained)") }
        }
        try api.post("/endpoints/\(SeededFactory.endpoint)/deploy", ["version": "orders/1", "reason": "first"])
        for index in 0..<servers.count {
            let link = try servers.api(index)
            try eventually("server \(index) serves the endpoint", within: 10) {
                try link.connection.send(.get, "/v2/models/\(SeededFactory.endpoint)/ready").status == .ok
            }
        }
    }

    /// The request for an order that is placed now.
    static func infer(_ id: String, number: Int) -> [UInt8] {
        let order = SeededFactory.Order(
            id: id, shop: shops[number % shops.count], placed: SystemTime().now, amount: Double(number % 5000) / 100,
            late: false, known: SystemTime().now)
        return SeededFactory.infer(order)
    }
}
