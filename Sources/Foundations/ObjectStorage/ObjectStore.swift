import Basics

/// Immutable blobs named by the SHA-256 of their bytes.
///
/// Every method suspends while the store works and throws `StorageFailure`.
public protocol ObjectStore: Sendable {
    /// Stores bytes and returns their name. Storing the same bytes again changes nothing. Durable on return.
    func put(_ bytes: [UInt8]) async throws -> Digest

    /// Stores the content of a local file; the file stays where it is. Memory stays bounded, however long the file is.
    func put(file path: String) async throws -> Digest

    /// Begins an object that comes piece by piece. Memory stays bounded.
    func intake() async throws -> any ObjectIntake

    /// The bytes of an object piece by piece, checked against its name by the last. Memory stays bounded.
    /// - Throws: `StorageFailure.objectNotFound`.
    func reader(_ digest: Digest) async throws -> ObjectReader

    /// The bytes of an object, checked against its name.
    /// - Throws: `StorageFailure.objectNotFound`, or `.damaged` where the stored bytes are others.
    func get(_ digest: Digest) async throws -> [UInt8]

    /// A local file with the object's bytes, to be mapped or handed to a library. It must not be changed.
    /// - Throws: `StorageFailure.objectNotFound`, or `.damaged` where the stored bytes are others.
    func localPath(_ digest: Digest) async throws -> String

    func contains(_ digest: Digest) async throws -> Bool

    /// The length of an object in bytes.
    func size(_ digest: Digest) async throws -> Int64

    /// Removes an object; removing one that is not there changes nothing.
    func delete(_ digest: Digest) async throws

    /// The names of all objects, in ascending order.
    func list() async throws -> [Digest]

    /// Writes, reads and removes a probe, and tells what the store is and can do. Tries once, without patience.
    func check() async throws -> StoreReport

    /// Lets calls that run come to their end and refuses new ones with `StorageFailure.closed`.
    func close() async
}
