import Basics
import Columnar
import Datasets
import Engines
import Foundation
import ObjectStorage
import SQL
import TestSupport
import Testing

@Suite struct RemoteSourceTests {
    private static let environment = ["KEY": "AKIDTEST", "SECRET": "sesame/+open"]

    @Test func filesOfABucketAreReadAndOnlyWhenTheyChanged() async throws {
        let small = try await SmallDatasets(environment: Self.environment)
        let url = try await S3Server.shared().bucket()
        let bucket = try #require(url.host)
        let files = try S3Files(url, environment: [:])
        try await small.parquet("a.parquet", "SELECT 'a' AS shop, 1::BIGINT AS n")
        let parquet = Array(try Data(contentsOf: URL(fileURLWithPath: small.data("a.parquet"))))
        try await files.upload(parquet, to: "in/2020/a.parquet")
        try await files.upload(Array("shop,n\nb,2\n".utf8), to: "csv/x.csv")
        try await files.upload(Array("shop,n\nc,3\n".utf8), to: "csv/deep/y.csv")
        try await files.upload(Array("nothing".utf8), to: "csv/_SUCCESS")
        let settings = "?endpoint=\(try await S3Server.shared().endpoint)&access_key_env=KEY&secret_key_env=SECRET"
        func lines(_ path: String) -> String {
            "path: \"s3://\(bucket)/\(path)\(settings)\"\ncolumns: {shop: string, n: integer}"
        }
        for (path, wanted) in [
            ("in/2020/a.parquet", ["a"]), ("in/*/*.parquet", ["a"]), ("csv/", ["c", "b"]),
            ("csv/*.csv", ["b"]), ("csv/**/*.csv", ["c", "b"]),
        ] {
            let version = try await small.ingest(lines(path))
            #expect(try await small.rows(version).map { String($0.dropFirst(9).prefix(1)) } == wanted, "\(path)")
            #expect(version.lineage.kind == "s3")
            #expect(!version.lineage.place.contains("sesame"))
            #expect(version.lineage.files.allSatisfy { $0.digest != nil && $0.tag?.isEmpty == false })
        }
        let before = try await small.ingest(lines("csv/*.csv"))
        #expect(try await small.ingest(lines("csv/*.csv")) == before)
        try await files.upload(Array("shop,n\nb,4\n".utf8), to: "csv/x.csv")
        let after = try await small.ingest(lines("csv/*.csv"))
        #expect(after.number == before.number + 1)
        #expect(try await small.rows(after) == [#"{"shop":"b","n":4}"#])
        await #expect { try await small.ingest(lines("none/*.csv")) } throws: {
            "\($0)".contains("no key matches") && !"\($0)".contains("sesame")
        }
        #expect(try await small.leftovers() == [])
        await files.close()
        await small.database.close()
    }

    @Test func aTableAndAQueryOfPostgreSQLAreReadInUTCAndInOrder() async throws {
        let server = try await SharedPostgres.only.server()
        let small = try await SmallDatasets(environment: [
            "PASSWORD": server.password,
            "SHOP":
                "postgresql://works:\(server.password.replacingOccurrences(of: " ", with: "%20"))@127.0.0.1:\(server.port)/works?sslmode=disable",
        ])
        try server.query(
            """
            CREATE SCHEMA shop; CREATE TABLE shop."Orders" (id bigint, placed timestamptz, total numeric(10,2), note text,
              paid boolean, weight real, many int[]);
            INSERT INTO shop."Orders" VALUES (2, '2020-01-01 12:00+02', 1.25, 'a "quoted", text
            of two lines', true, 0.1, NULL), (1, '2020-06-01 00:00-05', 'NaN', '', false, NULL, '{1}'),
            (3, NULL, NULL, NULL, NULL, 2.5, NULL);
            """)
        let address = "postgresql://works@127.0.0.1:\(server.port)/works?sslmode=disable&password_env=PASSWORD"
        let columns = """
            columns: {id: integer, placed: timestamp, total: double, note: string, paid: boolean, weight: float}
            key: [id]
            """
        let wanted = [
            #"{"id":1,"placed":"2020-06-01 05:00:00","total":null,"note":"","paid":false,"weight":null}"#,
            #"{"id":2,"placed":"2020-01-01 10:00:00","total":1.25,"note":"a \"quoted\", text\nof two lines","paid":true,"weight":0.10000000149011612}"#,
            #"{"id":3,"placed":null,"total":null,"note":null,"paid":null,"weight":2.5}"#,
        ]
        let version = try await small.ingest("from: {postgresql: \"\(address)\", table: shop.Orders}\n\(columns)")
        for (found, wanted) in zip(try await small.rows(version), wanted) { #expect(found == wanted) }
        #expect(version.rows == 3)
        #expect(version.lineage.kind == "postgresql")
        #expect(!"\(version)".contains(server.password))
        let query = #"from: {url_env: SHOP, query: "SELECT * FROM shop.\"Orders\" ORDER BY id DESC -- all;"}"#
        let other = try await small.ingest("\(query)\n\(columns)")
        #expect(other.digest == version.digest)
        try server.query("UPDATE shop.\"Orders\" SET weight = weight")
        #expect(
            try await small.ingest("\(query)\n\(columns)") == other, "the order of rows on the disk does not matter")
        try server.query("DELETE FROM shop.\"Orders\" WHERE id = 3")
        #expect(try await small.ingest("\(query)\n\(columns)").rows == 2)
        await expectRefusals(small, address)
        #expect(try await small.leftovers() == [])
        await small.database.close()
    }

    private func expectRefusals(_ small: SmallDatasets, _ address: String) async {
        for (from, columns, wanted) in [
            ("table: shop.none", "id: integer", "does not exist"),
            ("table: shop.Orders", "id: integer, extra: string", "lacks the declared column extra"),
            ("table: shop.Orders", "total: integer", "holds numeric where integer is declared"),
            ("table: shop.Orders", "many: string", "holds integer[] where string is declared"),
            ("query: \"DELETE FROM shop.\\\"Orders\\\" RETURNING id\"", "id: integer", "syntax error"),
            ("query: \"SELECT 1 AS id) AS x TO PROGRAM 'true'\"", "id: integer", "syntax error"),
            ("query: \"SELECT 1 AS id) TO PROGRAM 'true'\"", "id: integer", "must have an alias"),
            ("query: \"SELECT 1 AS id; SELECT 2\"", "id: integer", "syntax error"),
            ("query: \"SELECT nextval('s') AS id FROM pg_create_none()\"", "id: integer", "does not exist"),
        ] {
            await #expect("\(from)") {
                try await small.ingest("from: {postgresql: \"\(address)\", \(from)}\ncolumns: {\(columns)}")
            } throws: { error in
                if !"\(error)".contains(wanted) { Issue.record("\(error)") }
                return error is any Failure
            }
        }
    }
}
