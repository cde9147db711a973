import Basics

/// Bytes under names, without a look at whether the bytes are those they are named by.
///
/// It stands beneath `CachedObjectStore`, which names and checks, and beneath sealing, which changes what is stored.
public protocol BlobStore: Sendable {
    /// What tells failures and metrics of this store from those of others, such as `s3://bucket/prefix`.
    var place: String { get }

    /// Stores bytes under a name. Durable on return; a reader sees all of them or none.
    /// - Parameter replacing: false where a blob of this name and length may be left as it is.
    func put(_ source: BlobSource, as name: Digest, replacing: Bool) async throws

    /// - Throws: `StorageFailure.objectNotFound`.
    func get(_ name: Digest) async throws -> [UInt8]

    /// Writes a blob into an empty file of the caller's.
    /// - Throws: `StorageFailure.objectNotFound`.
    func get(_ name: Digest, into path: String) async throws

    /// The length of a blob in bytes.
    /// - Throws: `StorageFailure.objectNotFound`.
    func size(_ name: Digest) async throws -> Int64

    func contains(_ name: Digest) async throws -> Bool

    /// Removes a blob; removing one that is not there changes nothing.
    func delete(_ name: Digest) async throws

    /// The names of all blobs, in ascending order.
    func list() async throws -> [Digest]

    func check() async throws -> StoreReport

    func close() async
}

/// What is to be stored: bytes in memory, or a file that must not change until it is stored.
public enum BlobSource: Sendable {
    case bytes([UInt8])
    case file(String)
}
