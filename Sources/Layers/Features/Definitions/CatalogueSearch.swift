import Basics
import Datasets

/// One thing of the catalogue as a search finds it.
public struct CatalogueEntry: Sendable, Codable, Equatable {
    /// `table`, `events`, `entity`, `view`, `transform` or `service`.
    public var kind: String
    public var name: String
    public var owner: String
    public var description: String
    public var tags: [String: String]
    /// Columns, features or join keys.
    public var columns: [String]
    /// What uses it directly, as `kind name`.
    public var consumers: [String]
}

/// What to look for. All that is given must hold; texts match anywhere, without regard to case.
public struct CatalogueQuery: Sendable {
    /// In the name, the description, a column or a tag.
    public var text: String?
    /// `key` or `key=value`.
    public var tag: String?
    public var owner: String?
    public var column: String?
    public var kind: String?

    public init(
        text: String? = nil, tag: String? = nil, owner: String? = nil, column: String? = nil, kind: String? = nil
    ) {
        self.text = text
        self.tag = tag
        self.owner = owner
        self.column = column
        self.kind = kind
    }

    func matches(_ entry: CatalogueEntry) -> Bool {
        func holds(_ wanted: String?, in texts: [String]) -> Bool {
            guard let wanted = wanted?.lowercased(), !wanted.isEmpty else { return true }
            return texts.contains { $0.lowercased().contains(wanted) }
        }
        func hasTag(_ wanted: String) -> Bool {
            let parts = wanted.split(separator: "=", maxSplits: 1).map(String.init)
            guard let key = parts.first, let value = entry.tags[key] else { return false }
            return parts.count == 1 || value == parts[1]
        }
        let tags = entry.tags.flatMap { [$0.key, $0.value] }
        return holds(text, in: [entry.name, entry.description] + entry.columns + tags)
            && holds(owner, in: [entry.owner]) && holds(column, in: entry.columns)
            && kind.map { $0 == entry.kind } ?? true && tag.map(hasTag) ?? true
    }
}

extension Catalogue {
    /// What is defined and matches, by kind and name.
    public func search(_ query: CatalogueQuery) -> [CatalogueEntry] {
        entries().filter(query.matches).sorted { ($0.kind, $0.name) < ($1.kind, $1.name) }
    }

    /// Who uses a feature directly: transforms that take it and services that select it, as `kind name`.
    public func consumers(of feature: FeatureReference) -> [String] {
        transforms.values.filter { $0.inputs.contains(feature) }.map { "transform \($0.name)" }.sorted()
            + services.values.filter { service in
                service.selections.contains { $0.source == feature.view && $0.features.contains(feature.feature) }
            }.map { "service \($0.name)" }.sorted()
    }

    private func entries() -> [CatalogueEntry] {
        func sorted(_ consumers: [String]...) -> [String] { consumers.flatMap { $0 }.sorted() }
        func readers(of source: String) -> [String] {
            views.values.filter { $0.sources.contains(source) }.map { "view \($0.name)" }
        }
        func events(reading name: String) -> [String] {
            self.events.values.filter { $0.name != name && namesRead(by: $0.name).contains(name) }
                .map { "events \($0.name)" }
        }
        func selecting(_ name: String) -> [String] {
            services.values.filter { $0.selections.contains { $0.source == name } }.map { "service \($0.name)" }
        }
        var entries: [CatalogueEntry] = []
        for table in tables.values {
            entries.append(
                CatalogueEntry(
                    kind: "table", name: table.name, owner: table.owner, description: table.description, tags: [:],
                    columns: table.columns.map(\.name), consumers: sorted(events(reading: table.name))))
        }
        for source in self.events.values {
            entries.append(
                CatalogueEntry(
                    kind: "events", name: source.name, owner: source.owner, description: source.description, tags: [:],
                    columns: source.stream?.columns.map(\.name) ?? [source.eventTime, source.availableAt],
                    consumers: sorted(events(reading: source.name), readers(of: source.name))))
        }
        for entity in entities.values {
            entries.append(
                CatalogueEntry(
                    kind: "entity", name: entity.name, owner: entity.owner, description: entity.description,
                    tags: entity.tags, columns: entity.joinKeys,
                    consumers: sorted(
                        views.values.filter { $0.entities.contains(entity.name) }.map { "view \($0.name)" })))
        }
        for view in views.values {
            let transforms = transforms.values.filter { $0.inputs.contains { $0.view == view.name } }
            entries.append(
                CatalogueEntry(
                    kind: "view", name: view.name, owner: view.owner, description: view.description, tags: view.tags,
                    columns: view.joinKeys + view.featureNames,
                    consumers: sorted(transforms.map { "transform \($0.name)" }, selecting(view.name))))
        }
        for transform in transforms.values {
            entries.append(
                CatalogueEntry(
                    kind: "transform", name: transform.name, owner: transform.owner,
                    description: transform.description, tags: transform.tags,
                    columns: transform.request.map(\.name) + transform.features.map(\.name),
                    consumers: sorted(selecting(transform.name))))
        }
        for service in services.values {
            entries.append(
                CatalogueEntry(
                    kind: "service", name: service.name, owner: service.owner, description: service.description,
                    tags: service.tags, columns: service.inputNames, consumers: []))
        }
        return entries
    }
}
