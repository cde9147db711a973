import Basics
import Foundation

/// Spark, driven by the script `spark_history.py` through the Python of an installation of pyspark.
public struct SparkEngine: Sendable {
    /// The Python that has pyspark.
    public var python: String
    /// The path of `spark_history.py`.
    public var script: String
    /// Spark's address, such as `spark://host:7077`, `local-cluster[2,1,1024]` or `yarn`.
    public var master: String
    /// Spark's settings, in addition to the script's own.
    public var settings: [String: String]

    public init(python: String, script: String, master: String, settings: [String: String] = [:]) {
        self.python = python
        self.script = script
        self.master = master
        self.settings = settings
    }

    /// One query over Parquet files that gives one Parquet file.
    public struct Job: Sendable, Encodable {
        public var sql: String
        /// The file of each table that the query names.
        public var tables: [String: String]
        public var out: String

        /// A plan's join, with ``HistoryPlan/row`` first and rows in any order.
        public init(_ plan: HistoryPlan, entities: String, histories: [String], to out: String) {
            let names = histories.indices.map { "history_\($0)" }
            sql = SparkHistory().query(plan, entities: "entity_rows", histories: names, keepsRow: true)
            tables = Dictionary(zip(names, histories)) { first, _ in first }
            tables["entity_rows"] = entities
            self.out = out
        }
    }

    /// Runs jobs in one Spark session. A cancelled task ends the session.
    ///
    /// - Parameter workingFile: where what Spark is told, and what it says, is kept while it runs.
    /// - Throws: ``FeaturesFailure/offlineEngine(_:remedy:)`` where Spark does not start or a job fails.
    public func run(_ jobs: [Job], workingFile: String) async throws {
        struct Order: Encodable {
            var settings: [String: String]
            var jobs: [Job]
        }
        let orders = "\(workingFile).json"
        let log = "\(workingFile).log"
        let answer = "\(workingFile).out"
        defer { for file in [orders, log, answer] { try? FileManager.default.removeItem(atPath: file) } }
        try Data(try JSON.canonical(Order(settings: settings, jobs: jobs))).write(to: URL(fileURLWithPath: orders))
        for file in [log, answer] where !FileManager.default.createFile(atPath: file, contents: nil) {
            throw FeaturesFailure.offlineEngine(
                "the file \(file) can not be written", remedy: "Check the folder's permissions and free space.")
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = [script, "--master", master, "--cases", orders]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle(forWritingAtPath: answer)
        process.standardError = FileHandle(forWritingAtPath: log)
        let child = Child(process)
        let status = try await withTaskCancellationHandler {
            try await BlockingThread(name: "spark").run { try child.finish() }
        } onCancel: {
            child.stop()
        }
        try Task.checkCancellation()
        guard status == 0 else { throw failure(status, answer: answer, log: log) }
    }

    private func failure(_ status: Int32, answer: String, log: String) -> FeaturesFailure {
        struct Answer: Decodable {
            struct Failed: Decodable {
                var `class`: String
                var message: String
            }
            var failed: [Failed]
        }
        func lines(_ path: String) -> [Substring] {
            String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self).split(separator: "\n")
        }
        let told = lines(answer).last.flatMap { try? JSON.decode(Answer.self, from: Array($0.utf8)) }
        if let first = told?.failed.first {
            let reason = first.message.split(separator: "\n").first.map(String.init) ?? first.class
            return .offlineEngine(
                "Spark at \(master) could not compute the history: \(reason)", remedy: "See Spark's own log.")
        }
        let last = lines(log).suffix(3).joined(separator: " ").prefix(400)
        return .offlineEngine(
            "Spark at \(master) ended with code \(status): \(last)", remedy: "Check its address, and that it runs.")
    }

    /// A process that can be stopped from another thread, also before it has started.
    private final class Child: @unchecked Sendable {
        // The lock orders starting and stopping; waiting needs none.
        private let lock = NSLock()
        private let process: Process
        private var isStopped = false

        init(_ process: Process) { self.process = process }

        func finish() throws -> Int32 {
            try lock.withLock {
                guard !isStopped else { throw CancellationError() }
                do {
                    try process.run()
                } catch {
                    throw FeaturesFailure.offlineEngine(
                        "\(process.executableURL?.path ?? "Python") can not be started: \(error.localizedDescription)",
                        remedy: "Name the Python that has pyspark.")
                }
            }
            process.waitUntilExit()
            return process.terminationStatus
        }

        func stop() {
            lock.withLock {
                isStopped = true
                if process.isRunning { process.terminate() }
            }
        }
    }
}

extension OfflineEngine {
    /// Reads the setting `offline`: `duckdb`, or the address of a Spark.
    ///
    /// - Throws: ``FeaturesFailure/request(_:remedy:)`` for anything else.
    public init(_ text: String, python: String, script: String) throws {
        if text == "duckdb" {
            self = .local
        } else if ["spark://", "local[", "local-cluster[", "k8s://"].contains(where: text.hasPrefix) || text == "yarn" {
            self = .spark(SparkEngine(python: python, script: script, master: text))
        } else {
            throw FeaturesFailure.request(
                "'\(text)' is no engine that histories can be computed on",
                remedy: "Write duckdb, spark://HOST:PORT, yarn or local-cluster[WORKERS,CORES,MEGABYTES].")
        }
    }
}
