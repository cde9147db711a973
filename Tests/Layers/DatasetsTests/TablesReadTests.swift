import Datasets
import Testing

@Suite struct TablesReadTests {
    @Test(arguments: [
        ("SELECT a FROM b", ["b"]),
        ("select x.a, sales from b as x join \"c\" using (k) where d = 1", ["b", "x", "c"]),
        ("SELECT 1 FROM a, b, c ORDER BY d", ["a", "b", "c"]),
        ("WITH w AS (SELECT * FROM a) SELECT * FROM w ASOF LEFT JOIN b ON w.t >= b.t", ["a", "w", "b"]),
        ("SELECT 'FROM x' -- FROM y\n, 1 /* JOIN\n z */ FROM a", ["a"]),
        ("SELECT count(*) AS readings FROM (SELECT * FROM a) GROUP BY readings", ["a"]),
        ("SELECT 1", []),
    ])
    func namesEveryTableThatIsRead(sql: String, names: [String]) {
        #expect(TablesRead.names(in: sql) == Set(names))
    }
}
