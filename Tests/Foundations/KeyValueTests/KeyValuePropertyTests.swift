import Basics
import Engines
import KeyValue
import TestSupport
import Testing

/// Random changes and reads on every engine, beside a dictionary that does the same.
@Suite struct KeyValuePropertyTests {
    /// One step of a change.
    private enum Step: Sendable {
        case put([UInt8], [UInt8])
        case delete([UInt8])
        case clear
        case read([UInt8])
        case walk([UInt8])
    }

    private struct Refused: Error {}

    private struct Generator {
        let random: SeededRandom
        private static let alphabet: [UInt8] = [0, 10, 13, 42, 58, 63, 91, 92, 93, 97, 123, 125, 255]

        init(_ seed: UInt64) { random = SeededRandom(seed: seed) }

        func below(_ limit: Int) -> Int { Int(random.next() % UInt64(limit)) }

        func key() -> [UInt8] {
            (0..<1 + below(3)).map { _ in Self.alphabet[below(Self.alphabet.count)] }
        }

        func step() -> Step {
            switch below(20) {
            case 0: below(3) == 0 ? .clear : .read(key())
            case 1...3: .read(key())
            case 4: .walk(Array(key().prefix(1)))
            case 5...8: .delete(key())
            default: .put(key(), (0..<below(40)).map { _ in UInt8(truncatingIfNeeded: below(256)) })
            }
        }
    }

    @Test(arguments: KeyValueEngine.allCases)
    func everyEngineAgreesWithADictionary(_ engine: KeyValueEngine) async throws {
        let folder = try TemporaryFolder()
        let store = try await engine.store(in: folder)
        let table = try await store.table("t*{x")
        let generator = Generator(20_261_121)
        var oracle: [[UInt8]: [UInt8]] = [:]
        for round in 0..<150 {
            let steps = (0..<generator.below(12)).map { _ in generator.step() }
            let isRefused = generator.below(8) == 0
            let before = oracle
            let after = try? await store.write { transaction in
                var mirror = before
                for step in steps {
                    switch step {
                    case .put(let key, let value):
                        try transaction.put(key, value, in: table)
                        mirror[key] = value
                    case .delete(let key):
                        let was = try transaction.delete(key, in: table)
                        #expect(was == (mirror.removeValue(forKey: key) != nil), "round \(round)")
                    case .clear:
                        try transaction.clear(table)
                        mirror = [:]
                    case .read(let key):
                        #expect(try transaction.value(key, in: table) == mirror[key], "round \(round)")
                    case .walk(let prefix):
                        let found = try transaction.entries(prefix: prefix, in: table)
                        #expect(found.map(\.key) == Self.sorted(mirror, prefix), "round \(round)")
                        #expect(found.map(\.value) == Self.sorted(mirror, prefix).compactMap { mirror[$0] })
                    }
                }
                if isRefused { throw Refused() }
                return mirror
            }
            #expect((after == nil) == isRefused)
            oracle = after ?? before
            let keys = (0..<6).map { _ in generator.key() }
            #expect(try store.read { try $0.values(keys, in: table) } == keys.map { oracle[$0] }, "round \(round)")
            let prefix = Array(generator.key().prefix(1))
            let entries = try store.read { try $0.entries(prefix: prefix, in: table) }
            #expect(entries.map(\.key) == Self.sorted(oracle, prefix), "round \(round)")
            #expect(try store.statistics(table).entries == oracle.count)
        }
    }

    private static func sorted(_ values: [[UInt8]: [UInt8]], _ prefix: [UInt8]) -> [[UInt8]] {
        values.keys.filter { $0.starts(with: prefix) }.sorted { $0.lexicographicallyPrecedes($1) }
    }
}
