/// Turns bytes into a form that tells nothing without a key, and back.
///
/// Calls may block and must not hold more than a bounded part of a file in memory. `open` throws a `Failure` with the
/// code `DATA_LOSS` where the bytes were changed, cut or sealed with another key.
public protocol Sealer: Sendable {
    func seal(_ bytes: [UInt8]) throws -> [UInt8]

    func open(_ bytes: [UInt8]) throws -> [UInt8]

    /// Seals the content of one file into another, which is there and empty.
    func seal(file source: String, into target: String) throws

    /// Opens the content of one file into another, which is there and empty.
    func open(file source: String, into target: String) throws

    /// How many bytes come out of a sealed form of this length; nil where only opening it can tell.
    func openedSize(ofSealed bytes: Int64) -> Int64?
}
