import Basics
import Foundation
import HTTP
import Synchronization
import Telemetry
import TestSupport
import Testing

private final class Notes: RequestObserver {
    private let records = Mutex<[RequestRecord]>([])

    var all: [RequestRecord] { records.withLock { $0 } }

    func ended(_ record: RequestRecord) { records.withLock { $0.append(record) } }
}

@Suite struct ObserverTests {
    @Test func everyRequestIsToldOfOnce() async throws {
        let notes = Notes()
        let fixture = try ServerFixture { $0.observer = notes }
        let client = try fixture.client()
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        let asked: [(HTTPMethod, String, String, Int, Int?)] = [
            (.get, "/hello?secret=1", "/hello", 200, 5), (.get, "/static", "/static", 200, 11),
            (.post, "/fast/a/1", "/fast/{name}/{version:int}", 200, 5),
            (.post, "/fast/fall/1", "/fast/{name}/{version:int}", 200, 9), (.get, "/count", "/count", 200, nil),
            (.get, "/nowhere", "unmatched", 404, nil),
        ]
        for (number, (method, path, route, status, bytes)) in asked.enumerated() {
            let answer = try await client.send(
                method, path,
                headers: ["User-Agent": "test", "traceparent": trace, "X-Request-Id": "id-\(route.count)"])
            #expect(answer.status.code == status && answer.headers["X-Request-Id"] == "id-\(route.count)")
            try await eventually { notes.all.count > number }
            let note = try #require(notes.all.last)
            #expect(note.route == route)
            #expect(note.scheme == "HTTP/1.1" && note.method == method.rawValue && note.status == status)
            #expect(note.path == path.split(separator: "?").first.map(String.init))
            #expect(note.requestID == "id-\(route.count)" && note.agent == "test" && note.trace == trace)
            #expect(note.remote == "127.0.0.1" && note.principal == nil && note.start > 0)
            if let bytes { #expect(note.bytes == bytes) }
        }
        // An id that is unfit for a log is replaced, on the hot path too.
        let answer = try await client.send(.get, "/static", headers: ["X-Request-Id": "a b"])
        let made = try #require(answer.headers["X-Request-Id"])
        #expect(made != "a b")
        try await eventually { notes.all.count == asked.count + 1 }
        #expect(notes.all.last?.requestID == made)
        await fixture.server.shutdown(drainSeconds: 1)
    }

    @Test func theHotPathGivesAnIDBackWithoutAnybodyWhoIsTold() async throws {
        let fixture = try ServerFixture()
        let client = try fixture.client()
        #expect(
            try await client.send(.get, "/static", headers: ["X-Request-Id": "mine"]).headers["X-Request-Id"] == "mine")
        #expect(try await client.send(.get, "/static").headers["X-Request-Id"] == nil)
        await fixture.server.shutdown(drainSeconds: 1)
    }

    @Test func linesOfAnAccessLogCanBeReadByOtherPrograms() async throws {
        let folder = try TemporaryFolder()
        let time = ManualTime(Timestamp(seconds: 1_700_000_000))
        for format in AccessLog.Format.allCases {
            let log = try AccessLog(path: folder("\(format).log"), format: format, time: time)
            let fixture = try ServerFixture { $0.observer = RequestObservers([log]) }
            let client = try fixture.client()
            _ = try await client.send(
                .get, "/static", headers: ["X-Request-Id": "a-1", "User-Agent": "an \"odd\" one"])
            // The line is written once the answer is out.
            try await eventually {
                log.flush()
                return FileManager.default.contents(atPath: folder("\(format).log"))?.isEmpty == false
            }
            let text = try String(contentsOfFile: folder("\(format).log"), encoding: .utf8)
            #expect(text.hasSuffix("\n") && text.split(separator: "\n").count == 1)
            switch format {
            case .json:
                let line = try JSON.decode(JSONValue.self, from: text)
                #expect(line["request_id"]?.string == "a-1" && line["path"]?.string == "/static")
                #expect(line["status"]?.integer == 200 && line["bytes"]?.integer == 11)
                #expect(line["agent"]?.string == "an \"odd\" one" && line["method"]?.string == "GET")
                #expect(line["time"]?.string == "2023-11-14T22:13:20Z" && line["microseconds"]?.integer != nil)
            case .combined:
                #expect(
                    text == "127.0.0.1 - - [14/Nov/2023:22:13:20 +0000] \"GET /static HTTP/1.1\" 200 11 \"-\" "
                        + "\"an \\x22odd\\x22 one\"\n")
            }
            await fixture.server.shutdown(drainSeconds: 1)
        }
    }

    @Test func aLogMayBeMovedAwayAndMovesItselfWhenItHasGrown() throws {
        let folder = try TemporaryFolder()
        let path = folder("access.log")
        let log = try AccessLog(path: path, bytesMax: 600, time: SystemTime())
        func tell(_ name: String) {
            log.ended(
                RequestRecord(scheme: "HTTP/1.1", method: "GET", path: name, remote: "", requestID: "", start: 0))
            log.flush()
        }
        func text(_ path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }
        tell("/one")
        try FileManager.default.moveItem(atPath: path, toPath: folder("old.log"))
        tell("/two")
        #expect(text(folder("old.log")).contains("/two"))
        try log.reopen()
        tell("/three")
        #expect(text(path).contains("/three") && !text(path).contains("/two"))
        for number in 0..<20 { tell("/line-\(number)") }
        let (now, before) = (text(path), text("\(path).1"))
        #expect(now.utf8.count < 900 && before.utf8.count < 900 && before.contains("/line-"))
        #expect(log.dropped == 0)
    }

    @Test func whatTakesTooLongIsAnsweredInTime() async throws {
        let fixture = try ServerFixture { $0.answerTimeout = 0.05 }
        let client = try fixture.client()
        let answer = try await client.send(.get, "/wait")
        #expect(answer.status == .gatewayTimeout)
        #expect(String(decoding: try await answer.collect(), as: UTF8.self).contains("DEADLINE_EXCEEDED"))
        #expect(try await client.send(.get, "/static").status == .ok)
        fixture.gate.open()
        await fixture.server.shutdown(drainSeconds: 1)
    }

    private func eventually(_ condition: () -> Bool) async throws {
        let end = SystemTime.monotonicNanoseconds + 30_000_000_000
        while !condition() {
            try #require(SystemTime.monotonicNanoseconds < end)
            await Task.yield()
        }
    }
}
