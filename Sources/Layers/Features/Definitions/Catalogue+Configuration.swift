import Configuration
import Datasets

extension Catalogue {
    /// Reads what stands under `data/` and `features/`.
    ///
    /// - Throws: `ConfigurationFailure` with file and line, or ``FeaturesFailure/definition(_:remedy:)``.
    public init(_ documents: FactoryDocuments) throws {
        var parts = Parts()
        for node in documents.folders["data"] ?? [] {
            switch try node.declaredKind(of: ["table", "events"]) {
            case "table": parts.tables.append(try TableDefinition(node))
            default: parts.events.append(try EventsDefinition(node, documents))
            }
        }
        for node in documents.folders["features"] ?? [] {
            switch try node.declaredKind(of: ["entity", "view", "transform", "service", "test"]) {
            case "entity": parts.entities.append(try Entity(node))
            case "view": parts.views.append(try FeatureView(node, documents))
            case "transform": parts.transforms.append(try TransformDefinition(node))
            case "service": parts.services.append(try FeatureService(node))
            default: parts.tests.append(try FeatureTest(node))
            }
        }
        try self.init(parts)
    }
}
