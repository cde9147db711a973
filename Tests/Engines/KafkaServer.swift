import Basics
import Foundation
import Synchronization

/// A Kafka cluster in memory as a child process: `kafka-broker`, which lies beside the tests. It ends with this value
/// and, as its input then ends, with the process of the tests.
///
/// It keeps 5 MiB per partition, makes topics only by command, lets a new group wait 3 s, and carries out transactions
/// without undoing or fencing anything.
public final class KafkaServer: Sendable {
    /// `host:port,…` of its brokers.
    public let bootstrap: String
    private let process: Process
    private let input: FileHandle
    private let output: Mutex<Lines>

    /// Starts a cluster of its own.
    public init(brokers: Int = 3) throws {
        signal(SIGPIPE, SIG_IGN)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try KafkaServer.program("kafka-broker", "MODELWORKS_KAFKA_BROKER"))
        process.arguments = [String(brokers)]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        do { try process.run() } catch { throw EngineUnavailable("kafka-broker did not start: \(error)") }
        self.process = process
        self.input = input.fileHandleForWriting
        var lines = Lines(output.fileHandleForReading)
        guard let line = lines.next(), !line.hasPrefix("error") else {
            throw EngineUnavailable("kafka-broker ended before it said where it listens")
        }
        bootstrap = line
        self.output = Mutex(lines)
        announceEngine("kafka", "librdkafka's cluster in memory")
    }

    deinit { try? input.close() }

    /// The one cluster that tests share; made when the first asks for it.
    public static func shared() throws -> KafkaServer { try shelf.withLock { try $0.get() } }

    /// Makes a topic, with the full name that the broker knows.
    public func topic(_ name: String, partitions: Int) throws { try say("topic \(name) \(partitions)") }

    /// Sends one command and waits until it is carried out.
    public func say(_ command: String) throws {
        try output.withLock { lines in
            try input.write(contentsOf: Data("\(command)\n".utf8))
            guard let answer = lines.next() else { throw EngineUnavailable("kafka-broker is gone") }
            guard answer == "ok" else { throw EngineUnavailable("kafka-broker refused '\(command)': \(answer)") }
        }
    }

    /// A program that was built with the tests: beside their bundle, or where an environment variable says.
    public static func program(_ name: String, _ variable: String) throws -> String {
        if let path = ProcessInfo.processInfo.environment[variable], !path.isEmpty { return path }
        let starts = [Bundle.main.bundlePath, CommandLine.arguments.first ?? ""] + Bundle.allBundles.map(\.bundlePath)
        for start in starts + CommandLine.arguments {
            var folder = URL(fileURLWithPath: start)
            for _ in 0..<4 {
                let path = folder.appendingPathComponent(name).path
                if FileManager.default.isExecutableFile(atPath: path), !isFolder(path) { return path }
                folder.deleteLastPathComponent()
            }
        }
        throw EngineUnavailable("\(name) was not built beside the tests; set \(variable) to where it is")
    }

    private static let shelf = Mutex(Shelf())

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    private struct Shelf {
        var server: KafkaServer?

        mutating func get() throws -> KafkaServer {
            if let server { return server }
            let made = try KafkaServer()
            server = made
            return made
        }
    }

    /// The lines a child writes.
    private struct Lines: @unchecked Sendable {
        private let handle: FileHandle
        private var rest = Data()

        init(_ handle: FileHandle) { self.handle = handle }

        mutating func next() -> String? {
            while true {
                if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                    defer { rest = Data(rest[(end + 1)...]) }
                    return String(decoding: rest[..<end], as: UTF8.self)
                }
                let more = handle.availableData
                guard !more.isEmpty else { return nil }
                rest += more
            }
        }
    }
}
