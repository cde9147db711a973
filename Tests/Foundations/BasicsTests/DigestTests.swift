import Basics
import Testing

@Suite struct DigestTests {
    // FIPS 180-2, appendix B, and the digests of no bytes and of 64 zero bytes.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (String(repeating: "a", count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
        (String(repeating: "\0", count: 64), "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"),
    ])
    func publishedVectors(text: String, hex: String) {
        #expect(Digest(of: text).hex == hex)
        #expect(Digest(of: Array(text.utf8)).hex == hex)
    }

    @Test(arguments: [1, 7, 63, 64, 65, 1000])
    func piecesGiveTheDigestOfTheWhole(size: Int) {
        let bytes = (0..<5000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var builder = Digest.Builder()
        var start = 0
        while start < bytes.count {
            builder.update(Array(bytes[start..<min(start + size, bytes.count)]))
            start += size
        }
        #expect(builder.finish() == Digest(of: bytes))
    }

    @Test func aBuilderThatIsNeverFinishedGivesItsMemoryBack() {
        for _ in 0..<1000 {
            var builder = Digest.Builder()
            builder.update("left alone")
        }
    }

    @Test func textReadsWithAndWithoutItsPrefix() throws {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        let digest = try #require(Digest(hex))
        #expect(Digest("sha256:\(hex)") == digest)
        #expect(digest.description == "sha256:\(hex)")
        #expect(digest.short == "ba7816bf8f01")
        #expect(try JSON.string(["d": digest]) == #"{"d":"sha256:\#(hex)"}"#)
        #expect(try JSON.decode([Digest].self, from: #"["sha256:\#(hex)"]"#) == [digest])
    }

    @Test(arguments: [
        "", "sha256:", "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
        "ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "sha512:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "sha256:sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        "éa7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
    ])
    func anythingElseIsNoDigest(text: String) {
        #expect(Digest(text) == nil)
        #expect(throws: JSONFailure.self) { try JSON.decode([Digest].self, from: try JSON.string([text])) }
    }
}
