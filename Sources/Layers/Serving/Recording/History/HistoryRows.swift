import Basics
import Columnar
import Foundation
import Inference
import ObjectStorage

/// Records on their way into a Parquet file.
///
/// Columns: `position` and `next` in the log, `id`, `id_hash` and `request_hash` (by which ids are found), `recorded`,
/// `version`, `arm`, `outcome`, `error`, the stages in nanoseconds, `record` (its bytes), and for every input and output a
/// list of doubles called `input:NAME` or `output:NAME`, null where there were more than 1,024 elements or none were kept,
/// and where they are texts.
struct HistoryRows {
    private let kind: KeptPrediction.Kind
    private(set) var count = 0
    private var bytes = 0
    private var positions: [Int64] = []
    private var nexts: [Int64] = []
    private var ids = StringVector()
    private var hashes: [Int64] = []
    private var requestHashes: [Int64] = []
    private var recorded: [Timestamp] = []
    private var versions = StringVector()
    private var arms = StringVector()
    private var outcomes = StringVector()
    private var errors: [String?] = []
    private var stages: [RequestStage: [Int64]] = [:]
    private var values: [String?] = []
    private var records = StringVector()

    private static let elementsMax = 1024
    private static let rowsMax = 20_000
    private static let bytesMax = 16 << 20

    init(_ kind: KeptPrediction.Kind) { self.kind = kind }

    var isFull: Bool { count >= Self.rowsMax || bytes >= Self.bytesMax }

    /// What the hash of an id is in `id_hash`.
    static func hash(_ id: String) -> Int64 { Int64(bitPattern: SplitMix.hash(id)) }

    /// The columns of the table that rows are collected in.
    static let columns =
        "position BIGINT, next BIGINT, id VARCHAR, id_hash BIGINT, request_hash BIGINT, recorded TIMESTAMP, "
        + "version VARCHAR, arm VARCHAR, outcome VARCHAR, error VARCHAR, "
        + RequestStage.allCases.map { "\($0.rawValue)_ns BIGINT" }.joined(separator: ", ")
        + ", tensors VARCHAR, record VARCHAR"

    mutating func add(_ logged: LoggedRecord) {
        let prediction = kind.prediction(logged.bytes, channel: "", features: nil)
        let id = prediction?.id ?? ""
        count += 1
        bytes += logged.bytes.count
        positions.append(logged.position.offset)
        nexts.append(logged.next.offset)
        ids.append(id)
        hashes.append(Self.hash(id))
        requestHashes.append(Self.hash(Self.request(of: id)))
        // What is no record is kept as well: its bytes are what counts.
        recorded.append(prediction?.recorded ?? Timestamp(microseconds: 0))
        versions.append(prediction?.version ?? "")
        arms.append(prediction?.arm ?? "")
        outcomes.append(prediction?.outcome ?? "")
        errors.append(prediction?.error)
        for stage in RequestStage.allCases {
            stages[stage, default: []].append(Int64(clamping: prediction?.stages[stage] ?? 0))
        }
        values.append(prediction.flatMap(Self.tensors))
        records.append(Data(logged.bytes).base64EncodedString())
    }

    /// The id of the request of which a row is called `REQUEST/NUMBER`.
    private static func request(of id: String) -> String {
        guard let slash = id.lastIndex(of: "/"), id.index(after: slash) < id.endIndex,
            id[id.index(after: slash)...].utf8.allSatisfy({ (48...57).contains($0) })
        else { return id }
        return String(id[..<slash])
    }

    /// The small inputs and outputs of numbers, as an object of arrays.
    private static func tensors(_ prediction: KeptPrediction) -> String? {
        var members: [String: JSONValue] = [:]
        for (prefix, parts) in [("input", prediction.inputs), ("output", prediction.outputs)] {
            for part in parts {
                guard let data = part.data, data.count <= elementsMax, part.datatype != TensorType.bytes.rawValue else {
                    continue
                }
                members["\(prefix):\(part.name)"] = .array(
                    data.map { value in value.bool.map { .number($0 ? 1 : 0) } ?? value })
            }
        }
        return members.isEmpty ? nil : try? JSON.string(JSONValue.object(members))
    }

    func table() throws -> Table {
        var members: [(name: String, column: Column)] = [
            ("position", .int64s(positions)), ("next", .int64s(nexts)), ("id", try Column(.strings(ids))),
            ("id_hash", .int64s(hashes)), ("request_hash", .int64s(requestHashes)),
            ("recorded", .timestamps(recorded)), ("version", try Column(.strings(versions))),
            ("arm", try Column(.strings(arms))), ("outcome", try Column(.strings(outcomes))),
            ("error", .strings(nullable: errors)),
        ]
        for stage in RequestStage.allCases { members.append(("\(stage.rawValue)_ns", .int64s(stages[stage] ?? []))) }
        members.append(("tensors", .strings(nullable: values)))
        members.append(("record", try Column(.strings(records))))
        return try Table(members)
    }

    /// What a query selects from the table for the file: one column for each tensor there is.
    static func selection(from table: String, _ connection: ColumnarConnection) throws -> String {
        let names = try connection.query(
            """
            SELECT DISTINCT unnest(json_keys(tensors)) AS name FROM \(table) WHERE tensors IS NOT NULL ORDER BY name
            """
        ).strings("name").compactMap { $0 }
        let tensors = names.map { name in
            // As a pointer of RFC 6901, which knows no other special characters than these two.
            let pointer = "/" + name.replacing("~", with: "~0").replacing("/", with: "~1")
            return "CAST(json_extract(tensors, \(SQLText.literal(pointer))) AS DOUBLE[]) AS \(SQLText.identifier(name))"
        }
        return (["* EXCLUDE (tensors, record)"] + tensors + ["from_base64(record) AS record"]).joined(separator: ", ")
    }
}
