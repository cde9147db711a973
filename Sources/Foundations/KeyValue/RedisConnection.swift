import Basics
import CRedis
import Foundation

/// What the connections of one store share for TLS.
final class RedisTLS: @unchecked Sendable {
    // OpenSSL's context may be used by any thread once it is set up.
    let pointer: OpaquePointer

    /// - Throws: `KeyValueFailure.misconfigured`.
    init(_ settings: RedisSettings) throws {
        var reason = [CChar](repeating: 0, count: 320)
        guard
            let made = mw_redis_tls_new(
                settings.authorities, settings.certificate, settings.clientKey?.revealed, &reason, reason.count)
        else {
            let text = String(decoding: reason.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            throw KeyValueFailure.misconfigured(store: settings.name, reason: text)
        }
        pointer = made
    }

    deinit { mw_redis_tls_free(pointer) }
}

/// A call on a connection that did not end well: the connection is of no more use.
struct RedisBroken: Error {
    let code: Int32
    let reason: String

    /// Whether the other side went away, as it does when a server is restarted.
    var isLost: Bool { code == MW_REDIS_CLOSED || code == MW_REDIS_IO }

    func failure(_ settings: RedisSettings, _ address: RedisAddress, milliseconds: Int) -> KeyValueFailure {
        switch Int(code) {
        case MW_REDIS_TIMEOUT: .timedOut(store: settings.name, milliseconds: milliseconds)
        case MW_REDIS_TOO_LARGE: .replyTooLarge(store: settings.name, limitBytes: settings.replyLimitBytes)
        default: .unreachable(store: settings.name, reason: "\(address): \(reason)")
        }
    }
}

/// A connection to one server: commands are added, sent together, and answered in order.
///
/// It is used by one thread at a time; its pool hands it on.
final class RedisConnection: @unchecked Sendable {
    private let pointer: OpaquePointer
    let address: RedisAddress
    /// Whether it has answered before, and so may have been closed since.
    var isReused = false
    private var expected = 0

    /// Connects and says who we are.
    /// - Throws: `RedisBroken`, or `KeyValueFailure.refused` where the server does not let us in.
    init(_ address: RedisAddress, _ settings: RedisSettings, tls: RedisTLS?, deadline: UInt64) throws {
        guard let made = mw_redis_new(settings.replyLimitBytes) else {
            throw RedisBroken(code: Int32(MW_REDIS_MEMORY), reason: "out of memory")
        }
        pointer = made
        self.address = address
        try check(mw_redis_open(pointer, address.host, Int32(clamping: address.port), tls?.pointer, deadline))
        var expected: [String] = []
        func say(_ words: String...) throws {
            try add(words)
            expected.append(words[0])
        }
        if let password = settings.password {
            if let user = settings.user {
                try say("AUTH", user, password.revealed)
            } else {
                try say("AUTH", password.revealed)
            }
        }
        if settings.database != 0 { try say("SELECT", String(settings.database)) }
        try say("CLIENT", "SETNAME", "modelworks")
        try send(deadline)
        for command in expected {
            guard let error = try next(deadline).error else { continue }
            // The name is for people who look at the server; it may be refused.
            if command == "CLIENT", !error.hasPrefix("NOAUTH") { continue }
            switch RedisErrorReply(error, store: settings.name, from: address.host) {
            case .failure(.engine(_, _, let reason)):
                throw KeyValueFailure.misconfigured(store: settings.name, reason: reason)
            case .failure(let failure): throw failure
            case .passing(let reason): throw KeyValueFailure.busy(store: settings.name, reason: reason)
            case .moved, .ask: throw KeyValueFailure.busy(store: settings.name, reason: error)
            }
        }
    }

    deinit { mw_redis_free(pointer) }

    /// Bytes added and not sent yet.
    var pending: Int { mw_redis_pending(pointer) }

    /// Whether every command was sent and answered.
    var isAtRest: Bool { expected == 0 && pending == 0 }

    /// Starts a command of `count` words, which must follow.
    func begin(_ count: Int) throws {
        expected += 1
        try check(mw_redis_begin(pointer, count))
    }

    func word(_ text: StaticString) throws {
        try check(mw_redis_word(pointer, text.utf8Start, text.utf8CodeUnitCount, nil, 0))
    }

    /// One word, made of two parts.
    func word(_ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer) throws {
        try check(mw_redis_word(pointer, first.baseAddress, first.count, second.baseAddress, second.count))
    }

    func word(_ bytes: [UInt8]) throws {
        try check(bytes.withUnsafeBytes { mw_redis_word(pointer, $0.baseAddress, $0.count, nil, 0) })
    }

    /// Adds a whole command.
    func add(_ words: [String]) throws {
        try begin(words.count)
        for word in words { try self.word(Array(word.utf8)) }
    }

    /// Sends what was added.
    func send(_ deadline: UInt64) throws { try check(mw_redis_flush(pointer, deadline)) }

    /// The next reply in order; what the last one held is gone.
    func next(_ deadline: UInt64) throws -> RedisReply {
        var reply: UnsafePointer<mw_redis_reply>?
        try check(mw_redis_next(pointer, deadline, &reply))
        guard let reply else { throw RedisBroken(code: Int32(MW_REDIS_PROTOCOL), reason: "no reply") }
        expected -= 1
        return RedisReply(reply)
    }

    private func check(_ code: Int32) throws {
        guard code != MW_REDIS_OK else { return }
        throw RedisBroken(code: code, reason: String(cString: mw_redis_problem(pointer)))
    }
}
