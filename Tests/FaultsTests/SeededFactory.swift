import Basics
import Foundation
import HTTP
import TestSupport

/// A small factory made of seeded random rows: will an order be late? Visits to the shops tell how busy they are, on a
/// grid of ten minutes. The amounts move after the second day of the replay, so that alerts are raised.
struct SeededFactory: Sendable {
    /// One order, asked about when it is placed.
    struct Order: Sendable {
        var id: String
        var shop: String
        var placed: Timestamp
        var amount: Double
        var late: Bool
        var known: Timestamp
    }

    static let endpoint = "orders"
    static let start = Timestamp(seconds: 1_709_251_200)  // 2024-03-01
    static let trained = start.advanced(bySeconds: 14 * 86_400)
    static let end = trained.advanced(bySeconds: 5 * 86_400)

    let folder: TemporaryFolder
    /// Those asked about in the replay, in time order.
    let orders: [Order]

    var root: String { "\(folder.path)/root" }

    /// Writes the tables and definitions.
    init(seed: UInt64, requests: Int = 1500) throws {
        let folder = try TemporaryFolder()
        let random = SeededRandom(seed: seed)
        func uniform() -> Double { Double(random.next() >> 11) * 0x1p-53 }
        let shops = (1...8).map { "shop-\($0)" }
        let learning = 14 * 86_400.0
        let replaying = 5 * 86_400.0

        var crowd: [String: [(time: Int64, visitors: Double)]] = [:]
        var visits = "shop,seen,visitors\n"
        for number in 0..<2000 {
            let shop = shops[number % shops.count]
            let time = Int64(Double(number) / 2000 * (learning + replaying) + uniform() * 600)
            let visitors = (uniform() * 100).rounded()
            crowd[shop, default: []].append((time, visitors))
            visits += "\(shop),\(Self.csv(time)),\(visitors)\n"
        }

        var orders: [Order] = []
        let first = 700
        for number in 0..<(first + requests) {
            let share =
                number < first
                ? Double(number) / Double(first) * learning
                : learning + Double(number - first) / Double(requests) * replaying
            let time = Int64(share)
            let shop = shops[Int(random.next() % 8)]
            let moved = share > learning + 2 * 86_400 ? 40.0 : 0
            let amount = (uniform() * 5000).rounded() / 100 + moved
            let busy = crowd[shop]?.last { $0.time <= time }?.visitors ?? 50
            let late = uniform() < 1 / (1 + exp(-(busy - 50) / 15 - (amount - 25) / 20))
            orders.append(
                Order(
                    id: "order-\(number)", shop: shop, placed: Self.start.advanced(bySeconds: time), amount: amount,
                    late: late, known: Self.start.advanced(bySeconds: time + 3600 + Int64(uniform() * 14_400))))
        }
        var table = "order_id,shop,placed,amount,late,known\n"
        for order in orders {
            let (placed, known) = (order.placed.seconds(since: Self.start), order.known.seconds(since: Self.start))
            table += "\(order.id),\(order.shop),\(Self.csv(Int64(placed))),\(order.amount),"
            table += "\(order.late ? 1 : 0),\(Self.csv(Int64(known)))\n"
        }
        try folder.write(visits, to: "factory/data/visits.csv")
        try folder.write(table, to: "factory/data/orders.csv")
        self.folder = folder
        self.orders = Array(orders.dropFirst(first))
    }

    private static func csv(_ seconds: Int64) -> String {
        String(start.advanced(bySeconds: seconds).description.prefix(19).map { $0 == "T" ? " " : $0 })
    }

    /// Applies, ingests, computes features, trains and deploys on a server of its own, which then ends.
    func prepare() throws {
        let server = try Server(root: root, logs: folder.path)
        let api = try API(url: server.url)
        let files = FactoryTexts.all.mapValues { JSONValue.string($0) }
        try api.post("/apply", ["root": .string("\(folder.path)/factory"), "files": .object(files)])
        try api.post("/data/ingest", [:])
        try api.post("/features/build", [:])
        let trained = try api.post("/train/orders", [:])
        guard trained["version"]?["id"] != nil else { throw Unmet("nothing was registered: \(trained)") }
        try api.post("/endpoints/\(Self.endpoint)/deploy", ["version": "orders/1", "reason": "first"])
        try api.post("/clock", ["now": .string(Self.trained.description)])
        guard try server.stop() == 0 else { throw Unmet("the server did not end well") }
    }

    /// The Open Inference request of an order.
    static func infer(_ order: Order, id: String? = nil) -> [UInt8] {
        Array(
            """
            {"id":"\(id ?? order.id)","inputs":[\
            {"name":"event_time","datatype":"INT64","shape":[1],"data":[\(order.placed.microseconds)]},\
            {"name":"shop","datatype":"BYTES","shape":[1],"data":["\(order.shop)"]},\
            {"name":"amount","datatype":"FP64","shape":[1],"data":[\(order.amount)]}]}
            """.utf8)
    }

    static let inferPath = "/v2/models/\(endpoint)/infer"
}

/// Modelworks' API over one connection; anything but success is thrown.
struct API {
    let connection: HTTPConnection

    init(url: String) throws { connection = try HTTPConnection(url: url, timeout: 120) }

    func get(_ path: String) throws -> JSONValue { try exchange(.get, path, []) }

    @discardableResult
    func post(_ path: String, _ body: JSONValue) throws -> JSONValue {
        try exchange(.post, path, try JSON.canonical(body))
    }

    private func exchange(_ method: HTTPMethod, _ path: String, _ body: [UInt8]) throws -> JSONValue {
        let response = try connection.send(
            method, "/api/works/v1\(path)", headers: ["Content-Type": "application/json"], body: body)
        guard response.status == .ok else {
            throw Unmet("\(path) answered \(response.status.code): \(String(decoding: response.bytes, as: UTF8.self))")
        }
        return try JSON.decode(JSONValue.self, from: response.bytes)
    }
}

extension HTTPResponse {
    /// The body of an answer that came over a connection, which is never a stream.
    var bytes: [UInt8] {
        guard case .bytes(let bytes) = body else { return [] }
        return bytes
    }

    /// The body as text.
    var text: String { String(decoding: bytes, as: UTF8.self) }
}
