import Basics
import Foundation
import TestSupport

/// The raw rows of a workshop: the same from the same seed.
///
/// Orders come every 14 minutes from 2024-01-01 on, 2,000 of them over 19 days. A shop's load is measured about once an
/// hour, becomes known up to 50 minutes later, and now and then is not measured for half a day. An order fails when size
/// and load together, and some luck, are too much.
public struct Rows: Sendable {
    public struct Order: Sendable {
        public var id: String
        public var shop: String
        public var placed: Timestamp
        public var size: Double
        public var failed: Int
        public var settled: Timestamp
    }

    public struct Reading: Sendable {
        public var shop: String
        public var measured: Timestamp
        public var known: Timestamp
        public var load: Double
    }

    public private(set) var orders: [Order] = []
    public private(set) var readings: [Reading] = []

    public static let shops = ["north", "south", "east", "west", "café \"0\""]

    /// - Parameter shuffled: labels are drawn anew, so that nothing can be learnt.
    public init(seed: UInt64 = 5, count: Int = 2000, shuffled: Bool = false) {
        let random = SeededRandom(seed: seed)
        func unit() -> Double { Double(random.next() >> 11) * 0x1p-53 }
        let start = Blueprint.start
        var loads: [String: [Double]] = [:]
        for shop in Self.shops {
            var load = unit()
            for hour in 0..<24 * 21 {
                load = min(1, max(0, load + (unit() - 0.5) * 0.5))
                loads[shop, default: []].append(load)
                let measured = start.advanced(bySeconds: Int64(hour) * 3600 + Int64(unit() * 3000))
                let silent = (hour / 12) % 7 == Self.shops.firstIndex(of: shop)
                guard !silent else { continue }
                readings.append(
                    Reading(
                        shop: shop, measured: measured, known: measured.advanced(bySeconds: Int64(unit() * 3000)),
                        load: load))
            }
        }
        for index in 0..<count {
            let shop = Self.shops[Int(random.next() % UInt64(Self.shops.count))]
            let second = Int64(index) * 840 + Int64(unit() * 800)
            let placed = start.advanced(bySeconds: second)
            let load = loads[shop]?[Int(second / 3600)] ?? 0
            let size = unit()
            let luck = unit()
            let failed = size + load + 0.5 * luck > 1.3
            orders.append(
                Order(
                    id: "order-\(index)", shop: shop, placed: placed, size: size,
                    failed: shuffled ? Int(random.next() & 1) : (failed ? 1 : 0),
                    settled: placed.advanced(bySeconds: 7200)))
        }
    }

    /// Writes the files that the blueprint's tables read.
    public func write(to folder: TemporaryFolder) throws {
        func quoted(_ text: String) -> String { "\"\(text.replacingOccurrences(of: "\"", with: "\"\""))\"" }
        var lines = ["order_id,shop,placed,size,failed,settled"]
        for order in orders {
            lines.append(
                "\(order.id),\(quoted(order.shop)),\(order.placed),\(order.size),\(order.failed),\(order.settled)")
        }
        try folder.write(lines.joined(separator: "\n") + "\n", to: "data/orders.csv")
        lines = ["shop,measured,known,load"]
        for reading in readings {
            lines.append("\(quoted(reading.shop)),\(reading.measured),\(reading.known),\(reading.load)")
        }
        try folder.write(lines.joined(separator: "\n") + "\n", to: "data/readings.csv")
    }
}
