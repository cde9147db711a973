import Foundation
import Synchronization

/// A file that lines are appended to, which can be moved away while it is written: by who rotates logs, or by itself when
/// it has grown.
final class LogFile: Sendable {
    private struct State {
        var descriptor: Int32
        var size: Int
    }

    private let path: String
    private let bytesMax: Int?
    private let state: Mutex<State>

    init(_ path: String, bytesMax: Int?) throws(TelemetryFailure) {
        self.path = path
        self.bytesMax = bytesMax.map { max(1, $0) }
        state = Mutex(try LogFile.open(path))
    }

    deinit { state.withLock { _ = close($0.descriptor) } }

    /// - Throws: `TelemetryFailure.logFile`; what was open stays open.
    func reopen() throws(TelemetryFailure) {
        let opened = try LogFile.open(path)
        let old = state.withLock { state in
            defer { state = opened }
            return state.descriptor
        }
        close(old)
    }

    func write(_ lines: [UInt8]) {
        let isFull = state.withLock { state in
            LogSink.writeAll(lines, to: state.descriptor)
            state.size += lines.count
            return bytesMax.map { state.size >= $0 } ?? false
        }
        guard isFull else { return }
        // Where it can not be moved or made again, the old one goes on.
        guard rename(path, "\(path).1") == 0 else { return }
        try? reopen()
    }

    private static func open(_ path: String) throws(TelemetryFailure) -> State {
        let descriptor = Foundation.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { throw .logFile(path, String(cString: strerror(errno))) }
        var facts = stat()
        let size = fstat(descriptor, &facts) == 0 ? Int(facts.st_size) : 0
        return State(descriptor: descriptor, size: size)
    }
}
