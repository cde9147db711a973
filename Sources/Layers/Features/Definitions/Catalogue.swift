import Basics
import Datasets
import Expressions

/// All definitions of a factory's data and features, checked against each other.
public struct Catalogue: Sendable, Equatable {
    public private(set) var tables: [String: TableDefinition] = [:]
    public private(set) var events: [String: EventsDefinition] = [:]
    public private(set) var entities: [String: Entity] = [:]
    public private(set) var views: [String: FeatureView] = [:]
    public private(set) var transforms: [String: TransformDefinition] = [:]
    public private(set) var services: [String: FeatureService] = [:]
    public private(set) var tests: [String: FeatureTest] = [:]
    /// The names that each event source's SQL may read tables by.
    private var reads: [String: Set<String>] = [:]
    /// The digests of event sources: each covers those that it reads, as deep as they go.
    private var eventDigests: [String: Digest] = [:]
    private var viewDigests: [String: Digest] = [:]

    /// Definitions as they are read, not yet checked against each other.
    struct Parts {
        var tables: [TableDefinition] = []
        var events: [EventsDefinition] = []
        var entities: [Entity] = []
        var views: [FeatureView] = []
        var transforms: [TransformDefinition] = []
        var services: [FeatureService] = []
        var tests: [FeatureTest] = []
    }

    public init() {}

    /// The same views, transforms and services over other tables and event sources.
    func over(tables: [TableDefinition], events: [EventsDefinition]) throws -> Catalogue {
        try Catalogue(
            Parts(
                tables: tables, events: events, entities: Array(entities.values), views: Array(views.values),
                transforms: Array(transforms.values), services: Array(services.values)))
    }

    /// - Throws: ``FeaturesFailure/definition(_:remedy:)`` where a name is used twice or refers to nothing.
    init(_ parts: Parts) throws {
        tables = try Catalogue.index(parts.tables, kind: "table", by: \.name)
        events = try Catalogue.index(parts.events, kind: "event source", by: \.name)
        entities = try Catalogue.index(parts.entities, kind: "entity", by: \.name)
        views = try Catalogue.index(parts.views, kind: "view", by: \.name)
        transforms = try Catalogue.index(parts.transforms, kind: "transform", by: \.name)
        services = try Catalogue.index(parts.services, kind: "service", by: \.name)
        tests = try Catalogue.index(parts.tests, kind: "test", by: \.name)
        try refuseShared(tables.keys, events.keys, "a table and an event source")
        try refuseShared(views.keys, transforms.keys, "a view and a transform")
        reads = events.mapValues { TablesRead.names(in: $0.sql) }
        for events in try eventsInOrder() { eventDigests[events.name] = try digest(of: events) }
        for name in views.keys.sorted() { try resolve(view: name) }
        viewDigests = try views.mapValues { try $0.digest(sources: $0.sources.map { try digest(ofEvents: $0) }) }
        for name in transforms.keys.sorted() { try resolve(transform: name) }
        for name in services.keys.sorted() { try resolve(service: name) }
        for name in tests.keys.sorted() { try resolve(test: name) }
    }

    private func refuseShared(
        _ names: some Collection<String>, _ others: some Collection<String>, _ kinds: String
    ) throws {
        for name in Set(names).intersection(others).sorted() {
            throw FeaturesFailure.definition("'\(name)' is both \(kinds)", remedy: "Give one of them another name.")
        }
    }

    private mutating func resolve(view name: String) throws {
        guard var view = views[name] else { return }
        let place = "view '\(name)'"
        view.joinKeys = try view.entities.flatMap { entity in
            try Catalogue.need(entities[entity], "entity", entity, in: place, known: entities.keys).joinKeys
        }
        for source in view.sources {
            _ = try Catalogue.need(events[source], "event source", source, in: place, known: events.keys)
        }
        if case .sql(let sql) = view.content {
            // The leak check cuts the declared sources to what was knowable; anything else a view read would escape it.
            let words = TablesRead.names(in: sql)
            let undeclared =
                events.keys.filter { words.contains($0) && !view.sources.contains($0) }
                + tables.keys.filter(words.contains)
            if let other = undeclared.min() {
                throw FeaturesFailure.definition(
                    "the \(place) reads '\(other)', which is not among its sources",
                    remedy: tables[other] == nil
                        ? "Add it to 'sources'." : "A table has no times; define an event source over it and read that."
                )
            }
        } else if let source = view.sources.first.flatMap({ events[$0] }), let stream = source.stream {
            try resolve(&view, over: source, stream)
        }
        views[name] = view
    }

    /// Checks a view against the columns that its stream declares, and takes the types from there.
    private func resolve(
        _ view: inout FeatureView, over source: EventsDefinition, _ stream: StreamDefinition
    ) throws {
        let names = stream.columns.map(\.name)
        let types = Dictionary(stream.columns.map { ($0.name, $0.type) }) { first, _ in first }
        let place = "view '\(view.name)'"
        for key in view.joinKeys {
            _ = try Catalogue.need(types[key], "column", key, in: "\(place), by its join keys,", known: names)
        }
        switch view.content {
        case .windows(let windows, let tile):
            let typed = try windows.map { window in
                guard let column = window.column else { return window }
                var window = window
                let type = try Catalogue.need(types[column], "column", column, in: place, known: names)
                if let written = window.columnType, written != type {
                    throw FeaturesFailure.definition(
                        "the \(place) takes '\(column)' for \(written.rawValue), and '\(source.name)' declares \(type.rawValue)",
                        remedy: "Leave out 'type'.")
                }
                window.columnType = type
                return window
            }
            view.content = .windows(typed, tileSeconds: tile)
            view.features = typed.map { Feature($0.name, $0.type) }
        case .latest:
            for feature in view.features {
                let type = try Catalogue.need(types[feature.name], "column", feature.name, in: place, known: names)
                guard feature.type == FeatureType(type) else {
                    throw FeaturesFailure.definition(
                        "the feature '\(feature.name)' of the \(place) is \(feature.type), and '\(source.name)' declares "
                            + type.rawValue,
                        remedy: "Write the same type in both.")
                }
            }
        case .sql: break
        }
    }

    private func resolve(transform name: String) throws {
        guard let transform = transforms[name] else { return }
        let place = "transform '\(name)'"
        for input in transform.inputs {
            let view = try Catalogue.need(views[input.view], "view", input.view, in: place, known: views.keys)
            try needFeature(input.feature, of: view.name, view.featureNames, in: place)
        }
        do { _ = try program(ofTransform: name) } catch let failure as ExpressionFailure {
            throw FeaturesFailure.definition(
                "the \(place): \(failure.message)", remedy: failure.remedy ?? "Correct the expression.")
        }
    }

    /// A transform made ready for evaluation: its inputs are the request's fields, then the views' values by full name.
    ///
    /// - Throws: `ExpressionFailure`, or ``FeaturesFailure`` for a transform or view there is not.
    public func program(ofTransform name: String) throws -> ScalarProgram {
        let transform = try transform(name)
        let place = "transform '\(name)'"
        var fields = try transform.request.map { try scalarField($0.name, $0.type, in: place) }
        for input in transform.inputs {
            guard let feature = try view(input.view).features.first(where: { $0.name == input.feature }) else {
                throw FeaturesFailure.unknown(
                    kind: "feature", name: "\(input)", known: try view(input.view).featureNames)
            }
            fields.append(try scalarField(input.fullName, feature.type, in: place))
        }
        return try ScalarProgram(inputs: fields, expressions: transform.features.map { ($0.name, $0.expression) })
    }

    private func scalarField(_ name: String, _ type: FeatureType, in place: String) throws -> ScalarField {
        guard !type.isList else {
            throw FeaturesFailure.definition(
                "the \(place) takes '\(name)', which is a list", remedy: "Expressions work on single values.")
        }
        return ScalarField(name, type.scalar)
    }

    private mutating func resolve(service name: String) throws {
        guard var service = services[name] else { return }
        let place = "service '\(name)'"
        for (index, selection) in service.selections.enumerated() {
            var selection = selection
            let known: [String]
            if let transform = transforms[selection.source] {
                selection.isTransform = true
                known = transform.features.map(\.name)
                guard selection.keys.isEmpty else {
                    throw FeaturesFailure.definition(
                        "\(place) maps join keys of '\(selection.source)', which is a transform",
                        remedy: "Remove 'keys'.")
                }
            } else {
                let view = try Catalogue.need(
                    views[selection.source], "view", selection.source, in: place,
                    known: Array(views.keys) + transforms.keys)
                known = view.featureNames
                for key in selection.keys.keys.sorted() where !view.joinKeys.contains(key) {
                    _ = try Catalogue.need(
                        Optional<String>.none, "join key", key, in: "\(place), under '\(selection.name)',",
                        known: view.joinKeys)
                }
            }
            if selection.features.isEmpty { selection.features = known }
            for feature in selection.features { try needFeature(feature, of: selection.source, known, in: place) }
            service.selections[index] = selection
        }
        let inputs = service.inputNames
        if let twice = inputs.first(where: { name in inputs.count(where: { $0 == name }) > 1 }) {
            throw FeaturesFailure.definition(
                "the \(place) has two inputs called '\(twice)'",
                remedy: "Take one of them under another name with 'as'.")
        }
        services[name] = service
    }

    private func resolve(test name: String) throws {
        guard let test = tests[name] else { return }
        let place = "test '\(name)'"
        switch test.target {
        case .view(let view): _ = try Catalogue.need(views[view], "view", view, in: place, known: views.keys)
        case .transform(let transform):
            _ = try Catalogue.need(
                transforms[transform], "transform", transform, in: place, known: transforms.keys)
        case .service(let service):
            _ = try Catalogue.need(services[service], "service", service, in: place, known: services.keys)
        }
        for source in test.given.keys.sorted() where tables[source] == nil && events[source] == nil {
            _ = try Catalogue.need(
                Optional<String>.none, "table or event source", source, in: place,
                known: Array(tables.keys) + events.keys)
        }
    }

    private func needFeature(_ feature: String, of source: String, _ known: [String], in place: String) throws {
        guard !known.contains(feature) else { return }
        _ = try Catalogue.need(Optional<String>.none, "feature", "\(source):\(feature)", in: place, known: known)
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
    public func transform(_ name: String) throws -> TransformDefinition { try find(transforms, "transform", name) }
    public func service(_ name: String) throws -> FeatureService { try find(services, "feature service", name) }
    public func eventSource(_ name: String) throws -> EventsDefinition { try find(events, "event source", name) }

    private func find<Item>(_ items: [String: Item], _ kind: String, _ name: String) throws -> Item {
        guard let item = items[name] else {
            throw FeaturesFailure.unknown(kind: kind, name: name, known: Array(items.keys))
        }
        return item
    }

    /// The views that a service reads: those it selects, and those that its transforms take values from.
    public func viewNames(ofService name: String) throws -> Set<String> {
        var names: Set<String> = []
        for selection in try service(name).selections {
            if selection.isTransform {
                names.formUnion(try transform(selection.source).inputs.map(\.view))
            } else {
                names.insert(selection.source)
            }
        }
        return names
    }

    /// The names that an event source's SQL may read tables by: words after FROM and JOIN.
    func namesRead(by events: String) -> Set<String> { reads[events] ?? [] }

    /// An event source's digest covers the sources that it reads, as deep as they go.
    func digest(ofEvents name: String) throws -> Digest {
        _ = try eventSource(name)
        return try find(eventDigests, "event source", name)
    }

    /// - Parameter definition: an event source; the digests of those that it reads are known.
    private func digest(of definition: EventsDefinition) throws -> Digest {
        struct Content: Codable {
            var definition: EventsDefinition
            var reads: [Digest]
        }
        let words = namesRead(by: definition.name)
        let reads = try events.keys.sorted().filter { $0 != definition.name && words.contains($0) }.map {
            try digest(ofEvents: $0)
        }
        return Digest(of: try JSON.canonical(Content(definition: definition, reads: reads)))
    }

    /// The digest of everything that decides a view's values but the data.
    public func digest(ofView name: String) throws -> Digest { try find(viewDigests, "feature view", name) }

    /// Event sources, each after those its SQL reads.
    ///
    /// - Throws: ``FeaturesFailure/definition(_:remedy:)`` where some read each other in a circle.
    func eventsInOrder() throws -> [EventsDefinition] {
        var waiting = events.values.sorted { $0.name < $1.name }
        var ordered: [EventsDefinition] = []
        while !waiting.isEmpty {
            let names = Set(waiting.map(\.name))
            let ready = waiting.filter { namesRead(by: $0.name).isDisjoint(with: names.subtracting([$0.name])) }
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
}
