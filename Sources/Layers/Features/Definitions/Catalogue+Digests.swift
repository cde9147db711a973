import Basics
import Datasets

extension Catalogue {
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

    public func digest(ofView name: String) throws -> Digest {
        let view = try view(name)
        return try view.digest(sources: view.sources.map { try digest(ofEvents: $0) })
    }

    /// A transform's digest covers the views that it takes values from.
    public func digest(ofTransform name: String) throws -> Digest {
        struct Content: Codable {
            var transform: TransformDefinition
            var views: [Digest]
        }
        let transform = try transform(name)
        return Digest(
            of: try JSON.canonical(
                Content(
                    transform: transform,
                    views: Set(transform.inputs.map(\.view)).sorted().map { try digest(ofView: $0) })))
    }

    /// The definitions a service rests on, as one digest: a model version pins it.
    public func digest(ofService name: String) throws -> Digest {
        struct Content: Codable {
            var service: FeatureService
            var sources: [Digest]
        }
        let service = try service(name)
        let sources = try service.selections.map {
            $0.isTransform ? try digest(ofTransform: $0.source) : try digest(ofView: $0.source)
        }
        return Digest(of: try JSON.canonical(Content(service: service, sources: sources)))
    }
}
