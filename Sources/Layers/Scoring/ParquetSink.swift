import Basics
import Columnar
import Foundation

/// Writes Parquet: a folder with a file for each partition, or a single file.
struct ParquetSink: TableSink {
    private let folder: ScoringFolder
    /// Where the parts are until the end.
    private let parts: String
    /// The one file that they become; nil where they stay as they are.
    private let file: String?
    private let deadLetters: String
    private let engine: ColumnarEngine
    private let overwrite: Bool

    /// Where the state of a run lies that writes `output`, a file or a folder.
    static func state(of output: String) -> String {
        guard isFile(output) else { return "\(output)/_scoring" }
        let path = output as NSString
        return "\(path.deletingLastPathComponent)/.\(path.lastPathComponent).scoring"
    }

    /// Whether an address names a single file.
    static func isFile(_ output: String) -> Bool {
        let ending = (output as NSString).pathExtension.lowercased()
        return ["parquet", "pq"].contains(ending) && !isFolder(output)
    }

    private static func isFolder(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    init(_ output: String, _ folder: ScoringFolder, _ engine: ColumnarEngine, overwrite: Bool) {
        self.folder = folder
        self.engine = engine
        self.overwrite = overwrite
        if Self.isFile(output) {
            file = output
            parts = folder.inside("parts")
            deadLetters = "\((output as NSString).deletingPathExtension).dead-letters"
        } else {
            file = nil
            parts = output
            deadLetters = "\(output)/_dead_letters"
        }
    }

    func unfinished() async throws -> ScoringRun? {
        try folder.run().flatMap { $0.plan.rows >= 0 && $0.finished == nil ? $0 : nil }
    }

    func run(like plan: ScoringRun.Plan) async throws -> ScoringRun? {
        // One that began to make room and got no further has no rows.
        if let run = try folder.run() { return run.plan.rows < 0 ? nil : run }
        let isTaken = file.map { FileManager.default.fileExists(atPath: $0) } ?? !names(in: parts).isEmpty
        guard !isTaken || overwrite else { throw ScoringFailure.foreignOutput(file ?? parts) }
        return nil
    }

    func begin(_ run: ScoringRun) async throws {
        // Noted first: parts that are there would else be taken for the new run's. A run without its parts begins anew.
        var unborn = run
        unborn.plan.rows = -1
        try folder.note(unborn)
        for place in [parts, deadLetters] {
            for name in names(in: place) { try remove("\(place)/\(name)") }
        }
        if let file, FileManager.default.fileExists(atPath: file) { try remove(file) }
        try? FileManager.default.createDirectory(atPath: parts, withIntermediateDirectories: true)
        try folder.note(run)
    }

    func written(of run: ScoringRun) async throws -> Set<Int> {
        if let file, run.finished != nil, FileManager.default.fileExists(atPath: file) {
            return Set(run.plan.partitions.indices)
        }
        return Set(names(in: parts).compactMap { Int($0.dropFirst(Self.prefix.count).dropLast(Self.ending.count)) })
    }

    func write(
        _ partition: ScoredPartition, of run: ScoringRun, on connection: ColumnarConnection, _ thread: BlockingThread
    ) async throws {
        let name = Self.name(partition.number)
        let (parts, deadLetters) = (parts, deadLetters)
        try await thread.run {
            if let query = partition.deadLetters {
                try? FileManager.default.createDirectory(atPath: deadLetters, withIntermediateDirectories: true)
                try connection.writeParquet(query: query, to: "\(deadLetters)/\(name)")
            }
            let path = "\(parts)/\(name)"
            if let quick = partition.quick,
                try connection.writeParquet(query: quick.rows, to: path, only: quick.count) == quick.count
            {
                return
            }
            try connection.writeParquet(query: partition.rows, to: path)
        }
    }

    func finish(_ run: ScoringRun, partitions: Int) async throws {
        if let file {
            let list = (0..<partitions).map { SQLText.literal("\(parts)/\(Self.name($0))".readAsItStands) }
            try await engine.writeParquet(
                query: "SELECT * FROM read_parquet([\(list.joined(separator: ", "))], hive_partitioning = false)",
                to: file)
        }
        for name in names(in: parts) where name.hasSuffix(Self.partial) { try remove("\(parts)/\(name)") }
        try folder.note(run)
        if file != nil { folder.remove("parts") }
    }

    func close() async {}

    private static let prefix = "part-"
    private static let ending = ".parquet"
    private static let partial = ".partial"

    private static func name(_ partition: Int) -> String {
        let digits = String(partition)
        return prefix + String(repeating: "0", count: max(0, 5 - digits.count)) + digits + ending
    }

    /// Names of parts in a folder, and of what is left of some.
    private func names(in folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter {
            $0.hasPrefix(Self.prefix) && ($0.hasSuffix(Self.ending) || $0.hasSuffix(Self.partial))
        }
    }

    private func remove(_ path: String) throws {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            throw ScoringFailure.file(path: path, reason: "it can not be removed")
        }
    }
}
