import Basics
import Columnar
import Foundation

/// The log of a Delta table: which files are its rows at a version.
///
/// After the protocol of delta-io/delta (PROTOCOL.md): the newest whole checkpoint at or before the version, and the
/// commits after it. What a reader has to know and this one does not is refused, never passed over.
struct DeltaLog: Sendable {
    /// One state of a table.
    struct Snapshot: Sendable {
        var version: Int64
        /// Columns and their types as the engine calls them.
        var columns: [(name: String, type: String)]
        var partitionColumns: [String]
        var files: [LakeFile]
    }

    /// The table's folder.
    let folder: String
    let engine: ColumnarEngine

    private static let featuresKnown: Set<String> = [
        "columnMapping", "deletionVectors", "inCommitTimestamp", "timestampNtz", "v2Checkpoint", "vacuumProtocolCheck",
    ]

    /// - Throws: ``DatasetsFailure/brokenLog(place:reason:)``, ``DatasetsFailure/noMoment(place:wanted:known:)``,
    ///   ``DatasetsFailure/unsupported(place:what:remedy:)``.
    func snapshot(_ moment: LakeOrigin.Moment) async throws -> Snapshot {
        let listing = try await onThread { try Listing(folder: folder) }
        let version = try await version(moment, listing)
        let checkpoint = listing.checkpoints.last { $0.version <= version }
        let first = checkpoint.map { $0.version + 1 } ?? 0
        var state = State(folder: folder)
        if let checkpoint {
            try await read(checkpoint, into: &state)
        } else if listing.commits.first != 0 {
            guard !listing.hasOtherCheckpoints else {
                throw DatasetsFailure.unsupported(
                    place: folder, what: "checkpoints of version 2",
                    remedy: "Write a classic checkpoint, or export the table to Parquet.")
            }
            throw DatasetsFailure.brokenLog(
                place: folder, reason: "there is neither version 0 nor a checkpoint at or before version \(version)")
        }
        if first <= version {
            for number in first...version {
                guard listing.commits.contains(number) else {
                    throw DatasetsFailure.brokenLog(place: folder, reason: "the commit of version \(number) is missing")
                }
                let lines = try await onThread { try Self.lines(listing.path(number), folder) }
                for line in lines { try state.apply(line) }
            }
        }
        return try state.snapshot(version, known: Self.featuresKnown)
    }

    private func version(_ moment: LakeOrigin.Moment, _ listing: Listing) async throws -> Int64 {
        guard let newest = [listing.commits.last, listing.checkpoints.last?.version].compactMap({ $0 }).max() else {
            throw DatasetsFailure.brokenLog(place: folder, reason: "_delta_log holds no version")
        }
        switch moment {
        case .latest: return newest
        case .version(let number):
            guard number <= newest else {
                throw DatasetsFailure.noMoment(
                    place: folder, wanted: "version \(number)", known: "versions up to \(newest)")
            }
            return number
        case .time(let time):
            return try await onThread {
                for number in listing.commits.reversed() where try Self.time(of: number, listing, folder) <= time {
                    return number
                }
                throw DatasetsFailure.noMoment(
                    place: folder, wanted: "version at \(time)",
                    known:
                        "commits from \(try listing.commits.first.map { try Self.time(of: $0, listing, folder) } ?? time) on"
                )
            }
        }
    }

    /// When a version was committed: as the commit itself says, else when its file was written.
    private static func time(of version: Int64, _ listing: Listing, _ folder: String) throws -> Timestamp {
        let path = listing.path(version)
        for line in try lines(path, folder) {
            guard let info = line["commitInfo"] else { continue }
            if let millis = info["inCommitTimestamp"]?.integer ?? info["timestamp"]?.integer {
                return Timestamp(microseconds: millis.multipliedReportingOverflow(by: 1000).partialValue)
            }
        }
        return Timestamp(microseconds: (try FileMark(path)?.modified ?? 0) / 1000)
    }

    private static func lines(_ path: String, _ folder: String) throws -> [JSONValue] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw DatasetsFailure.unreadable(path: path, reason: "it can not be opened")
        }
        return try data.split(separator: UInt8(ascii: "\n")).filter { !$0.isEmpty }.map { line in
            do {
                return try JSON.decode(JSONValue.self, from: line)
            } catch {
                throw DatasetsFailure.brokenLog(
                    place: folder, reason: "\((path as NSString).lastPathComponent) holds a line that is no JSON")
            }
        }
    }

    private func read(_ checkpoint: Listing.Checkpoint, into state: inout State) async throws {
        let source = "read_parquet(\(ReaderTools.list(checkpoint.paths)))"
        let context = "\(folder)/_delta_log"
        let found = Set(
            try await engine.query("DESCRIBE SELECT * FROM \(source)", context: context).strings("column_name")
                .compactMap { $0 })
        for action in ["protocol", "metaData", "add"] {
            guard found.contains(action) else {
                throw DatasetsFailure.brokenLog(
                    place: folder, reason: "the checkpoint of version \(checkpoint.version) has no '\(action)'")
            }
            let actions = try await engine.query(
                "SELECT CAST(to_json(\"\(action)\") AS VARCHAR) AS action FROM \(source) WHERE \"\(action)\" IS NOT NULL",
                context: context)
            for text in try actions.strings("action").compactMap({ $0 }) {
                let value = try JSON.decode(JSONValue.self, from: text)
                // A group of a Parquet file that is absent as a whole may come as one whose members are.
                let isThere = value.object?.values.contains { $0 != .null } ?? false
                if isThere { try state.apply(.object([action: value])) }
            }
        }
    }

    private func onThread<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await BlockingThread(name: "datasets.delta").run(body)
    }
}

extension DeltaLog {
    /// What `_delta_log` holds.
    struct Listing: Sendable {
        struct Checkpoint: Sendable {
            let version: Int64
            let paths: [String]
        }

        /// Versions that have a commit, ascending.
        private(set) var commits: [Int64] = []
        /// Those that are whole, ascending.
        private(set) var checkpoints: [Checkpoint] = []
        /// Whether there are checkpoints in a form that is not read here.
        private(set) var hasOtherCheckpoints = false
        private let folder: String

        init(folder: String) throws {
            self.folder = folder
            let log = "\(folder)/_delta_log"
            guard try FileMark(log)?.isFolder == true else {
                throw DatasetsFailure.brokenLog(place: folder, reason: "there is no folder _delta_log")
            }
            var parts: [Int64: [Int: [Int: String]]] = [:]
            for name in try LocalFiles.names(in: log) {
                let words = name.split(separator: ".")
                guard let first = words.first, first.utf8.count == 20, let version = Int64(first), version >= 0 else {
                    continue
                }
                switch Array(words.dropFirst()) {
                case ["json"]: commits.append(version)
                case ["checkpoint", "parquet"]: parts[version, default: [:]][1, default: [:]][1] = "\(log)/\(name)"
                case let rest where rest.count == 4 && rest[0] == "checkpoint" && rest[3] == "parquet":
                    guard let part = Int(rest[1]), let count = Int(rest[2]) else { continue }
                    parts[version, default: [:]][count, default: [:]][part] = "\(log)/\(name)"
                case let rest where rest.first == "checkpoint": hasOtherCheckpoints = true
                default: break
                }
            }
            commits.sort()
            for (version, forms) in parts.sorted(by: { $0.key < $1.key }) {
                // A checkpoint of several parts counts once all of them are there.
                guard let whole = forms.first(where: { $0.key == $0.value.count })?.value else { continue }
                checkpoints.append(
                    Checkpoint(version: version, paths: whole.sorted { $0.key < $1.key }.map(\.value)))
            }
        }

        func path(_ version: Int64) -> String {
            let digits = String(version)
            return "\(folder)/_delta_log/\(String(repeating: "0", count: max(0, 20 - digits.count)))\(digits).json"
        }
    }

    /// What the actions so far add up to.
    private struct State {
        let folder: String
        var proto: JSONValue?
        var metaData: JSONValue?
        /// By path.
        var files: [String: JSONValue] = [:]

        mutating func apply(_ line: JSONValue) throws {
            if let action = line["protocol"], action != .null { proto = action }
            if let action = line["metaData"], action != .null { metaData = action }
            if let action = line["add"], action != .null { files[try path(action)] = action }
            if let action = line["remove"], action != .null { files.removeValue(forKey: try path(action)) }
        }

        private func path(_ action: JSONValue) throws -> String {
            guard let path = action["path"]?.string else { throw broken("a file has no path") }
            return path
        }

        private func broken(_ reason: String) -> DatasetsFailure { .brokenLog(place: folder, reason: reason) }

        func snapshot(_ version: Int64, known: Set<String>) throws -> Snapshot {
            guard let proto, let metaData, let schemaText = metaData["schemaString"]?.string else {
                throw broken("it names no protocol or no schema at version \(version)")
            }
            try refuseUnknown(proto, metaData, known)
            let schema = try JSON.decode(JSONValue.self, from: schemaText)
            let columns = try (schema["fields"]?.array ?? []).map { field in
                guard let name = field["name"]?.string else { throw broken("a column has no name") }
                return (name: name, type: Self.engineType(field["type"]?.string))
            }
            let partitions = (metaData["partitionColumns"]?.array ?? []).compactMap(\.string)
            let found = try files.values.map { try file($0, partitions) }
            return Snapshot(
                version: version, columns: columns, partitionColumns: partitions,
                files: found.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) })
        }

        private func refuseUnknown(_ proto: JSONValue, _ metaData: JSONValue, _ known: Set<String>) throws {
            func refuse(_ what: String) -> DatasetsFailure {
                .unsupported(
                    place: folder, what: what, remedy: "Turn it off for the table, or export the table to Parquet.")
            }
            let version = proto["minReaderVersion"]?.integer ?? 1
            guard version <= 3 else { throw refuse("reader version \(version)") }
            let features = (proto["readerFeatures"]?.array ?? []).compactMap(\.string)
            if let feature = features.first(where: { !known.contains($0) }) { throw refuse("the feature '\(feature)'") }
            let mode = metaData["configuration"]?["delta.columnMapping.mode"]?.string ?? "none"
            guard mode == "none" else { throw refuse("column mapping by \(mode)") }
            for file in files.values where file["deletionVector"].map({ $0 != .null }) ?? false {
                // In a checkpoint an absent vector may come as one without a place.
                if file["deletionVector"]?["storageType"]?.string != nil { throw refuse("deletion vectors") }
            }
        }

        private func file(_ action: JSONValue, _ partitions: [String]) throws -> LakeFile {
            let text = try path(action)
            guard let path = text.removingPercentEncoding, !path.isEmpty else { throw broken("'\(text)' is no path") }
            guard !path.hasPrefix("/"), !path.contains(":/"), !path.split(separator: "/").contains("..") else {
                throw DatasetsFailure.unsupported(
                    place: folder, what: "files outside of its folder, such as \(path)",
                    remedy: "Make a full copy of the table.")
            }
            var constants: [String: String?] = [:]
            for name in partitions {
                // Null and the empty text are the same in a partition.
                let value = action["partitionValues"]?[name]?.string
                constants[name] = .some(value?.isEmpty == false ? value : nil)
            }
            return LakeFile(
                path: "\(folder)/\(path)", bytes: action["size"]?.integer ?? -1, constants: constants)
        }

        private static func engineType(_ type: String?) -> String {
            switch type {
            case "string": "VARCHAR"
            case "long": "BIGINT"
            case "integer": "INTEGER"
            case "short": "SMALLINT"
            case "byte": "TINYINT"
            case "float": "FLOAT"
            case "double": "DOUBLE"
            case "boolean": "BOOLEAN"
            case "binary": "BLOB"
            case "date": "DATE"
            case "timestamp": "TIMESTAMP WITH TIME ZONE"
            case "timestamp_ntz": "TIMESTAMP"
            case let type? where type.hasPrefix("decimal"): type.uppercased()
            default: "STRUCT"
            }
        }
    }
}
