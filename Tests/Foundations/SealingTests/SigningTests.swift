import Basics
import Foundation
import TestSupport
import Testing

@testable import Sealing

private func bytes(_ hex: String) -> [UInt8] {
    stride(from: 0, to: hex.utf8.count, by: 2).compactMap { offset in
        let start = hex.index(hex.startIndex, offsetBy: offset)
        return UInt8(hex[start..<hex.index(start, offsetBy: 2)], radix: 16)
    }
}

@Suite struct SigningTests {
    /// RFC 8032, section 7.1, tests 1 to 3: seed, public key, message, signature.
    @Test(arguments: [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46b"
                + "d25bf5f0595bbe24655141438e7a100b"
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c"
                + "387b2eaeb4302aeeb00d291612bb0c00"
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc659"
                + "4a7c15e9716ed28dc027beceea1ec40a"
        ),
    ])
    func theVectorsOfTheStandardHold(seed: String, key: String, message: String, signature: String) throws {
        let signer = try SigningKey(seed: bytes(seed))
        #expect(signer.verifyingKey.bytes == bytes(key))
        #expect(signer.sign(bytes(message)) == bytes(signature))
        let verifier = try VerifyingKey(bytes(key))
        #expect(verifier.isValid(bytes(signature), for: bytes(message)))
        #expect(!verifier.isValid(bytes(signature), for: bytes(message) + [0]))
        #expect(!verifier.isValid(Array(bytes(signature).dropLast()), for: bytes(message)))
        for index in 0..<64 {
            var changed = bytes(signature)
            changed[index] ^= 0x10
            #expect(!verifier.isValid(changed, for: bytes(message)))
        }
    }

    @Test func theIdIsOfTheSHA256OfTheKey() throws {
        let signer = try SigningKey(seed: bytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
        #expect(signer.id == "21fe31dfa154a261")
    }

    @Test func pointsThatAreNoKeysAreRefused() {
        #expect(throws: SealingFailure.self) { try VerifyingKey([UInt8](repeating: 0, count: 32)) }
        #expect(throws: SealingFailure.self) { try VerifyingKey([1]) }
    }

    @Test func keysCanNotBePrinted() throws {
        let key = try SigningKey(seed: [UInt8](repeating: 65, count: 32))
        var text = "\(key)"
        dump(key, to: &text)
        #expect(!text.contains("AAAA") && !text.contains("QUFB") && !text.contains("65"))
    }

    @Test func aKeyFileIsMadeOnceWithMode600AndAPublicHalfBesideIt() throws {
        let folder = try TemporaryFolder()
        let path = folder("journal.ed25519")
        let first = try SigningKeyring.opened(atFile: path)
        #expect(try SigningKeyring.opened(atFile: path).signer?.id == first.signer?.id)
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber
        #expect(mode?.intValue == 0o600)
        let auditor = try SigningKeyring(file: "\(path).pub")
        #expect(auditor.signer == nil)
        let signer = try #require(first.signer)
        let key = try #require(auditor[signer.id])
        #expect(key.isValid(signer.sign([1, 2, 3]), for: [1, 2, 3]))
        chmod(path, 0o644)
        #expect(throws: SealingFailure.exposed(path: path, mode: 0o644)) { try SigningKeyring.opened(atFile: path) }
        #expect(throws: SealingFailure.exposed(path: path, mode: 0o644)) { try SigningKeyring(file: path) }
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(names == ["journal.ed25519", "journal.ed25519.pub"])
    }

    @Test func manyThatMakeTheSameKeyFileAgree() async throws {
        let folder = try TemporaryFolder()
        let ids = try await withThrowingTaskGroup(of: String.self) { group in
            for index in 0..<8 {
                group.addTask {
                    try await BlockingThread(name: "key-\(index)").run {
                        try SigningKeyring.opened(atFile: folder("key")).signer?.id ?? ""
                    }
                }
            }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(ids.count == 1)
    }

    @Test func theFirstPrivateKeySignsAndOlderOnesVerify() throws {
        let old = try SigningKey(seed: [UInt8](repeating: 1, count: 32))
        let new = try SigningKey(seed: [UInt8](repeating: 2, count: 32))
        let text = "# since autumn\n\(new.line.revealed)\n\n\(old.verifyingKey)\n"
        let keyring = try SigningKeyring(Secret(text), origin: "a test")
        #expect(keyring.signer?.id == new.id)
        #expect(keyring[old.id] == old.verifyingKey)
        #expect(keyring["0000000000000000"] == nil)
        #expect(keyring.verifyingKeys.count == 2)
    }

    @Test(arguments: ["", "x", "modelworks-ed25519-secret AAAA", "modelworks-ed25519-public AAAA", "rsa AAAA", "a b c"])
    func keyTextsThatAreNoneAreRefused(text: String) {
        #expect(throws: SealingFailure.self) { try SigningKeyring(Secret(text), origin: "a test") }
    }
}
