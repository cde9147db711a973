import Basics

/// Values of entities as they were read online, column by column.
public struct OnlineValues: Sendable, Decodable {
    /// What became of a value that was asked for.
    public enum Status: String, Sendable, Decodable, CaseIterable {
        case present = "PRESENT"
        /// The row is there, and the value is null in it.
        case nullValue = "NULL_VALUE"
        /// There is no row that was to be used at the moment asked for.
        case notFound = "NOT_FOUND"
        /// The row is older than its view's ttl.
        case outsideMaxAge = "OUTSIDE_MAX_AGE"
    }

    /// One feature.
    public struct Column: Sendable, Decodable {
        /// `view__feature`.
        public let name: String
        /// One for each entity; null unless its status is ``Status/present``.
        public let values: [JSONValue]
        public let statuses: [Status]
        /// Of the rows that were found; nil too for what a transform computed.
        public let eventTimes: [Timestamp?]

        enum CodingKeys: String, CodingKey {
            case name, values, statuses
            case eventTimes = "event_times"
        }
    }

    /// How many entities were asked for.
    public let count: Int
    /// In the order asked for.
    public let columns: [Column]

    enum CodingKeys: String, CodingKey {
        case count = "entities"
        case columns = "features"
    }

    /// The column of a name; nil where it was not asked for.
    public subscript(name: String) -> Column? { columns.first { $0.name == name } }

    /// The values of each entity as a type whose properties are called as the columns are; null is nil.
    /// - Throws: ``ClientFailure`` where a property that is not optional has no value, or one of another type.
    public func rows<Row: Decodable>(of type: Row.Type) throws -> [Row] {
        try (0..<count).map { entity in
            var members: [String: JSONValue] = [:]
            for column in columns where column.values.indices.contains(entity) {
                members[column.name] = column.values[entity]
            }
            do {
                return try JSON.decode(type, from: JSON.canonical(JSONValue.object(members)))
            } catch {
                throw ClientFailure(
                    .failedPrecondition, "entity \(entity) is no \(type): \(error)",
                    remedy: "Make properties optional whose values may be null or missing.")
            }
        }
    }
}

/// What goes wrong in the client itself.
public struct ClientFailure: Failure {
    public let code: FailureCode
    public let message: String
    public let remedy: String?

    init(_ code: FailureCode, _ message: String, remedy: String? = nil) {
        self.code = code
        self.message = message
        self.remedy = remedy
    }
}
