import Basics
import Foundation

/// One line for each request, written off the hot path: lines that the disk does not take in time are dropped and counted.
public final class AccessLog: RequestObserver {
    /// How a line looks.
    public enum Format: String, Sendable, CaseIterable {
        /// An object of JSON.
        case json
        /// The combined format of Apache's and nginx's logs.
        case combined
    }

    private let sink: LogSink
    private let file: LogFile?
    private let format: Format
    private let time: any TimeSource

    /// - Parameters:
    ///   - path: a file, or `-` for the standard output.
    ///   - bytesMax: a file that has grown to so many is moved to `PATH.1`; nil for any size.
    /// - Throws: `TelemetryFailure.logFile` where the file can not be opened for writing.
    public init(path: String, format: Format = .json, bytesMax: Int? = nil, time: any TimeSource)
        throws(TelemetryFailure)
    {
        let file = path == "-" ? nil : try LogFile(path, bytesMax: bytesMax)
        self.file = file
        sink = file.map { file in LogSink { file.write($0) } } ?? LogSink { LogSink.writeAll($0, to: 1) }
        self.format = format
        self.time = time
    }

    /// For tests: where the lines go.
    init(sink: LogSink, format: Format, time: any TimeSource) {
        self.sink = sink
        file = nil
        self.format = format
        self.time = time
    }

    public func ended(_ record: RequestRecord) {
        switch format {
        case .json: sink.append(json(record))
        case .combined: sink.append(combined(record))
        }
    }

    /// How many lines were dropped so far.
    public var dropped: Int { sink.droppedLines }

    /// Opens the file anew, after it was moved away.
    /// - Throws: `TelemetryFailure.logFile`; what was open stays open.
    public func reopen() throws(TelemetryFailure) { try file?.reopen() }

    /// Returns when all lines so far have been written.
    public func flush() { sink.flush() }

    private func json(_ record: RequestRecord) -> [UInt8] {
        var line = LogLine()
        line.add("time", time.now.description)
        line.add("request_id", record.requestID)
        line.add("remote", record.remote)
        line.add("scheme", record.scheme)
        line.add("method", record.method)
        line.add("path", record.path)
        line.add("status", .integer(Int64(record.status)))
        if let bytes = record.bytes { line.add("bytes", .integer(Int64(bytes))) }
        line.add("microseconds", .integer(Int64(clamping: record.nanoseconds / 1000)))
        if let principal = record.principal { line.add("principal", principal) }
        if let agent = record.agent { line.add("agent", agent) }
        if let trace = record.trace { line.add("trace", trace) }
        return line.finish()
    }

    /// `%h - %u [%t] "%r" %>s %b "-" "%{User-Agent}i"`.
    private func combined(_ record: RequestRecord) -> [UInt8] {
        let moment = AccessLog.clock(time.now)
        let bytes = record.bytes.map(String.init) ?? "-"
        let text =
            "\(AccessLog.plain(record.remote)) - \(AccessLog.plain(record.principal ?? "-")) [\(moment)]"
            + " \"\(AccessLog.plain(record.method)) \(AccessLog.plain(record.path)) \(record.scheme)\""
            + " \(record.status) \(bytes) \"-\" \"\(AccessLog.plain(record.agent ?? "-"))\"\n"
        return Array(text.utf8)
    }

    /// Without what would end a field or the line.
    private static func plain(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 32 || $0 == 34 || $0 == 92 || $0 == 127 }) else { return text }
        return text.utf8.reduce(into: "") { plain, byte in
            if byte < 32 || byte == 34 || byte == 92 || byte == 127 {
                let hex = String(byte, radix: 16, uppercase: true)
                plain += "\\x" + (hex.count < 2 ? "0" : "") + hex
            } else {
                plain.unicodeScalars.append(Unicode.Scalar(byte))
            }
        }
    }

    /// Such as `10/Oct/2026:13:55:36 +0000`.
    private static func clock(_ moment: Timestamp) -> String {
        var seconds = time_t(moment.microseconds / 1_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var text = [CChar](repeating: 0, count: 64)
        let count = strftime(&text, text.count, "%d/%b/%Y:%H:%M:%S +0000", &parts)
        return String(decoding: text.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
