import Basics

struct DataCommand: WordedCommand {
    let usage = Usage(
        name: "data", summary: "Ingest tables and show dataset versions",
        positionals: ["[list|ingest|show]", "[TABLE]"],
        example: "modelworks data ingest flights")

    private static let table = Listing(
        "/data",
        [
            "table": "table", "version": "digest", "rows": "rows", "quarantined": "quarantined",
            "published": "created",
        ], empty: "No datasets yet.")

    private static let expectations = Listing(
        "/data",
        [
            "expectation": "name", "severity": "severity", "rows": "rows", "failing": "failing", "example": "example",
        ], empty: "No expectations.")

    var words: [Word] {
        [
            .list(Self.table),
            Word("ingest") { arguments, client in
                struct Body: Encodable { var tables: [String]? }
                return Self.table.show(
                    try await client.post("/data/ingest", Body(tables: arguments.positional(1).map { [$0] })))
            },
            Word("show", needs: "TABLE") { arguments, client in
                let document = try await client.get("/data/\(Client.escape(arguments.required(1)))")
                let results = document.array?.first?["results"] ?? .array([])
                return Output(
                    document: document,
                    text: Self.table.text(document) + "\n\n" + Self.expectations.text(results))
            },
        ]
    }
}
