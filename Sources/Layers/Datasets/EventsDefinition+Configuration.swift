import Configuration

extension EventsDefinition {
    public init(_ node: YAMLNode, _ documents: FactoryDocuments) throws {
        let map = try node.mapping(allowing: [
            "kind", "name", "owner", "description", "sql", "event_time", "available_at",
        ])
        name = try map.string("name")
        owner = try map.string("owner")
        description = try map.optionalString("description") ?? ""
        sql = try documents.text(try map.required("sql"))
        eventTime = try map.string("event_time")
        availableAt = try map.string("available_at")
    }
}
