import CRedis
import Foundation

/// A reply of the server; its memory is the connection's and valid until the next reply is asked for.
struct RedisReply {
    private let pointer: UnsafePointer<mw_redis_reply>

    init(_ pointer: UnsafePointer<mw_redis_reply>) { self.pointer = pointer }

    private var kind: Int { Int(pointer.pointee.type) }

    var isNil: Bool { kind == MW_REDIS_NIL }

    /// The bytes of a string; nil for any other kind of reply.
    var bytes: UnsafeRawBufferPointer? {
        kind == MW_REDIS_STRING
            ? UnsafeRawBufferPointer(start: pointer.pointee.bytes, count: pointer.pointee.count) : nil
    }

    var integer: Int? { kind == MW_REDIS_INTEGER ? Int(clamping: pointer.pointee.integer) : nil }

    /// A string or a status as text.
    var text: String? {
        guard kind == MW_REDIS_STRING || kind == MW_REDIS_STATUS else { return nil }
        return raw
    }

    /// The text of an error.
    var error: String? { kind == MW_REDIS_ERROR ? raw : nil }

    var isArray: Bool { kind == MW_REDIS_ARRAY }

    /// Elements of an array; 0 for any other kind of reply.
    var count: Int { isArray ? pointer.pointee.count : 0 }

    /// An element of an array, nil outside of it.
    subscript(index: Int) -> RedisReply? {
        guard index >= 0, index < count, let element = pointer.pointee.elements?[index] else { return nil }
        return RedisReply(element)
    }

    private var raw: String {
        String(
            decoding: UnsafeRawBufferPointer(start: pointer.pointee.bytes, count: pointer.pointee.count), as: UTF8.self)
    }
}

/// What an error reply asks of us.
enum RedisErrorReply {
    /// The slot belongs to another node from now on.
    case moved(slot: Int, RedisAddress)
    /// This key may be found at another node, this time only.
    case ask(RedisAddress)
    /// Passing: the same command may work in a moment.
    case passing(String)
    case failure(KeyValueFailure)

    /// - Parameters:
    ///   - reply: the reply without its minus sign.
    ///   - host: of the node that sent it, for redirections that name only a port.
    init(_ reply: String, store: String, from host: String) {
        let text = Self.withoutScript(reply)
        let words = text.split(separator: " ", maxSplits: 2)
        switch words.first ?? "" {
        case "MOVED" where words.count == 3, "ASK" where words.count == 3:
            let target = words[2].hasPrefix(":") ? Substring(host) + words[2] : words[2]
            guard let slot = Int(words[1]), let address = RedisAddress(target, defaultPort: 6379) else { fallthrough }
            self = words[0] == "ASK" ? .ask(address) : .moved(slot: slot, address)
        case "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "BUSY", "READONLY", "UNBLOCKED",
            "NOSCRIPT":
            self = .passing(text)
        case "OOM": self = .failure(.memoryFull(store: store))
        case "NOAUTH", "WRONGPASS", "NOPERM", "DENIED":
            self = .failure(.refused(store: store, reason: text))
        case "MISCONF", "NOREPLICAS": self = .failure(.denied(path: store, reason: text))
        default:
            self =
                text.hasPrefix("ERR AUTH") || text.hasPrefix("ERR invalid password")
                ? .failure(.refused(store: store, reason: text))
                : .failure(.engine(path: store, action: "a command", reason: text))
        }
    }

    /// The error of a command inside a script, which servers before 7.0 put behind words of their own.
    private static func withoutScript(_ reply: String) -> String {
        guard reply.hasPrefix("ERR Error running script"), let start = reply.range(of: ": -") else { return reply }
        return String(reply[start.upperBound...])
    }

    /// What to tell a caller for whom nothing is tried again.
    func failure(_ store: String) -> KeyValueFailure {
        switch self {
        case .failure(let failure): failure
        case .passing(let reason): .busy(store: store, reason: reason)
        case .moved(_, let address), .ask(let address):
            .misconfigured(
                store: store, reason: "it is a node of a cluster and sends us to \(address); use redis+cluster://")
        }
    }
}
