import Basics
import Foundation
import TestSupport
import Testing

@testable import Sealing

/// A keyring of the given ids, each key the 32 bytes that start with its place in `all`.
private func keyring(_ ids: String...) throws -> SealingKeyring {
    let lines = ids.map { id in "\(id) \(Base64.text([UInt8](repeating: UInt8(id.utf8.last ?? 0), count: 32)))" }
    return try SealingKeyring(Secret(lines.joined(separator: "\n")), origin: "a test")
}

private func content(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(($0 &* 7 &+ $0 / 251) % 256) } }

@Suite struct SealedBytesTests {
    @Test(arguments: [0, 1, 17, 65_535, 65_536, 65_537, 131_072, 200_000])
    func whatIsSealedOpens(count: Int) throws {
        let keys = try keyring("k1")
        let sealed = try SealedBytes.seal(content(count), with: keys)
        #expect(sealed.count == SealedBytes.sealedCount(of: count, with: keys))
        #expect(SealedBytes.isSealed(sealed))
        #expect(try SealedBytes.open(sealed, with: keys) == content(count))
    }

    @Test func sealingTwiceGivesOtherBytesAndNeverTheContent() throws {
        let keys = try keyring("k1")
        let text = Array("a sentence that must not be seen".utf8)
        let first = try SealedBytes.seal(text, with: keys)
        #expect(try SealedBytes.seal(text, with: keys) != first)
        for start in 0...(text.count - 4) {
            let part = Array(text[start..<(start + 4)])
            #expect(Data(first).range(of: Data(part)) == nil)
        }
    }

    /// Made by PyNaCl 1.6.2's secretstream bindings from the form that `SealedForm` states, key bytes 0 to 31.
    @Test func whatAnotherProgramSealedOpens() throws {
        let keys = try SealingKeyring(
            Secret("k1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), origin: "a test")
        let sealed = try #require(
            Base64.bytes(
                "bXdzZWFsZWQBAmsxRyNNV7nZ0lP4SVEBSprv3YetvUexQOWrZiW6Z8/tePE0VoZp3PRaEV2mr9sDZZdsVPZnc3Tw4GlYORj/IkLc"))
        let opened = try SealedBytes.open(sealed, with: keys, context: "objects/a")
        #expect(String(decoding: opened, as: UTF8.self) == "Grüße from elsewhere")
        #expect(throws: SealingFailure.notAuthentic("the sealed content")) {
            try SealedBytes.open(sealed, with: keys, context: "objects/b")
        }
    }

    @Test func everyFlippedBitOfASmallSealIsFound() throws {
        let keys = try keyring("k1", "k2", "k3")
        let sealed = try SealedBytes.seal(content(40), with: keys)
        for index in sealed.indices {
            for bit in 0..<8 {
                var changed = sealed
                changed[index] ^= 1 << UInt8(bit)
                #expect(throws: SealingFailure.self, "bit \(bit) of byte \(index)") {
                    try SealedBytes.open(changed, with: keys)
                }
            }
        }
    }

    @Test func everyCutIsFoundAndSoIsEveryAddition() throws {
        let keys = try keyring("k1")
        let sealed = try SealedBytes.seal(content(40), with: keys)
        for count in 0..<sealed.count {
            #expect(throws: SealingFailure.self) { try SealedBytes.open(Array(sealed.prefix(count)), with: keys) }
        }
        for tail in [[0], [UInt8](repeating: 0, count: 17), Array(sealed.suffix(57))] {
            #expect(throws: SealingFailure.self) { try SealedBytes.open(sealed + tail, with: keys) }
        }
    }

    @Test func chunksThatAreCutOffMovedRepeatedOrLeftOutAreFound() throws {
        let keys = try keyring("k1")
        let sealed = try SealedBytes.seal(content(3 * 65_536 + 10), with: keys)
        let start = 10 + 2 + 24
        let size = 65_536 + 17
        func chunk(_ index: Int) -> ArraySlice<UInt8> { sealed[(start + index * size)...].prefix(size) }
        let head = sealed.prefix(start)
        let orders = [
            [0], [0, 1, 2], [1, 0, 2, 3], [0, 0, 1, 2, 3], [0, 2, 3], [3], [0, 1, 3, 2], [0, 1, 2, 3, 3],
        ]
        for order in orders {
            let changed = order.reduce(into: Array(head)) { $0 += chunk($1) }
            #expect(throws: SealingFailure.self, "\(order)") { try SealedBytes.open(changed, with: keys) }
        }
        #expect(try SealedBytes.open([0, 1, 2, 3].reduce(into: Array(head)) { $0 += chunk($1) }, with: keys).count > 0)
    }

    @Test func piecesOfAnySizeGiveTheSame() throws {
        let keys = try keyring("k1")
        let random = SeededRandom(seed: 11)
        let plain = content(150_000)
        for _ in 0..<10 {
            var sealing = try SealingStream(keys)
            var sealed = sealing.start
            var rest = plain[...]
            while !rest.isEmpty {
                let part = rest.prefix(Int(random.next() % 70_000) + 1)
                sealed += try part.withUnsafeBytes { try sealing.update($0) }
                rest = rest.dropFirst(part.count)
            }
            sealed += try sealing.finish()
            #expect(sealed.count == SealedBytes.sealedCount(of: plain.count, with: keys))
            var opening = OpeningStream(keys)
            var opened: [UInt8] = []
            rest = sealed[...]
            while !rest.isEmpty {
                let part = rest.prefix(Int(random.next() % 70_000) + 1)
                opened += try part.withUnsafeBytes { try opening.update($0) }
                rest = rest.dropFirst(part.count)
            }
            opened += try opening.finish()
            #expect(opened == plain)
        }
    }

    @Test func contextsBind() throws {
        let keys = try keyring("k1")
        let sealed = try SealedBytes.seal(content(9), with: keys, context: "objects/a")
        #expect(throws: SealingFailure.self) { try SealedBytes.open(sealed, with: keys, context: "objects/b") }
        #expect(throws: SealingFailure.self) { try SealedBytes.open(sealed, with: keys) }
        #expect(try SealedBytes.open(sealed, with: keys, context: "objects/a") == content(9))
    }
}

@Suite struct SealingKeyringTests {
    @Test func theNewestSealsAndAllOpen() throws {
        let old = try keyring("k1")
        let sealed = try SealedBytes.seal(content(10), with: old)
        let both = try keyring("k2", "k1")
        #expect(both.newest == "k2")
        #expect(try SealedBytes.open(sealed, with: both) == content(10))
        let renewed = try #require(try SealedBytes.rewrap(sealed, with: both))
        #expect(try SealedBytes.keyID(of: renewed) == "k2")
        #expect(try SealedBytes.rewrap(renewed, with: both) == nil)
        #expect(try SealedBytes.open(renewed, with: try keyring("k2")) == content(10))
        #expect(throws: SealingFailure.unknownKey("k2", of: "the sealed content")) {
            try SealedBytes.open(renewed, with: old)
        }
    }

    @Test func anotherKeyOfTheSameNameDoesNotOpen() throws {
        let sealed = try SealedBytes.seal(content(10), with: try keyring("k1"))
        let other = try SealingKeyring(try SealingKeyring.freshLine(id: "k1"), origin: "a test")
        #expect(throws: SealingFailure.notAuthentic("the sealed content")) {
            try SealedBytes.open(sealed, with: other)
        }
    }

    @Test(arguments: [
        "", "# only a comment", "k1", "k1 short", "k1 AAAA", "k/1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "k1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\nk1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "k1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= more",
    ])
    func keyringsThatAreNoneAreRefusedWithoutShowingThem(text: String) throws {
        do {
            _ = try SealingKeyring(Secret(text), origin: "VARIABLE")
            Issue.record("'\(text)' was taken")
        } catch let failure as SealingFailure {
            #expect(failure.message.contains("VARIABLE"))
            #expect(!failure.description.contains("AAECAwQF") && !failure.description.contains("short"))
        }
    }

    @Test func keysComeFromFilesThatOnlyTheirOwnerReadsAndFromVariables() throws {
        let folder = try TemporaryFolder()
        #expect(try SealingKeyring.create(file: folder("seal.keys"), id: "2026-11"))
        #expect(try !SealingKeyring.create(file: folder("seal.keys"), id: "other"))
        #expect(try SealingKeyring(file: folder("seal.keys")).ids == ["2026-11"])
        chmod(folder("seal.keys"), 0o640)
        #expect(throws: SealingFailure.exposed(path: folder("seal.keys"), mode: 0o640)) {
            try SealingKeyring(file: folder("seal.keys"))
        }
        let source = SecretSource(environment: [
            "KEYS": "# newest first\n\nb AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\r\n  a  "
                + Base64.text([UInt8](repeating: 1, count: 32)) + "\n"
        ])
        #expect(try SealingKeyring(variable: "KEYS", from: source).ids == ["b", "a"])
    }
}

@Suite struct SealedFileTests {
    @Test(arguments: [0, 65_536, 3_000_001])
    func filesRoundTripAndLeaveNothingBeside(count: Int) throws {
        let folder = try TemporaryFolder()
        let keys = try keyring("k1")
        try Data(content(count)).write(to: URL(fileURLWithPath: folder("plain")))
        try SealedFile.seal(folder("plain"), to: folder("sealed"), with: keys, context: "c")
        try SealedFile.open(folder("sealed"), to: folder("opened"), with: keys, context: "c")
        #expect(FileManager.default.contents(atPath: folder("opened")) == Data(content(count)))
        let sealed = try #require(FileManager.default.contents(atPath: folder("sealed")))
        #expect(try SealedBytes.open(Array(sealed), with: keys, context: "c") == content(count))
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names == ["opened", "plain", "sealed"])
    }

    @Test func aTruncatedFileOpensIntoNothing() throws {
        let folder = try TemporaryFolder()
        let keys = try keyring("k1")
        try Data(content(200_000)).write(to: URL(fileURLWithPath: folder("plain")))
        try SealedFile.seal(folder("plain"), to: folder("sealed"), with: keys)
        #expect(truncate(folder("sealed"), 10 + 2 + 24 + 2 * (65_536 + 17)) == 0)
        #expect(throws: SealingFailure.notAuthentic("'\(folder("sealed"))'")) {
            try SealedFile.open(folder("sealed"), to: folder("opened"), with: keys)
        }
        #expect(throws: SealingFailure.self) { try SealedFile.rewrap(folder("sealed"), with: try keyring("k2", "k1")) }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names == ["plain", "sealed"])
    }

    @Test func rewrapChangesTheKeyInPlace() throws {
        let folder = try TemporaryFolder()
        try Data(content(200_000)).write(to: URL(fileURLWithPath: folder("plain")))
        try SealedFile.seal(folder("plain"), to: folder("sealed"), with: try keyring("k1"))
        #expect(try SealedFile.rewrap(folder("sealed"), with: try keyring("k2", "k1")))
        #expect(try !SealedFile.rewrap(folder("sealed"), with: try keyring("k2", "k1")))
        try SealedFile.open(folder("sealed"), to: folder("opened"), with: try keyring("k2"))
        #expect(FileManager.default.contents(atPath: folder("opened")) == Data(content(200_000)))
    }

    @Test func missingFilesAreNamed() throws {
        let folder = try TemporaryFolder()
        let keys = try keyring("k1")
        #expect(throws: SealingFailure.file(path: folder("none"), reason: "No such file or directory")) {
            try SealedFile.open(folder("none"), to: folder("opened"), with: keys)
        }
    }
}
