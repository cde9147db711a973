import Basics
import CSodium

/// Hashes that only who has the key can make (HMAC, RFC 2104).
public enum KeyedHash {
    /// HMAC-SHA256 of a message: 32 bytes.
    public static func sha256(_ message: [UInt8], key: Secret) -> [UInt8] {
        let bytes = Array(key.revealed.utf8)
        var state = crypto_auth_hmacsha256_state()
        var hash = [UInt8](repeating: 0, count: 32)
        crypto_auth_hmacsha256_init(&state, bytes, bytes.count)
        crypto_auth_hmacsha256_update(&state, message, UInt64(message.count))
        crypto_auth_hmacsha256_final(&state, &hash)
        return hash
    }
}
