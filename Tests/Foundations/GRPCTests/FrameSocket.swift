import Basics
import CNghttp2
import Foundation

/// A client that sends exactly the frames it is told to (RFC 9113), for what no client library would send.
final class FrameSocket: @unchecked Sendable {
    struct Broken: Error {}

    struct Frame: Equatable {
        var type: UInt8
        var flags: UInt8
        var stream: UInt32
        var payload: [UInt8]
        var fields: [String: String] = [:]

        var isEnd: Bool { flags & 1 != 0 }
    }

    enum Kind {
        static let (data, headers, priority, reset, settings): (UInt8, UInt8, UInt8, UInt8, UInt8) = (0, 1, 2, 3, 4)
        static let (ping, goaway, window, continuation): (UInt8, UInt8, UInt8, UInt8) = (6, 7, 8, 9)
    }

    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    private let inflater: OpaquePointer?
    private let descriptor: Int32
    private let thread = BlockingThread(name: "frame-socket")
    private var unread: [UInt8] = []

    init(port: Int, greets: Bool = true) throws {
        var made: OpaquePointer?
        nghttp2_hd_inflate_new(&made)
        inflater = made
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Broken() }
        if greets { send(FrameSocket.preface + FrameSocket.frame(Kind.settings)) }
    }

    deinit {
        close(descriptor)
        nghttp2_hd_inflate_del(inflater)
    }

    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Sends off the cooperative pool, for what may block.
    func sendAll(_ bytes: [UInt8]) async throws -> Bool { try await thread.run { self.send(bytes) } }

    /// The next frame; nil at the end of the connection.
    func next(seconds: Double = 10) async throws -> Frame? {
        try await thread.run {
            guard let head = try self.take(9, seconds) else { return nil }
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            let stream = head[5...8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
            guard let payload = try self.take(length, seconds) else { return nil }
            let fields = head[3] == Kind.headers ? self.inflate(payload) : [:]
            return Frame(type: head[3], flags: head[4], stream: stream, payload: payload, fields: fields)
        }
    }

    /// Everything until the connection ends.
    func rest(seconds: Double = 10) async throws -> [Frame] {
        var frames: [Frame] = []
        while let frame = try await next(seconds: seconds) { frames.append(frame) }
        return frames
    }

    /// Frames up to and with the one looked for.
    func until(seconds: Double = 10, _ wanted: (Frame) -> Bool) async throws -> [Frame] {
        var frames: [Frame] = []
        while let frame = try await next(seconds: seconds) {
            frames.append(frame)
            if wanted(frame) { return frames }
        }
        throw Broken()
    }

    private func take(_ count: Int, _ seconds: Double) throws -> [UInt8]? {
        while unread.count < count {
            var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&entry, 1, Int32(seconds * 1000)) > 0 else { throw Broken() }
            var bytes = [UInt8](repeating: 0, count: 65536)
            let received = recv(descriptor, &bytes, bytes.count, 0)
            guard received > 0 else { return nil }
            unread += bytes.prefix(received)
        }
        defer { unread.removeFirst(count) }
        return Array(unread.prefix(count))
    }

    // MARK: Frames

    static func frame(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
        let size = payload.count
        return [UInt8(size >> 16 & 255), UInt8(size >> 8 & 255), UInt8(size & 255), type, flags]
            + big(stream) + payload
    }

    static func big(_ number: UInt32) -> [UInt8] { (0..<4).map { UInt8(number >> (24 - 8 * $0) & 255) } }

    /// Fields as literals that are neither compressed nor kept (RFC 7541, 6.2.2).
    static func fields(_ list: [(String, String)]) -> [UInt8] {
        list.flatMap { name, value in [0] + text(name) + text(value) }
    }

    private static func text(_ text: String) -> [UInt8] {
        var length = text.utf8.count
        var bytes: [UInt8] = []
        if length < 127 {
            bytes = [UInt8(length)]
        } else {
            bytes = [127]
            length -= 127
            while length >= 128 {
                bytes.append(UInt8(length & 127 | 128))
                length >>= 7
            }
            bytes.append(UInt8(length))
        }
        return bytes + Array(text.utf8)
    }

    static func request(
        _ path: String, type: String = "application/grpc", method: String = "POST", _ more: [(String, String)] = []
    ) -> [UInt8] {
        fields(
            [(":method", method), (":scheme", "http"), (":path", path), (":authority", "test"), ("te", "trailers")]
                + (type.isEmpty ? [] : [("content-type", type)]) + more)
    }

    /// A message as gRPC frames it.
    static func message(_ bytes: [UInt8], compressed: UInt8 = 0, length: Int? = nil) -> [UInt8] {
        [compressed] + big(UInt32(length ?? bytes.count)) + bytes
    }

    /// A whole unary call.
    static func call(_ path: String, stream: UInt32, _ bytes: [UInt8], _ more: [(String, String)] = []) -> [UInt8] {
        frame(Kind.headers, flags: 4, stream: stream, request(path, more))
            + frame(Kind.data, flags: 1, stream: stream, message(bytes))
    }

    private func inflate(_ block: [UInt8]) -> [String: String] {
        var fields: [String: String] = [:]
        block.withUnsafeBufferPointer { block in
            var position = 0
            while true {
                var pair = nghttp2_nv()
                var flags: Int32 = 0
                let used = nghttp2_hd_inflate_hd2(
                    inflater, &pair, &flags, block.baseAddress?.advanced(by: position), block.count - position, 1)
                guard used >= 0 else { return }
                position += used
                if flags & Int32(NGHTTP2_HD_INFLATE_EMIT.rawValue) != 0 {
                    let name = UnsafeBufferPointer(start: pair.name, count: pair.namelen)
                    let value = UnsafeBufferPointer(start: pair.value, count: pair.valuelen)
                    fields[String(decoding: name, as: UTF8.self)] = String(decoding: value, as: UTF8.self)
                }
                if flags & Int32(NGHTTP2_HD_INFLATE_FINAL.rawValue) != 0 { break }
            }
            nghttp2_hd_inflate_end_headers(inflater)
        }
        return fields
    }

    /// What an answer says of itself: its fields and its trailers.
    static func texts(_ frames: [Frame]) -> String { frames.map { "\($0.fields)" }.joined(separator: " ") }

    static func hasStatus(_ frames: [Frame], _ status: String) -> Bool {
        frames.contains { $0.fields[":status"] == status }
    }
}
