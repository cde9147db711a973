/// Which features are wanted: all of a service, or some by reference.
public enum FeatureSelection: Sendable, Hashable, ExpressibleByArrayLiteral {
    /// All of a service, in its order.
    case service(String)
    /// Each `view:feature`, or `view` for all of one; a transform's as a view's.
    case references([String])

    public init(arrayLiteral elements: String...) { self = .references(elements) }

    var service: String? {
        if case .service(let name) = self { name } else { nil }
    }

    var references: [String]? {
        if case .references(let names) = self { names } else { nil }
    }
}

/// How rows travel.
public enum RowFormat: String, Sendable, CaseIterable {
    case parquet
    /// A stream of record batches in Arrow's IPC format.
    case arrow
    case csv
    /// JSON lines.
    case json

    /// Its content type in messages.
    public var contentType: String {
        switch self {
        case .parquet: "application/vnd.apache.parquet"
        case .arrow: "application/vnd.apache.arrow.stream"
        case .csv: "text/csv"
        case .json: "application/x-ndjson"
        }
    }
}
