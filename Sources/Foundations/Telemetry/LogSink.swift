import Foundation
import Synchronization

/// Where log lines go. Lines are gathered in memory and written by a thread of the sink's own, so that a slow disk or
/// terminal never holds up a request; when `capacity` bytes wait unwritten, further lines are dropped and counted.
public final class LogSink: Sendable {
    private struct State {
        var waiting: [UInt8] = []
        var dropped = 0
        var scheduled = false
    }

    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "modelworks.log")
    private let capacity: Int
    private let write: @Sendable ([UInt8]) -> Void

    /// - Parameters:
    ///   - capacity: how many bytes may wait, 4 MiB where nothing else is said.
    ///   - write: takes whole lines, called by one thread at a time.
    public init(capacity: Int = 4 << 20, write: @escaping @Sendable ([UInt8]) -> Void) {
        self.capacity = capacity
        self.write = write
    }

    /// Writes to the standard error of the process.
    public static func standardError() -> LogSink {
        LogSink { LogSink.writeAll($0, to: 2) }
    }

    /// Appends to a file, which is made where there is none.
    /// - Throws: `TelemetryFailure.logFile` when it can not be opened for writing.
    public static func file(_ path: String) throws(TelemetryFailure) -> LogSink {
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw .logFile(path, String(cString: strerror(errno))) }
        let file = OwnedDescriptor(descriptor)
        return LogSink { LogSink.writeAll($0, to: file.descriptor) }
    }

    /// Drops everything: for tests and for commands that print their own results.
    public static func none() -> LogSink { LogSink { _ in } }

    /// How many lines were dropped so far because the writer could not keep up.
    public var droppedLines: Int { state.withLock { $0.dropped } }

    /// Adds one whole line.
    func append(_ line: [UInt8]) {
        let start = state.withLock { state -> Bool in
            guard state.waiting.count + line.count <= capacity else {
                state.dropped += 1
                return false
            }
            state.waiting.append(contentsOf: line)
            guard !state.scheduled else { return false }
            state.scheduled = true
            return true
        }
        if start { queue.async { self.drain() } }
    }

    /// Returns when everything that was logged before the call has been written.
    public func flush() { queue.sync { drain() } }

    private func drain() {
        while true {
            let lines = state.withLock { state -> [UInt8] in
                let lines = state.waiting
                state.waiting = []
                if lines.isEmpty { state.scheduled = false }
                return lines
            }
            guard !lines.isEmpty else { return }
            write(lines)
        }
    }

    static func writeAll(_ bytes: [UInt8], to descriptor: Int32) {
        bytes.withUnsafeBytes { raw in
            var rest = raw[...]
            while !rest.isEmpty {
                let count = writeOnce(descriptor, UnsafeRawBufferPointer(rebasing: rest))
                if count < 0, errno == EINTR { continue }
                // A full disk must not stop the work the log tells of.
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }
    }

    private static func writeOnce(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
        Foundation.write(descriptor, bytes.baseAddress, bytes.count)
    }
}

private final class OwnedDescriptor: Sendable {
    let descriptor: Int32

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }
}
