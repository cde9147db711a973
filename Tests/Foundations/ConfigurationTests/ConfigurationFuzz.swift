import Basics
import Configuration
import Foundation
import Testing

/// Random and mutated texts: each is read, or refused with a message that names the file. Nothing else may happen.
@Suite struct ConfigurationFuzz {
    private static func number(_ name: String) -> UInt64? {
        ProcessInfo.processInfo.environment[name].flatMap(UInt64.init)
    }

    private let seed = number("MODELWORKS_SEED") ?? 1
    private let seconds = number("MODELWORKS_FUZZ_SECONDS") ?? 2

    private static let sample = """
        kind: view
        name: origin_now   # a comment
        entities: [airport, "carrier"]
        sql: |
          SELECT 1
        ttl: 12h
        share: 5%
        from: 2013-04-01T00:00:00Z
        features:
          dep_delay: double
          'arr delay': {a: [1, 2], b: ~}
        ---
        other: ${WHERE:-x}

        """

    private static let pieces = [
        "&a ", "*a", "[", "]", "{", "}", ": ", "- ", "'", "\"", "\\x", "\\uD800", "|", ">-", "\n", "\t", "---\n",
        "...\n",
        "%TAG ! x\n", "!!binary ", "<<: ", "? ", "\u{FEFF}", "\u{0}", "\u{7F}", "é", "🙂", "${", "}", "#", "\r",
        "\u{2028}",
    ]

    private func mutated(_ bytes: [UInt8], _ random: SeededRandom) -> [UInt8] {
        func below(_ limit: Int) -> Int { Int(random.next() % UInt64(max(1, limit))) }
        var bytes = bytes
        for _ in 0...below(6) {
            let at = below(bytes.count + 1)
            switch below(5) {
            case 0: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: at)
            case 1: bytes.removeSubrange(at..<min(bytes.count, at + below(12)))
            case 2: bytes.insert(contentsOf: Self.pieces[below(Self.pieces.count)].utf8, at: at)
            case 3: if at < bytes.count { bytes[at] ^= 1 << UInt8(below(8)) }
            default:
                let end = min(bytes.count, at + below(40))
                bytes.insert(contentsOf: Array(bytes[at..<end]), at: below(bytes.count + 1))
            }
        }
        return bytes
    }

    /// Reads every value in every way there is.
    private func read(_ node: YAMLNode) throws {
        _ = try? node.string()
        _ = try? node.mapping(allowing: ["kind", "name"])
        switch node.content {
        case .scalar: return
        case .sequence(let items): try items.forEach(read)
        case .mapping(let entries):
            let map = try node.mapping()
            for entry in entries {
                _ = try? map.int(entry.key)
                _ = try? map.double(entry.key)
                _ = try? map.bool(entry.key)
                _ = try? map.seconds(entry.key)
                _ = try? map.share(entry.key)
                _ = try? map.timestamp(entry.key)
                _ = try? map.strings(entry.key)
                try read(entry.value)
            }
        }
    }

    @Test func noTextCrashesTheReader() throws {
        let random = SeededRandom(seed: seed)
        let end = SystemTime.monotonicNanoseconds + seconds * 1_000_000_000
        var (taken, refused) = (0, 0)
        while SystemTime.monotonicNanoseconds < end {
            let bytes =
                random.next() % 8 == 0
                ? (0..<Int(random.next() % 200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
                : mutated(Array(Self.sample.utf8), random)
            let text = String(decoding: bytes, as: UTF8.self)
            do {
                try YAMLParser.parse(text, file: "fuzz.yaml").forEach(read)
                _ = try FactoryDocuments(files: ["works.yaml": text], environment: ["WHERE": "\u{7}"])
                taken += 1
            } catch let failure as ConfigurationFailure {
                refused += 1
                #expect(
                    failure.message.hasPrefix("fuzz.yaml:") || failure.message.hasPrefix("works.yaml:"),
                    "seed \(seed): \(failure) for \(text.debugDescription)")
            }
        }
        #expect(taken > 0 && refused > 0)
    }
}
