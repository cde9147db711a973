import Basics
import Foundation

/// One end of a socket to a worker, and the messages on it: lengths, a header in JSON, a body of bytes.
struct WorkerChannel: Sendable {
    /// Why nothing more can be said to a worker.
    enum Broken: Error {
        /// Nothing came, or nothing was taken, until the deadline.
        case late
        /// The other end is gone, or said what no worker says.
        case gone
    }

    /// Bytes of the longest header; a body may be of any size that memory takes.
    private static let headerMax = 16 << 20
    private static let bodyMax = 4 << 30

    let descriptor: Int32

    /// A channel and the worker's end of it.
    ///
    /// - Throws: ``InferenceError`` where the system gives no socket.
    static func pair() throws -> (ours: WorkerChannel, theirs: Int32) {
        var ends: [Int32] = [0, 0]
        let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else {
            throw InferenceError(
                .resourceExhausted, "no socket for a Python worker: \(String(cString: strerror(errno)))",
                remedy: "Raise the limit of open files")
        }
        return (WorkerChannel(descriptor: ends[0]), ends[1])
    }

    /// - Parameter deadline: on the clock of ``SystemTime/monotonicNanoseconds``.
    func send(_ header: [UInt8], _ body: [Tensor], deadline: UInt64) throws {
        let count = body.reduce(0) { $0 + $1.byteCount }
        var prefix = withUnsafeBytes(of: UInt32(truncatingIfNeeded: header.count).littleEndian, Array.init)
        withUnsafeBytes(of: UInt64(count).littleEndian) { prefix.append(contentsOf: $0) }
        prefix.append(contentsOf: header)
        try prefix.withUnsafeBytes { try write($0, deadline) }
        for tensor in body { try tensor.withBytes { try write($0, deadline) } }
    }

    func receive(deadline: UInt64) throws -> (header: [UInt8], body: TensorStorage) {
        let (header, body) = withExtendedLifetime(try storage(12, deadline)) { lengths in
            (
                Int(UInt32(littleEndian: lengths.bytes.loadUnaligned(as: UInt32.self))),
                UInt64(littleEndian: lengths.bytes.loadUnaligned(fromByteOffset: 4, as: UInt64.self))
            )
        }
        guard header <= Self.headerMax, body <= UInt64(Self.bodyMax) else { throw Broken.gone }
        let text = withExtendedLifetime(try storage(header, deadline)) { Array($0.bytes) }
        return (text, try storage(Int(body), deadline))
    }

    private func storage(_ count: Int, _ deadline: UInt64) throws -> TensorStorage {
        try TensorStorage(count: count) { memory in
            var rest = memory[...]
            while !rest.isEmpty {
                let part = UnsafeMutableRawBufferPointer(rebasing: rest)
                let got = try ready(POLLIN, deadline) {
                    recv(descriptor, part.baseAddress, part.count, Int32(MSG_DONTWAIT))
                }
                guard got > 0 else { throw Broken.gone }
                rest = rest.dropFirst(got)
            }
        }
    }

    private func write(_ bytes: UnsafeRawBufferPointer, _ deadline: UInt64) throws {
        let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest)
            rest = rest.dropFirst(
                try ready(POLLOUT, deadline) { Glibc.send(descriptor, part.baseAddress, part.count, flags) })
        }
    }

    /// Waits until the socket is ready for `call`, and makes it until it neither has to wait nor was interrupted.
    private func ready(_ events: Int32, _ deadline: UInt64, _ call: () -> Int) throws -> Int {
        while true {
            let now = SystemTime.monotonicNanoseconds
            guard now < deadline else { throw Broken.late }
            var wanted = pollfd(fd: descriptor, events: Int16(truncatingIfNeeded: events), revents: 0)
            let wait = Int32(clamping: (deadline - now) / 1_000_000 + 1)
            guard poll(&wanted, 1, wait) > 0 else { continue }
            let done = call()
            if done >= 0 { return done }
            guard errno == EAGAIN || errno == EINTR else { throw Broken.gone }
        }
    }
}
