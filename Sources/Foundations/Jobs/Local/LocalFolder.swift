import Basics
import Foundation

/// What is kept of one local execution: a folder with small files, each written whole or not at all.
struct LocalFolder: Sendable {
    let path: String

    /// Who runs it, once its wrapper has begun.
    struct Identity: Sendable, Hashable {
        let pid: pid_t
        let start: UInt64
        let boot: String
    }

    var log: String { "\(path)/log" }
    var exists: Bool { FileManager.default.fileExists(atPath: path) }

    var identity: Identity? {
        let words = (text("pid") ?? "").split(separator: " ").map(String.init)
        guard words.count == 3, let pid = pid_t(words[0]), pid > 1, let start = UInt64(words[1]) else { return nil }
        return Identity(pid: pid, start: start, boot: words[2])
    }

    /// Exit code and processor seconds of an execution that ended by itself.
    var exit: (code: Int, cpuSeconds: Double?)? {
        guard let lines = text("exit")?.split(separator: "\n"), let first = lines.first, let code = Int(first) else {
            return nil
        }
        let times = lines.dropFirst(2).first?.split(separator: " ").map(LocalFolder.seconds) ?? []
        let known = times.compactMap(\.self)
        return (code, known.count == 2 ? known.reduce(0, +) : nil)
    }

    /// Why it is being ended, or was.
    var ending: JobExecution.State? { text("ending").flatMap(JobExecution.State.init(rawValue:)) }

    var timeSeconds: Int? { text("limit").flatMap { Int($0) } }

    /// The most memory in bytes, noted by the process that collected it.
    var memoryBytesMax: Int64? { text("memory").flatMap { Int64($0) } }

    func write(_ text: String, to name: String) throws {
        do {
            try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"), options: .atomic)
        } catch {
            throw JobFailure.executorUnavailable("local", reason: "its folder '\(path)' can not be written")
        }
    }

    func make() throws {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw JobFailure.executorUnavailable("local", reason: "its folder '\(path)' can not be made")
        }
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }

    private func text(_ name: String) -> String? {
        FileManager.default.contents(atPath: "\(path)/\(name)").map {
            String(decoding: $0, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        }
    }

    /// `1m2.5s`, as the shell's `times` writes it.
    static func seconds(_ text: Substring) -> Double? {
        let parts = text.dropLast().split(separator: "m")
        guard text.hasSuffix("s"), parts.count == 2, let minutes = Double(parts[0]), let seconds = Double(parts[1])
        else { return nil }
        return minutes * 60 + seconds
    }
}

/// Reads a piece of a log file.
enum LogFile {
    static func read(_ path: String, from offset: Int, limit: Int) -> JobLog {
        let start = max(0, offset)
        guard let file = FileHandle(forReadingAtPath: path) else { return JobLog(bytes: [], nextOffset: start) }
        defer { try? file.close() }
        guard (try? file.seek(toOffset: UInt64(start))) != nil,
            let data = try? file.read(upToCount: max(0, limit)), !data.isEmpty
        else { return JobLog(bytes: [], nextOffset: start) }
        return JobLog(bytes: [UInt8](data), nextOffset: start + data.count)
    }
}
