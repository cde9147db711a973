import Basics
import Configuration
import TestSupport
import Testing

/// Random and mutated texts: each is read, or refused with a message that names the file. Nothing else may happen.
@Suite struct ConfigurationFuzz {
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
        let fuzzer = Fuzzer(pieces: Self.pieces)
        var (taken, refused) = (0, 0)
        for _ in fuzzer.rounds(atLeast: 4000) {
            let text = fuzzer.text(from: [Self.sample])
            do {
                try YAMLParser.parse(text, file: "fuzz.yaml").forEach(read)
                _ = try FactoryDocuments(files: ["works.yaml": text], environment: ["WHERE": "\u{7}"])
                taken += 1
            } catch let failure as ConfigurationFailure {
                refused += 1
                #expect(
                    failure.message.hasPrefix("fuzz.yaml:") || failure.message.hasPrefix("works.yaml:"),
                    "seed \(fuzzer.seed): \(failure) for \(text.debugDescription)")
            }
        }
        #expect(taken > 0 && refused > 0)
    }
}
