import Basics
import Configuration
import Features
import Testing

@Suite struct CatalogueTests {
    private static let files = [
        "data/clicks.yaml": """
        kind: events
        name: clicks
        owner: web
        stream: {topic: clicks, lateness: 1h, columns: {user: string, page: string, at: timestamp, seconds: integer}}
        event_time: at
        """,
        "features/user.yaml": "{kind: entity, name: user, owner: web, join_keys: [user], tags: {pii: 'yes'}}",
        "features/browsing.yaml": """
        kind: view
        name: browsing
        owner: web
        description: What a user looks at.
        tags: {team: web}
        entities: [user]
        source: clicks
        tile: 5m
        ttl: 7d
        aggregations:
          visits: {count: "*", over: [1h, 1d]}
          seconds_1h: {sum: seconds, over: 1h}
          longest_1d: {max: seconds, over: 1d}
          pages_1d: {distinct: page, over: 1d}
          last_pages: {last_n: page, n: 3, over: 1d}
          median_1d: {percentile: seconds, q: 0.5, over: 1d}
        """,
        "features/position.yaml":
            "{kind: view, name: position, owner: geo, entities: [user], source: clicks, ttl: none, features: {page: string}}",
        "features/hurry.yaml": """
        kind: transform
        name: hurry
        owner: web
        request: {patience: double}
        views: ["browsing:seconds_1h"]
        features: {per_visit: "browsing__seconds_1h / patience"}
        """,
        "features/front.yaml": """
        kind: service
        name: front
        owner: web
        request: {hour: double}
        views: ["browsing:visits_1h", hurry, {view: browsing, as: friend, keys: {user: friend}, features: [visits_1d]}]
        """,
    ]

    private func catalogue(_ changes: [String: String?] = [:]) throws -> Catalogue {
        var files = Self.files
        files["works.yaml"] = "name: small"
        for (name, text) in changes { files[name] = text }
        return try Catalogue(FactoryDocuments(files: files, environment: [:]))
    }

    private func changed(_ file: String, _ old: String, _ new: String) throws -> Catalogue {
        try catalogue([file: Self.files[file]?.replacing(old, with: new)])
    }

    @Test func windowsTakeTheirTypesFromTheStream() throws {
        let view = try catalogue().view("browsing")
        #expect(
            view.features.map { "\($0.name): \($0.type)" } == [
                "visits_1h: integer", "visits_1d: integer", "seconds_1h: integer", "longest_1d: integer",
                "pages_1d: integer", "last_pages: list<string>", "median_1d: double",
            ])
        #expect(view.joinKeys == ["user"])
        #expect(view.windows.map(\.windowSeconds) == [3600, 86400, 3600, 86400, 86400, 86400, 86400])
        #expect(try catalogue().view("position").ttlSeconds == nil)
    }

    @Test func aServiceNamesInputsByItsOwnNames() throws {
        let catalogue = try catalogue()
        #expect(
            try catalogue.service("front").inputNames == [
                "hour", "browsing__visits_1h", "hurry__per_visit", "friend__visits_1d",
            ])
        #expect(try catalogue.viewNames(ofService: "front") == ["browsing"])
    }

    @Test(arguments: [
        ("features/browsing.yaml", "tile: 5m", "tile: 7m", "is no multiple of its tile of 420 s"),
        ("features/browsing.yaml", "ttl: 7d", "ttl: 0s", "a 'ttl' of nothing would let no value be used"),
        ("features/browsing.yaml", "sum: seconds", "sum: secunds", "names the column 'secunds', which is not defined"),
        ("features/browsing.yaml", "sum: seconds", "total: seconds", "unknown key 'total'"),
        ("features/browsing.yaml", "q: 0.5", "q: 5", "'q' must be"),
        ("features/browsing.yaml", "source: clicks", "source: klicks", "names the event source 'klicks'"),
        ("features/browsing.yaml", "seconds_1h: {sum", "visits_1h: {sum", "has two features of one name"),
        ("features/position.yaml", "page: string", "page: double", "is double, and 'clicks' declares string"),
        ("features/hurry.yaml", "browsing:seconds_1h\"", "browsing:nothing\"", "names the feature 'browsing:nothing'"),
        ("features/hurry.yaml", "per_visit:", "patience:", "the name 'patience' is given twice"),
        ("features/hurry.yaml", "/ patience", "/ patienze", "unknown name 'patienze' at 23 (did you mean 'patience'?)"),
        (
            "features/hurry.yaml", "browsing:seconds_1h\"", "browsing:last_pages\"",
            "'browsing__last_pages', which is a list"
        ),
        ("features/front.yaml", "as: friend, ", "", "are called 'browsing'"),
        ("features/front.yaml", "keys: {user", "keys: {visitor", "names the join key 'visitor'"),
        ("data/clicks.yaml", "event_time: at", "event_time: page", "'event_time' names no timestamp"),
        ("data/clicks.yaml", "user: string", "arrived_at: timestamp", "'arrived_at' is added to every stream"),
    ])
    func aDefinitionThatCanNotHoldIsRefused(file: String, old: String, new: String, expected: String) throws {
        let error = #expect(throws: (any Error).self) { try changed(file, old, new) }
        #expect("\(error.map { "\($0)" } ?? "")".contains(expected), "\(error.map { "\($0)" } ?? "")")
    }

    @Test func whatBreaksAConsumerIsToldApartFromWhatChangesItsValues() throws {
        let before = try catalogue()
        #expect(try before.serviceChanges(to: before) == [])
        let values = try before.serviceChanges(to: changed("features/browsing.yaml", "tile: 5m", "tile: 10m"))
        #expect(values.map(\.breaks) == [false])
        #expect(values.first?.explanation == "browsing, hurry would be computed otherwise")
    }

    @Test func aRemovedInputBreaks() throws {
        let before = try catalogue()
        let after = try changed("features/front.yaml", "\"browsing:visits_1h\", ", "")
        #expect(
            try before.serviceChanges(to: after).map { "\($0.breaks): \($0.explanation)" } == [
                "true: the input 'browsing__visits_1h' is removed"
            ])
        #expect(
            try before.serviceChanges(to: catalogue(["features/front.yaml": nil])).map(\.explanation) == [
                "it is removed"
            ])
    }

    @Test func aSearchFindsByNameTagOwnerAndColumn() throws {
        let catalogue = try catalogue()
        func names(_ query: CatalogueQuery) -> [String] { catalogue.search(query).map { "\($0.kind) \($0.name)" } }
        #expect(names(CatalogueQuery(text: "look")) == ["view browsing"])
        #expect(names(CatalogueQuery(tag: "team=web")) == ["view browsing"])
        #expect(names(CatalogueQuery(tag: "team=geo")) == [])
        #expect(names(CatalogueQuery(tag: "pii")) == ["entity user"])
        #expect(names(CatalogueQuery(owner: "GEO")) == ["view position"])
        #expect(
            names(CatalogueQuery(column: "page")) == ["events clicks", "view browsing", "view position"])
        let clicks = try #require(catalogue.search(CatalogueQuery(kind: "events")).first)
        #expect(clicks.consumers == ["view browsing", "view position"])
        #expect(
            catalogue.consumers(of: FeatureReference(view: "browsing", feature: "seconds_1h")) == ["transform hurry"])
    }
}
