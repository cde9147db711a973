import Basics
import Foundation

/// The metadata of an Iceberg table: which files are its rows at a snapshot.
///
/// After the Iceberg table specification, versions 1 and 2. Deletes of single rows are refused, never passed over.
struct IcebergTable: Sendable {
    struct Column: Sendable, Equatable {
        var id: Int64
        var name: String
        /// As the engine calls it.
        var type: String
    }

    struct Snapshot: Sendable {
        var id: Int64
        var columns: [Column]
        /// Columns whose value may stand in the manifests alone.
        var identityColumns: Set<Int64>
        var files: [LakeFile]
    }

    /// The table's folder, or one of its metadata files.
    let path: String

    /// Reads metadata and manifests; blocks.
    /// - Throws: ``DatasetsFailure/brokenLog(place:reason:)``, ``DatasetsFailure/noMoment(place:wanted:known:)``,
    ///   ``DatasetsFailure/unsupported(place:what:remedy:)``, ``DatasetsFailure/missingFile(_:)``.
    func snapshot(_ moment: LakeOrigin.Moment) throws -> Snapshot {
        let (metadata, folder) = try metadata()
        guard let version = metadata["format-version"]?.integer else { throw broken("it names no format version") }
        guard (1...2).contains(version) else { throw refuse("version \(version) of the Iceberg format") }
        guard let location = metadata["location"]?.string else { throw broken("it names no location") }
        let place = Place(folder: folder, location: location.droppingSlashes)
        let (id, snapshot) = try choose(moment, metadata)
        let columns = try columns(metadata, snapshot)
        let partitions = (metadata["partition-specs"]?.array ?? []).flatMap { $0["fields"]?.array ?? [] }
        let identities = partitions.filter { $0["transform"]?.string == "identity" }.compactMap {
            $0["source-id"]?.integer
        }
        guard let snapshot else {
            return Snapshot(id: id, columns: columns, identityColumns: Set(identities), files: [])
        }
        guard let list = snapshot["manifest-list"]?.string else { throw refuse("snapshots without a manifest list") }
        var files: [LakeFile] = []
        for manifest in try AvroRecords.read(try local(list, place)) {
            guard let name = manifest["manifest_path"]?.string else { throw broken("a manifest has no path") }
            let isOfDeletes = manifest["content"]?.integer == 1
            for entry in try AvroRecords.read(try local(name, place)) where entry["status"]?.integer != 2 {
                guard let file = entry["data_file"], let name = file["file_path"]?.string else {
                    throw broken("an entry of a manifest has no file")
                }
                guard !isOfDeletes, file["content"]?.integer ?? 0 == 0 else { throw refuse("deletes of single rows") }
                guard file["file_format"]?.string?.uppercased() == "PARQUET" else {
                    throw refuse("files of the format \(file["file_format"]?.string ?? "unknown")")
                }
                files.append(
                    LakeFile(
                        path: try local(name, place), bytes: file["file_size_in_bytes"]?.integer ?? -1, constants: [:]))
            }
        }
        return Snapshot(
            id: id, columns: columns, identityColumns: Set(identities),
            files: files.sorted { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) })
    }

    private struct Place {
        let folder: String
        let location: String
    }

    /// Where a file of the metadata is on this machine: the table may have been moved as a whole.
    private func local(_ text: String, _ place: Place) throws -> String {
        func plain(_ text: String) -> String {
            guard text.hasPrefix("file:") else { return text }
            return "/" + text.dropFirst(5).drop { $0 == "/" }
        }
        let (path, location) = (plain(text), plain(place.location))
        guard path.hasPrefix("\(location)/"), !path.split(separator: "/").contains("..") else {
            throw refuse("files outside of its folder, such as \(text)")
        }
        return place.folder + path.dropFirst(location.count)
    }

    /// The newest metadata, and the table's folder.
    private func metadata() throws -> (JSONValue, folder: String) {
        if path.hasSuffix(".json") {
            let folder = ((path as NSString).deletingLastPathComponent as NSString).deletingLastPathComponent
            return (try read(path), folder)
        }
        let folder = "\(path)/metadata"
        guard try FileMark(folder)?.isFolder == true else { throw broken("there is no folder metadata") }
        if let data = FileManager.default.contents(atPath: "\(folder)/version-hint.text") {
            let hint = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
            for name in ["v\(hint).metadata.json", "\(hint).metadata.json"]
            where try FileMark("\(folder)/\(name)") != nil {
                return (try read("\(folder)/\(name)"), path)
            }
            throw broken("version-hint.text names '\(hint)', which is not there")
        }
        let names = try LocalFiles.names(in: folder)
        guard !names.contains(where: { $0.hasSuffix(".metadata.json.gz") || $0.hasSuffix(".gz.metadata.json") }) else {
            throw refuse("packed metadata")
        }
        let numbered = names.filter { $0.hasSuffix(".metadata.json") }.compactMap { name in
            Int64(name.drop { $0 == "v" }.prefix { $0.isNumber }).map { (number: $0, name: name) }
        }
        guard let newest = numbered.map(\.number).max() else { throw broken("it has no metadata") }
        let last = numbered.filter { $0.number == newest }
        guard last.count == 1, let name = last.first?.name else {
            throw broken("several files of metadata have the number \(newest): name one of them in place of the folder")
        }
        return (try read("\(folder)/\(name)"), path)
    }

    private func read(_ path: String) throws -> JSONValue {
        guard let data = FileManager.default.contents(atPath: path) else { throw DatasetsFailure.missingFile(path) }
        do {
            return try JSON.decode(JSONValue.self, from: data)
        } catch {
            throw broken("\((path as NSString).lastPathComponent) is no JSON")
        }
    }

    private func choose(_ moment: LakeOrigin.Moment, _ metadata: JSONValue) throws -> (Int64, JSONValue?) {
        let snapshots = metadata["snapshots"]?.array ?? []
        let wanted: Int64
        switch moment {
        case .latest:
            guard let current = metadata["current-snapshot-id"]?.integer, current >= 0 else { return (-1, nil) }
            wanted = current
        case .version(let id): wanted = id
        case .time(let time):
            let log = metadata["snapshot-log"]?.array ?? []
            let millis = time.microseconds / 1000
            guard let entry = log.last(where: { ($0["timestamp-ms"]?.integer ?? .max) <= millis }),
                let id = entry["snapshot-id"]?.integer
            else {
                let first = log.first?["timestamp-ms"]?.integer.map {
                    Timestamp(microseconds: $0.multipliedReportingOverflow(by: 1000).partialValue)
                }
                throw DatasetsFailure.noMoment(
                    place: path, wanted: "snapshot at \(time)", known: first.map { "snapshots from \($0) on" } ?? "none"
                )
            }
            wanted = id
        }
        guard let found = snapshots.first(where: { $0["snapshot-id"]?.integer == wanted }) else {
            let ids = snapshots.compactMap { $0["snapshot-id"]?.integer }.map(String.init)
            throw DatasetsFailure.noMoment(
                place: path, wanted: "snapshot \(wanted)", known: "the snapshots \(ids.joined(separator: ", "))")
        }
        return (wanted, found)
    }

    private func columns(_ metadata: JSONValue, _ snapshot: JSONValue?) throws -> [Column] {
        let id = snapshot?["schema-id"]?.integer ?? metadata["current-schema-id"]?.integer
        let schema =
            (metadata["schemas"]?.array ?? []).first { $0["schema-id"]?.integer == id } ?? metadata["schema"]
        guard let fields = schema?["fields"]?.array else { throw broken("it has no schema") }
        return try fields.map { field in
            guard let id = field["id"]?.integer, let name = field["name"]?.string else {
                throw broken("a column has no id or no name")
            }
            return Column(id: id, name: name, type: Self.engineType(field["type"]?.string))
        }
    }

    private static func engineType(_ type: String?) -> String {
        switch type {
        case "boolean": "BOOLEAN"
        case "int": "INTEGER"
        case "long": "BIGINT"
        case "float": "FLOAT"
        case "double": "DOUBLE"
        case "date": "DATE"
        case "time": "TIME"
        case "timestamp": "TIMESTAMP"
        case "timestamptz": "TIMESTAMP WITH TIME ZONE"
        case "string": "VARCHAR"
        case "uuid": "UUID"
        case let type? where type.hasPrefix("decimal"): type.uppercased()
        case let type? where type.hasPrefix("fixed") || type == "binary": "BLOB"
        default: "STRUCT"
        }
    }

    private func broken(_ reason: String) -> DatasetsFailure { .brokenLog(place: path, reason: reason) }

    private func refuse(_ what: String) -> DatasetsFailure {
        .unsupported(
            place: path, what: what, remedy: "Rewrite the table's files without it, or export the table to Parquet.")
    }
}
