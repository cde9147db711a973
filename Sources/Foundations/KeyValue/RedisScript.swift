import CRedis

/// A script that a server runs as one step: nothing else happens between what it reads and what it writes.
///
/// Bytes are compared one by one, because `<` of two strings asks the server's locale.
struct RedisScript: Sendable {
    private let text: [UInt8]
    /// What the server knows it by: SHA-1 of the text, in hexadecimal.
    let digest: [UInt8]

    init(_ text: String) {
        self.text = Array(text.utf8)
        var digest = [CChar](repeating: 0, count: 41)
        self.text.withUnsafeBytes { mw_redis_sha1($0.baseAddress, $0.count, &digest) }
        self.digest = digest.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    }

    /// Adds the start of its call; `keys` words and then `arguments` words must follow.
    /// - Parameter isKnown: send the digest in place of the text; a server that does not know it answers NOSCRIPT.
    func begin(on connection: RedisConnection, keys: Int, arguments: Int, isKnown: Bool) throws {
        try connection.begin(3 + keys + arguments)
        try connection.word(isKnown ? "EVALSHA" : "EVAL")
        try connection.word(isKnown ? digest : text)
        try connection.word(Array(String(keys).utf8))
    }

    /// Sets each key whose stored value has no larger stamp, and returns how many.
    ///
    /// ARGV: `1` where an equal stamp is replaced, the values, then nothing or the expiries of all keys (`0`: never).
    static let putNewer = RedisScript(
        """
        local byte, call, put, n = string.byte, redis.call, 0, #KEYS
        local equal, dated = ARGV[1] == '1', #ARGV > n + 1
        for i = 1, n do
          local key, value, wins = KEYS[i], ARGV[i + 1], true
          local old = call('GETRANGE', key, '0', '15')
          if #old == 16 then
            local j, a, b = 1, byte(old, 1), byte(value, 1)
            while a == b and j < 16 do
              j = j + 1
              a, b = byte(old, j), byte(value, j)
            end
            if a == b then wins = equal else wins = a < b end
          end
          if wins then
            put = put + 1
            if dated and ARGV[i + n + 1] ~= '0' then
              call('SET', key, value)
              call('PEXPIREAT', key, ARGV[i + n + 1])
            else
              call('SET', key, value)
            end
          end
        end
        return put
        """)

    /// Deletes each key whose value has a smaller stamp than ARGV[1], and returns how many.
    static let deleteOlder = RedisScript(
        """
        local byte, call, gone, stamp = string.byte, redis.call, 0, ARGV[1]
        for i = 1, #KEYS do
          local old = call('GETRANGE', KEYS[i], '0', '15')
          if #old == 16 and old ~= stamp then
            local j = 1
            while byte(old, j) == byte(stamp, j) do j = j + 1 end
            if byte(old, j) < byte(stamp, j) then gone = gone + call('UNLINK', KEYS[i]) end
          end
        end
        return gone
        """)
}
