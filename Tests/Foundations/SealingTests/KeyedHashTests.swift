import Basics
import Testing

@testable import Sealing

@Suite struct KeyedHashTests {
    /// Test case 2 of RFC 4231.
    @Test func itIsTheHashOfTheStandard() {
        func hex(_ bytes: [UInt8]) -> String {
            bytes.map { byte in
                let text = String(byte, radix: 16)
                return text.count == 1 ? "0\(text)" : text
            }.joined()
        }
        #expect(
            hex(KeyedHash.sha256(Array("what do ya want for nothing?".utf8), key: Secret("Jefe")))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
        #expect(KeyedHash.sha256([], key: Secret("")).count == 32)
    }
}
