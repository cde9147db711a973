/// A stream of facts with the moment each became knowable: what views are computed from.
public struct EventsDefinition: Sendable, Codable, Equatable {
    public var name: String
    public var owner: String
    public var description: String
    /// The query's text.
    public var sql: String
    public var eventTime: String
    public var availableAt: String
}
