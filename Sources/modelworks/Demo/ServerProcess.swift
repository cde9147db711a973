import Basics
import Foundation

/// A `modelworks up` of its own, started and stopped by this process.
final class ServerProcess {
    private let process = Process()
    private(set) var url = ""

    var pid: Int32 { process.processIdentifier }

    /// Starts a server on a root and waits until it is ready.
    ///
    /// - Throws: ``CommandFailure`` where it ends or stays silent before it is ready.
    convenience init(executable: String, root: String, log: String) throws {
        try self.init(executable: executable, words: ["up", "--root", root, "--http-port", "0", "--json"], log: log)
    }

    /// Starts a server by a whole command line that asks for JSON, and waits until it is ready.
    ///
    /// - Throws: ``CommandFailure`` where it ends or stays silent before it is ready.
    init(executable: String, words: [String], log: String) throws {
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = words
        _ = FileManager.default.createFile(atPath: log, contents: nil)
        process.standardError = FileHandle(forWritingAtPath: log)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        struct Ready: Decodable { var url: String }
        var (line, found): ([UInt8], Ready?) = ([], nil)
        // Lines about models come before the one that says where the server is.
        while found == nil, let byte = try output.fileHandleForReading.read(upToCount: 1)?.first {
            if byte == 10 {
                found = try? JSON.decode(Ready.self, from: line)
                line = []
            } else {
                line.append(byte)
            }
        }
        guard let ready = found else {
            process.waitUntilExit()
            let text = String(
                decoding: (FileManager.default.contents(atPath: log) ?? Data()).suffix(600), as: UTF8.self)
            throw CommandFailure(.unavailable, "the server did not start: \(text)", remedy: "See \(log).")
        }
        url = ready.url
    }

    /// The most memory the server has had resident, in bytes.
    var peakResidentBytes: Int64 {
        let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
        return ProcessMemory.peak(status)
    }

    /// Asks the server to drain and end, and waits for it.
    func stop() {
        guard process.isRunning else { return }
        process.terminate()
        process.waitUntilExit()
    }
}

/// Reads of `/proc/PID/status`.
enum ProcessMemory {
    static func peak(_ status: String) -> Int64 { field("VmHWM:", status) }

    static func resident(_ status: String) -> Int64 { field("VmRSS:", status) }

    private static func field(_ name: String, _ status: String) -> Int64 {
        for line in status.split(separator: "\n") where line.hasPrefix(name) {
            let digits = line.filter { $0.isNumber }
            return (Int64(digits) ?? 0) * 1024
        }
        return 0
    }
}
