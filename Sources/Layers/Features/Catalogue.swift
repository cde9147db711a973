import Basics
import Datasets

/// All definitions of a factory's data and features, checked against each other.
public struct Catalogue: Sendable, Codable, Equatable {
    public private(set) var tables: [String: TableDefinition] = [:]
    public private(set) var events: [String: EventsDefinition] = [:]
    public private(set) var entities: [String: Entity] = [:]
    public private(set) var views: [String: FeatureView] = [:]
    public private(set) var services: [String: FeatureService] = [:]

    public init() {}

    /// - Throws: ``FeaturesFailure/definition(_:remedy:)`` where a name is used twice or refers to nothing.
    public init(
        tables: [TableDefinition], events: [EventsDefinition], entities: [Entity], views: [FeatureView],
        services: [FeatureService]
    ) throws {
        self.tables = try Catalogue.index(tables, kind: "table", by: \.name)
        self.events = try Catalogue.index(events, kind: "event source", by: \.name)
        self.entities = try Catalogue.index(entities, kind: "entity", by: \.name)
        self.views = try Catalogue.index(views, kind: "view", by: \.name)
        self.services = try Catalogue.index(services, kind: "service", by: \.name)
        for name in self.tables.keys where self.events[name] != nil {
            throw FeaturesFailure.definition(
                "'\(name)' is both a table and an event source", remedy: "Give one of them another name.")
        }
        _ = try eventsInOrder()
        for name in self.views.keys.sorted() { try resolve(view: name) }
        for name in self.services.keys.sorted() { try resolve(service: name) }
    }

    private mutating func resolve(view name: String) throws {
        guard var view = views[name] else { return }
        view.joinKeys = try view.entities.flatMap { entity in
            try Catalogue.need(entities[entity], "entity", entity, in: "view '\(name)'", known: entities.keys).joinKeys
        }
        for source in view.sources {
            _ = try Catalogue.need(events[source], "event source", source, in: "view '\(name)'", known: events.keys)
        }
        // The leak check cuts the declared sources to what was knowable; anything else a view read would escape it.
        let words = TablesRead.names(in: view.sql)
        let undeclared =
            events.keys.filter { words.contains($0) && !view.sources.contains($0) } + tables.keys.filter(words.contains)
        if let other = undeclared.min() {
            throw FeaturesFailure.definition(
                "the view '\(name)' reads '\(other)', which is not among its sources",
                remedy: tables[other] == nil
                    ? "Add it to 'sources'." : "A table has no times; define an event source over it and read that.")
        }
        views[name] = view
    }

    private mutating func resolve(service name: String) throws {
        guard var service = services[name] else { return }
        for (index, selection) in service.views.enumerated() {
            let view = try Catalogue.need(
                views[selection.view], "view", selection.view, in: "service '\(name)'", known: views.keys)
            if selection.features.isEmpty {
                service.views[index].features = view.features
            }
            for feature in selection.features where !view.features.contains(feature) {
                _ = try Catalogue.need(
                    Optional<String>.none, "feature", "\(view.name):\(feature)", in: "service '\(name)'",
                    known: view.features)
            }
        }
        services[name] = service
    }

    private static func index<Item>(_ items: [Item], kind: String, by name: KeyPath<Item, String>) throws
        -> [String: Item]
    {
        var byName: [String: Item] = [:]
        for item in items where byName.updateValue(item, forKey: item[keyPath: name]) != nil {
            throw FeaturesFailure.definition(
                "two \(kind) definitions are named '\(item[keyPath: name])'", remedy: "Rename or remove one.")
        }
        return byName
    }

    private static func need<Item>(
        _ item: Item?, _ kind: String, _ name: String, in place: String, known: some Collection<String>
    ) throws -> Item {
        guard let item else {
            throw FeaturesFailure.definition(
                "\(place) names the \(kind) '\(name)', which is not defined",
                remedy: "Defined: \(known.sorted().joined(separator: ", ")).")
        }
        return item
    }

    public func table(_ name: String) throws -> TableDefinition { try find(tables, "table", name) }
    public func view(_ name: String) throws -> FeatureView { try find(views, "feature view", name) }
    public func service(_ name: String) throws -> FeatureService { try find(services, "feature service", name) }
    public func eventSource(_ name: String) throws -> EventsDefinition { try find(events, "event source", name) }

    private func find<Item>(_ items: [String: Item], _ kind: String, _ name: String) throws -> Item {
        guard let item = items[name] else {
            throw FeaturesFailure.unknown(kind: kind, name: name, known: Array(items.keys))
        }
        return item
    }

    /// Event sources, each after those its SQL reads.
    ///
    /// - Throws: ``FeaturesFailure/definition(_:remedy:)`` where some read each other in a circle.
    func eventsInOrder() throws -> [EventsDefinition] {
        var waiting = events.values.sorted { $0.name < $1.name }
        var ordered: [EventsDefinition] = []
        while !waiting.isEmpty {
            let names = Set(waiting.map(\.name))
            let ready = waiting.filter { TablesRead.names(in: $0.sql).isDisjoint(with: names.subtracting([$0.name])) }
            guard !ready.isEmpty else {
                throw FeaturesFailure.definition(
                    "the event sources \(names.sorted().joined(separator: ", ")) read each other in a circle",
                    remedy: "Let one of them read tables only.")
            }
            ordered += ready
            waiting.removeAll { events in ready.contains { $0.name == events.name } }
        }
        return ordered
    }

    /// An event source's digest covers the sources that it reads, as deep as they go.
    func digest(ofEvents name: String) throws -> Digest {
        struct Content: Codable {
            var definition: EventsDefinition
            var reads: [Digest]
        }
        let definition = try eventSource(name)
        let words = TablesRead.names(in: definition.sql)
        let reads = try events.keys.sorted().filter { $0 != name && words.contains($0) }.map {
            try digest(ofEvents: $0)
        }
        return Digest(of: try JSON.canonical(Content(definition: definition, reads: reads)))
    }

    /// The definitions a service rests on, as one digest: a model version pins it.
    public func digest(ofService name: String) throws -> Digest {
        struct Content: Codable {
            var service: FeatureService
            var views: [Digest]
        }
        let service = try service(name)
        let views = try service.views.map { try digest(ofView: $0.view) }
        return Digest(of: try JSON.canonical(Content(service: service, views: views)))
    }

    public func digest(ofView name: String) throws -> Digest {
        let view = try view(name)
        return try view.digest(sources: view.sources.map { try digest(ofEvents: $0) })
    }
}
