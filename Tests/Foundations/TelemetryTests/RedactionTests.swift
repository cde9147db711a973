import Basics
import Foundation
import Synchronization
import Testing

@testable import Telemetry

@Suite struct RedactionTests {
    private func line(_ message: String, _ fields: [String: JSONValue] = [:]) -> String {
        let written = Mutex<[UInt8]>([])
        let log = Logger(
            sink: LogSink { bytes in written.withLock { $0 += bytes } }, time: ManualTime(Timestamp(seconds: 0)))
        log.info(message, fields)
        log.flush()
        return String(decoding: written.withLock { $0 }, as: UTF8.self)
    }

    @Test func credentialsNeverReachTheSink() throws {
        let token = "mw_Ab3dEf6hIj9_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ012345"
        let base64 = "bWluYTpodW50ZXIyLWlzLW15LXBhc3N3b3Jk=="
        for text in [
            token, "got \(token).", "Authorization: Bearer \(token)", "bearer   abcdefghijkl.mnop", "BASIC \(base64)",
            "\(token)\(token)", "\"\(token)\"", "x\(token)", "a \(token) b \(token) c",
        ] {
            for written in [line(text), line("m", ["f": .string(text)]), line("m", ["f": [.string(text)]])] {
                #expect(!written.contains(token.dropFirst(3)) && !written.contains(base64), "\(written)")
                #expect(!written.contains("mnop"), "\(written)")
                #expect(written.contains("•••"))
                #expect(throws: Never.self) { try JSON.decode(JSONValue.self, from: written) }
            }
        }
        let fields: [String: JSONValue] = [
            "password": "short", "Authorization": "x", "inner": ["token": 12_345, "secret": ["a": "short"]],
        ]
        let written = line("m", fields)
        #expect(!written.contains("short") && !written.contains("12345"))
        #expect(written.components(separatedBy: "•••").count == 5)
    }

    @Test func ordinaryTextStaysAsItIs() {
        for text in [
            "mw_", "mw_short", "the basic idea", "Basic with a token", "bearer of news", "Basic", "memory", "bb", "b",
            "m",
            "a mw_server stopped", "ünïcödé mb",
        ] {
            #expect(line(text).contains(text), "\(text)")
            #expect(!line(text).contains("•••"))
        }
        #expect(line("m", ["tokens": 7, "token": nil]).contains("\"token\":null,\"tokens\":7"))
    }
}
