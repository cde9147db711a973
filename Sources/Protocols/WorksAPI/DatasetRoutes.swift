import Basics
import Datasets
import Features
import HTTP
import Security

extension WorksAPI {
    /// How many bytes of a version's file one answer holds at most.
    public static let datasetPieceBytesMax = 4 << 20

    func installDatasets(on router: Router) {
        let datasets = services.features.datasets
        router.get(
            "\(Self.prefix)/data", needs: .right(to: .read),
            about: .init(
                "Lists the newest version of each table", answer: .json([DatasetVersion].self))
        ) { _ in
            let latest = try await datasets.latest()
            return try .json(latest.values.sorted { $0.table < $1.table })
        }
        router.get(
            "\(Self.prefix)/data/{table}", needs: .right(to: .read, on: "table"),
            about: .init(
                "Lists the versions of a table", answer: .json([DatasetVersion].self))
        ) { request in
            try .json(try await datasets.versions(of: try request.parameter("table")))
        }
        router.get(
            "\(Self.prefix)/data/{table}/version", needs: .right(to: .read, on: "table"),
            about: .init(
                "Shows one version of a table",
                query: [
                    .optional("version", "a number, or digits of its digest; the newest where it is left out")
                ], answer: .json(DatasetVersion.self))
        ) { request in
            try .json(try await datasets.version(try reference(request, "version")))
        }
        router.get(
            "\(Self.prefix)/data/{table}/rows", needs: .right(to: .read, on: "table"),
            about: .init(
                "Gives bytes of a version's Parquet file",
                query: [
                    .optional("version", "a number, or digits of its digest"),
                    .optional("offset", "the first byte", Int.self),
                    .optional("count", "how many bytes at most", Int.self),
                ], answer: .bytes("application/vnd.apache.parquet"))
        ) { request in
            let version = try await datasets.version(try reference(request, "version"))
            let offset = try request.integer("offset", default: 0, in: 0...Int.max)
            let count = try request.integer(
                "count", default: Self.datasetPieceBytesMax, in: 1...Self.datasetPieceBytesMax)
            return .bytes(
                try await datasets.bytes(of: version, at: Int64(offset), count: count),
                contentType: "application/vnd.apache.parquet")
        }
        router.get(
            "\(Self.prefix)/data/{table}/diff", needs: .right(to: .read, on: "table"),
            about: .init(
                "Compares two versions of a table",
                query: [
                    .optional("from", "the older version"),
                    .optional("to", "the newer version"),
                ], answer: .json(DatasetDiff.self))
        ) { request in
            try .json(try await datasets.diff(try reference(request, "from"), try reference(request, "to")))
        }
        router.post(
            "\(Self.prefix)/data/ingest", needs: .right(to: .define),
            about: .init(
                "Reads tables from where they come from, and keeps what is new as versions",
                body: .json(IngestBody.self), answer: .json([DatasetVersion].self))
        ) { request in
            let tables = try body(IngestBody.self, request).tables
            return try .json(try await services.features.ingest(tables, by: principal(request)))
        }
    }

    /// The version that a query parameter names: a number, or digits of a digest; the newest where it is absent.
    private func reference(_ request: HTTPRequest, _ name: String) throws -> DatasetReference {
        try DatasetReference(table: try request.parameter("table"), version: request.query(name))
    }
}

private struct IngestBody: Codable { var tables: [String]? }
