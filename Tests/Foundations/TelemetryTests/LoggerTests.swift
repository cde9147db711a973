import Basics
import Foundation
import Synchronization
import Telemetry
import Testing

struct LoggerTests {
    private final class Lines: Sendable {
        let bytes = Mutex<[UInt8]>([])

        var all: [String] {
            bytes.withLock { String(decoding: $0, as: UTF8.self) }.split(separator: "\n").map(String.init)
        }
    }

    private let time = ManualTime(Timestamp(seconds: 1_364_774_400))

    @Test("A line is one JSON object with time, level, message, request id and fields")
    func line() throws {
        let lines = Lines()
        let sink = LogSink { bytes in lines.bytes.withLock { $0 += bytes } }
        let log = Logger(sink: sink, level: .debug, time: time).with(["room": "http"]).with(requestID: "abc")
        log.info("a \"quoted\"\nline\u{1}", ["count": 3, "share": 0.1, "level": "mine", "none": .number(.nan)])
        log.flush()
        let value = try JSON.decode(JSONValue.self, from: try #require(lines.all.first))
        #expect(lines.all.count == 1)
        #expect(value["time"]?.string == "2013-04-01T00:00:00Z")
        #expect(value["level"]?.string == "info")
        #expect(value["message"]?.string == "a \"quoted\"\nline\u{1}")
        #expect(value["request_id"]?.string == "abc")
        #expect(value["room"]?.string == "http")
        #expect(value["count"]?.integer == 3)
        #expect(value["share"]?.double == 0.1)
        #expect(value["field_level"]?.string == "mine")
        #expect(value["none"] == .null)
    }

    @Test("Lines below the level are neither written nor built")
    func level() {
        let lines = Lines()
        let log = Logger(sink: LogSink { bytes in lines.bytes.withLock { $0 += bytes } }, level: .warning, time: time)
        let built = Mutex(0)
        func costly() -> String {
            built.withLock { $0 += 1 }
            return "costly"
        }
        log.info(costly())
        log.error("kept")
        log.flush()
        #expect(built.withLock { $0 } == 0)
        #expect(lines.all.count == 1)
    }

    @Test("A writer that hangs costs lines, not requests")
    func bounded() {
        let gate = DispatchSemaphore(value: 0)
        let entered = DispatchSemaphore(value: 0)
        let sink = LogSink(capacity: 1000) { _ in
            entered.signal()
            gate.wait()
        }
        let log = Logger(sink: sink, time: time)
        log.info("first")
        entered.wait()
        for _ in 0..<100 { log.info("waits behind the first") }
        #expect(sink.droppedLines > 80)
        for _ in 0..<10 { gate.signal() }
        log.flush()
    }

    @Test("A file is appended to, and one that can not be opened is told of")
    func file() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("log-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        for _ in 0..<2 {
            let log = Logger(sink: try .file(path), time: time)
            log.info("hello")
            log.flush()
        }
        #expect(try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").count == 2)
        #expect(throws: TelemetryFailure.self) { try LogSink.file("/nonexistent/folder/log") }
    }
}
