import Basics

/// Puts fields one behind the other so that no two different sequences of fields give the same bytes: numbers as 8 bytes,
/// most significant first; texts as their length in bytes, then their UTF-8. The memory is used again.
struct FieldEncoding {
    private(set) var bytes: [UInt8] = []

    mutating func start(_ form: StaticString) {
        bytes.removeAll(keepingCapacity: true)
        form.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ number: Int64) {
        withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
    }

    mutating func append(_ text: String) {
        append(Int64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    /// The hash of an entry, as `JournalEntry.hash` states it.
    mutating func entry(
        sequence: Int64, time: Int64, principal: String, type: String, subject: String, body: String,
        previousHash: String
    ) -> Digest {
        start("modelworks.journal.1")
        append(sequence)
        append(time)
        append(principal)
        append(type)
        append(subject)
        append(body)
        append(previousHash)
        return Digest(of: bytes)
    }
}
