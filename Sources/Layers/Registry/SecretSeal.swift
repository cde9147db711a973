import Basics
import Sealing

/// Keeps the secrets of webhooks from who reads the database, or a copy of it.
struct SecretSeal: Sendable {
    let keyring: SealingKeyring

    /// The text that is stored; another one at every call.
    /// - Parameter webhook: its id, without which it can not be opened.
    func close(_ secret: Secret, of webhook: String) throws -> String {
        Base64.text(try SealedBytes.seal(Array(secret.revealed.utf8), with: keyring, context: Self.context(webhook)))
    }

    /// - Throws: `SealingFailure` where it was sealed with a key that is not there, or is no sealed text.
    func open(_ text: String, of webhook: String) throws -> Secret {
        let bytes = try SealedBytes.open(
            Base64.bytes(text) ?? [], with: keyring, context: Self.context(webhook),
            what: "the secret of the webhook \(webhook)")
        return Secret(String(decoding: bytes, as: UTF8.self))
    }

    /// Whether a stored text is a sealed one, by whatever key.
    func isSealed(_ text: String) -> Bool { Base64.bytes(text).map { SealedBytes.isSealed($0) } ?? false }

    private static func context(_ webhook: String) -> String { "webhook/\(webhook)" }
}
