import Basics
import Datasets
import Features
import HTTP
import Security

extension WorksAPI {
    /// What is defined: listed, searched, and one view with all that uses it.
    func installCatalogue(on router: Router) {
        router.get(
            "\(Self.prefix)/features", needs: .right(to: .read),
            about: .init(
                "Lists the views", answer: .json([ViewSummary].self))
        ) { _ in
            let catalogue = services.features.catalogue
            return try .json(
                catalogue.views.values.sorted { $0.name < $1.name }.map { try ViewSummary($0, in: catalogue) })
        }
        router.get(
            "\(Self.prefix)/features/search", needs: .right(to: .read),
            about: .init(
                "Searches the catalogue",
                query: [
                    .optional("text", "words of a name or description"),
                    .optional("tag", "a tag, key or key=value"),
                    .optional("owner", "an owner"),
                    .optional("column", "a column or feature"),
                    .optional("kind", "a kind of definition"),
                ], answer: .json([CatalogueEntry].self))
        ) { request in
            try .json(
                services.features.catalogue.search(
                    CatalogueQuery(
                        text: request.query("text"), tag: request.query("tag"), owner: request.query("owner"),
                        column: request.query("column"), kind: request.query("kind"))))
        }
        router.get(
            "\(Self.prefix)/features/views/{view}", needs: .right(to: .read, on: "view"),
            about: .init(
                "Shows a view with its features and who uses each", answer: .json(ViewDetail.self))
        ) { request in
            let catalogue = services.features.catalogue
            let view = try catalogue.view(try request.parameter("view"))
            return try .json(
                try ViewDetail(view, in: catalogue, try await services.features.presentProfile(of: view.name)))
        }
    }
}

/// A view in a list.
private struct ViewSummary: Codable {
    var name: String
    var owner: String
    var entities: [String]
    var features: [String]
    var digest: Digest
    var ttlSeconds: Int64?
    var everySeconds: Int64?
    var services: [String]

    init(_ view: FeatureView, in catalogue: Catalogue) throws {
        name = view.name
        owner = view.owner
        entities = view.entities
        features = view.featureNames
        digest = try catalogue.digest(ofView: view.name)
        ttlSeconds = view.ttlSeconds
        everySeconds = view.everySeconds
        services = try catalogue.services.keys.filter {
            try catalogue.viewNames(ofService: $0).contains(view.name)
        }.sorted()
    }
}

/// A view with its features and who uses each.
private struct ViewDetail: Codable {
    struct Item: Codable {
        var name: String
        var type: String
        var description: String
        var consumers: [String]
        /// How far its values lie from the reference; nil where they were not compared.
        var psi: Double?
    }

    var definition: FeatureView
    var digest: Digest
    var features: [Item]
    /// The features that have drifted further than the view allows, the worst first.
    var drifted: [String]

    init(_ view: FeatureView, in catalogue: Catalogue, _ profile: HistoryProfile?) throws {
        drifted = profile?.drifted(beyond: view.drift ?? .standard).map(\.feature) ?? []
        definition = view
        digest = try catalogue.digest(ofView: view.name)
        features = view.features.map { feature in
            Item(
                name: feature.name, type: "\(feature.type)", description: feature.description,
                consumers: catalogue.consumers(of: FeatureReference(view: view.name, feature: feature.name)),
                psi: profile?.features.first { $0.feature == feature.name }?.drift?.worst)
        }
    }
}
