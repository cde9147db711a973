import Basics
import Foundation

/// Spark, driven by the script `spark_history.py`, which is part of this program, through the Python of an installation of
/// pyspark. Spark has to see the files of the object store and of the scratch folder under their paths.
public struct SparkEngine: Sendable, Hashable {
    /// The Python that has pyspark: a path, or a name that is looked for.
    public var python: String
    /// Spark's address, such as `spark://host:7077`, `local-cluster[2,1,1024]` or `yarn`.
    public var master: String
    /// Spark's settings, in addition to the script's own.
    public var settings: [String: String]

    public init(python: String, master: String, settings: [String: String] = [:]) {
        self.python = python
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
        _ = try await run(
            script: PackageResources.spark_history_py, ["--cases"], told: Order(settings: settings, jobs: jobs),
            workingFile: workingFile)
    }

    /// Runs a script that reads what it is told from a JSON file and takes `--master`. A cancelled task ends it.
    ///
    /// - Parameters:
    ///   - script: a Python program; where it fails its last line of output is JSON with `failed`, a list of `class` and
    ///     `message`.
    ///   - options: given to the script before the file's name.
    ///   - workingFile: where what Spark is told, and what it says, is kept while it runs.
    /// - Returns: what it printed.
    /// - Throws: ``FeaturesFailure/offlineEngine(_:remedy:)`` where Spark does not start or the script fails.
    public func run(
        script bytes: [UInt8], _ options: [String] = [], told order: some Encodable, workingFile: String
    ) async throws -> String {
        let script = "\(workingFile).py"
        let orders = "\(workingFile).json"
        defer { for file in [script, orders] { try? FileManager.default.removeItem(atPath: file) } }
        try Data(bytes).write(to: URL(fileURLWithPath: script))
        try Data(try JSON.canonical(order)).write(to: URL(fileURLWithPath: orders))
        return try await told([script, "--master", master] + options + [orders], workingFile: workingFile)
    }

    /// The version of pyspark that the Python has. No cluster is asked.
    /// - Throws: ``FeaturesFailure/offlineEngine(_:remedy:)`` where it has none.
    public func version(workingFile: String) async throws -> String {
        try await told(["-c", "import pyspark; print(pyspark.__version__)"], workingFile: workingFile)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// Runs Python to its end.
    /// - Returns: what it printed.
    private func told(_ arguments: [String], workingFile: String) async throws -> String {
        let log = "\(workingFile).log"
        let answer = "\(workingFile).out"
        defer { for file in [log, answer] { try? FileManager.default.removeItem(atPath: file) } }
        for file in [log, answer] where !FileManager.default.createFile(atPath: file, contents: nil) {
            throw FeaturesFailure.offlineEngine(
                "the file \(file) can not be written", remedy: "Check the folder's permissions and free space.")
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: python.contains("/") ? python : "/usr/bin/env")
        process.arguments = (python.contains("/") ? [] : [python]) + arguments
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
        return String(decoding: FileManager.default.contents(atPath: answer) ?? Data(), as: UTF8.self)
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
                "Spark at \(master) could not do its work: \(reason)", remedy: "See Spark's own log.")
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
    /// Reads the address of an engine that histories are computed on.
    ///
    /// `duckdb:` is this process; `spark://HOST:PORT` a cluster of Spark's own, and `spark:?master=TEXT` any that Spark
    /// knows, such as `yarn` or `local-cluster[2,1,1024]`. Settings: `python`, the Python that has pyspark (default
    /// `python3`), and Spark's own, whose names begin with `spark.`.
    ///
    /// - Throws: `StoreURLFailure` for anything else.
    public init(_ url: StoreURL) throws {
        switch url.scheme {
        case "duckdb":
            try url.allow([])
            self = .local
        case "spark":
            let own = url.settings.filter { $0.key.hasPrefix("spark.") }
            try url.allow(Set(own.keys).union(["master", "python"]))
            let hosted = url.host.map { "spark://\($0):\(url.port ?? 7077)" }
            guard let master = url.settings["master"] ?? hosted, hosted == nil || url.settings["master"] == nil else {
                throw StoreURLFailure.malformed(
                    url.description, reason: "it names a cluster once: spark://HOST:PORT or spark:?master=TEXT")
            }
            self = .spark(SparkEngine(python: url.settings["python"] ?? "python3", master: master, settings: own))
        default:
            throw StoreURLFailure.unknownScheme(url.description, store: "offline", known: ["duckdb", "spark"])
        }
    }
}
