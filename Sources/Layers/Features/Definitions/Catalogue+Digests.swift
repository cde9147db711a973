import Basics

extension Catalogue {
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
