import Basics

/// Small named documents that can be replaced only by who knows what they replace: pointers outside SQL, such as the
/// anchor of the journal.
///
/// Every method suspends while the store works and throws `StorageFailure`.
public protocol DocumentStore: Sendable {
    /// A document as it is now, or nil where there is none.
    func get(_ name: String) async throws -> Document?

    /// Stores a document. Durable on return.
    /// - Parameters:
    ///   - name: parts of letters, digits, `-`, `_` and `.` between slashes, at most 200 characters.
    ///   - bytes: at most 1 MiB.
    /// - Returns: the tag of what was stored.
    /// - Throws: `StorageFailure.conflict` where the condition does not hold; the document is then as it was.
    func put(_ name: String, _ bytes: [UInt8], when condition: DocumentCondition) async throws -> String

    func check() async throws -> StoreReport

    func close() async
}

/// The content of a document and the tag that tells it from others of its name.
public struct Document: Sendable, Hashable {
    public let bytes: [UInt8]
    /// Opaque; to be given to `DocumentCondition.matches`.
    public let tag: String
}

/// What must hold for a document to be stored.
public enum DocumentCondition: Sendable, Hashable {
    case always
    /// There is no document of this name.
    case absent
    /// The document is still the one with this tag.
    case matches(String)
}

/// What document stores have in common.
enum DocumentRules {
    static let bytesMax = 1 << 20

    /// - Throws: `StorageFailure.documentName`, `.recordTooLarge`.
    static func check(_ name: String, _ bytes: [UInt8] = []) throws {
        let parts = name.split(separator: "/", omittingEmptySubsequences: false)
        let isName = { (part: Substring) in
            !part.isEmpty && !part.hasPrefix(".")
                && part.utf8.allSatisfy { byte in
                    [45, 46, 95].contains(byte) || (48...57).contains(byte) || (65...90).contains(byte)
                        || (97...122).contains(byte)
                }
        }
        guard name.utf8.count <= 200, parts.allSatisfy(isName) else { throw StorageFailure.documentName(name) }
        guard bytes.count <= bytesMax else { throw StorageFailure.recordTooLarge(bytes: bytes.count, limit: bytesMax) }
    }
}
