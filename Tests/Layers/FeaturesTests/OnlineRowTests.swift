import Basics
import TestSupport
import Testing

@testable import Features

@Suite struct OnlineRowTests {
    private static let types = ScalarType.allCases.flatMap { [FeatureType($0), FeatureType($0, isList: true)] }

    private func scalar(_ type: ScalarType, _ random: SeededRandom) -> ScalarValue {
        if random.next() % 5 == 0 { return .null }
        let bits = random.next()
        switch type {
        case .integer: return .integer(Int64(bitPattern: bits))
        case .double:
            let number = Double(bitPattern: bits)
            return number.isNaN ? .double(-0.0) : .double(number)
        case .float: return .double(Double(Float(Int32(truncatingIfNeeded: bits)) / 7))
        case .string:
            let texts = ["", "a", "é", "日本語の長い文字列です", String(repeating: "x", count: Int(bits % 300))]
            return .string(texts[Int(bits >> 32) % texts.count])
        case .boolean: return .boolean(bits & 1 == 1)
        case .timestamp: return .timestamp(Timestamp(microseconds: Int64(bitPattern: bits)))
        }
    }

    private func value(_ type: FeatureType, _ random: SeededRandom) -> FeatureValue {
        guard type.isList else { return .scalar(scalar(type.scalar, random)) }
        if random.next() % 5 == 0 { return .null }
        return .list((0..<Int(random.next() % 12)).map { _ in scalar(type.scalar, random) })
    }

    @Test func rowsOfAnyTypesComeBackAsTheyWereWritten() {
        let random = SeededRandom(seed: 41)
        for _ in 0..<2000 {
            let features = (0..<Int(1 + random.next() % 20)).map { index in
                Feature("f\(index)", Self.types[Int(random.next() % UInt64(Self.types.count))])
            }
            let layout = OnlineLayout(features)
            var encoder = OnlineRowEncoder(layout)
            // The same encoder writes rows one after another.
            for _ in 0..<3 {
                let values = features.map { value($0.type, random) }
                let event = Int64(bitPattern: random.next())
                let created = Int64(bitPattern: random.next())
                encoder.begin(eventTime: event, createdTime: created)
                for (index, value) in values.enumerated() { encoder.set(index, value) }
                encoder.finish()
                encoder.bytes.withUnsafeBytes { bytes in
                    guard let row = OnlineRow(bytes, layout) else {
                        Issue.record("no row")
                        return
                    }
                    #expect(row.eventTime == event)
                    #expect(row.createdTime == created)
                    for (index, value) in values.enumerated() {
                        #expect(row.cell(index).value == value, "\(features[index].type)")
                    }
                }
            }
        }
    }

    @Test func badBytesGiveNoValuesAndNeverTrap() {
        let random = SeededRandom(seed: 43)
        let features = Self.types.enumerated().map { Feature("f\($0)", $1) }
        let layout = OnlineLayout(features)
        var encoder = OnlineRowEncoder(layout)
        for _ in 0..<5000 {
            encoder.begin(eventTime: 1, createdTime: 2)
            for (index, feature) in features.enumerated() { encoder.set(index, value(feature.type, random)) }
            encoder.finish()
            var bytes = encoder.bytes
            // What is spoiled lies behind the tag, which would give the row away; and bytes may be missing at the end.
            for _ in 0..<4 where bytes.count > 20 {
                bytes[20 + Int(random.next() % UInt64(bytes.count - 20))] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.next() % 2 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
            bytes.withUnsafeBytes { bytes in
                guard let row = OnlineRow(bytes, layout) else { return }
                for index in features.indices {
                    _ = row.cell(index).value
                    _ = row.number(index)
                }
            }
        }
    }

    @Test func aRowOfOtherFeaturesIsNone() {
        let layout = OnlineLayout([Feature("a", FeatureType(.double))])
        var encoder = OnlineRowEncoder(layout)
        encoder.begin(eventTime: 1, createdTime: 2)
        encoder.finish()
        for other in [
            [Feature("b", FeatureType(.double))], [Feature("a", FeatureType(.integer))],
            [Feature("a", FeatureType(.double)), Feature("b", FeatureType(.boolean))],
        ] {
            encoder.bytes.withUnsafeBytes { #expect(OnlineRow($0, OnlineLayout(other)) == nil) }
        }
    }

    @Test func stampsOrderAsBytesAsTheTimesDo() {
        let layout = OnlineLayout([])
        let times: [Int64] = [.min, -5_000_000_000, -1, 0, 1, 1_700_000_000_000_000, .max]
        var stamps: [[UInt8]] = []
        for event in times {
            for created in times {
                var encoder = OnlineRowEncoder(layout)
                encoder.begin(eventTime: event, createdTime: created)
                stamps.append(Array(encoder.bytes.prefix(16)))
            }
        }
        for (left, right) in zip(stamps, stamps.dropFirst()) { #expect(left.lexicographicallyPrecedes(right)) }
    }

    @Test func keysTellEntitiesApart() {
        let prefix: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8]
        let long = String(repeating: "k", count: 400)
        let keys = [
            ["a", "bc"], ["ab", "c"], ["abc"], ["", "abc"], ["abc", ""], [long], [long, long], [long, long + "x"],
            [long + long], ["5"], ["5.0"],
        ].map { OnlineKey.key(prefix: prefix, texts: $0) }
        #expect(Set(keys).count == keys.count)
        #expect(keys.allSatisfy { $0.count <= OnlineKey.bytesMax && $0.starts(with: prefix) })
        #expect(OnlineKey.key(prefix: prefix, texts: [OnlineKey.text(.integer(5)) ?? ""]) == keys[9])
        keys[0].withUnsafeBytes { #expect(OnlineKey.texts(in: $0, prefixCount: 8, count: 2) == ["a", "bc"]) }
        keys[6].withUnsafeBytes { #expect(OnlineKey.texts(in: $0, prefixCount: 8, count: 2) == nil) }
        #expect(OnlineKey.text(.double(5)) == "5")
        #expect(OnlineKey.text(.double(5.5)) == nil)
        #expect(OnlineKey.text(.timestamp(Timestamp(seconds: 2))) == "2000000")
    }
}
