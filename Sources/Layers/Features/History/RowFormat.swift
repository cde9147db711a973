import Datasets

/// How rows travel.
public enum RowFormat: String, Sendable, CaseIterable {
    case parquet
    case csv
    /// JSON lines.
    case json
    /// An Arrow IPC stream of record batches.
    case arrow

    /// The format of a file that can be read in place; nil for streams.
    var file: TableDefinition.FileFormat? {
        switch self {
        case .parquet: .parquet
        case .csv: .csv
        case .json: .json
        case .arrow: nil
        }
    }
}
