import Archives
import Basics
import TestSupport
import Testing

/// Damaged tar files: each is refused, or gives plain files that fit the limit.
@Suite struct TarFileFuzz {
    private static let pieces = [
        "ustar\u{0}00", "ustar  \u{0}", "0000644\u{0}", "77777777777", "\u{0}", "x", "g", "L", "K", "S", "2",
        "30 path=a\n",
        "9999999999 path=a\n", "GNU.sparse.size=1\n", "20 size=-1\n", "../", "%s", "\u{7F}\u{7F}",
    ]

    @Test func damagedFilesAreRefusedOrRead() throws {
        let fuzzer = Fuzzer(pieces: Self.pieces)
        let limit = 4096
        var (taken, refused) = (0, 0)
        for _ in fuzzer.rounds(atLeast: 4000) {
            let members = (0..<fuzzer.below(4)).map {
                TarFile.Member(
                    name: String(repeating: "folder/", count: fuzzer.below(40)) + "\($0)",
                    bytes: fuzzer.noise(below: 700))
            }
            var bytes = fuzzer.isOne(in: 10) ? fuzzer.row(below: 300) : try TarFile.write(members)
            // Most of a file is padding; what readers act on are the headers.
            if fuzzer.isOne(in: 2), bytes.count > 512 {
                bytes = fuzzer.mutated(Array(bytes.prefix(512))) + bytes.dropFirst(512)
            } else {
                bytes = fuzzer.mutated(bytes)
            }
            do {
                let found = try TarFile.read(bytes, limit: limit)
                taken += 1
                #expect(found.reduce(0) { $0 + $1.bytes.count } <= limit, "seed \(fuzzer.seed)")
            } catch let failure as ArchiveFailure {
                refused += 1
                #expect(
                    failure.code == .invalidArgument || failure.code == .resourceExhausted,
                    "seed \(fuzzer.seed): \(failure)")
            }
        }
        #expect(taken > 100 && refused > 100, "\(taken) taken, \(refused) refused")
    }
}
