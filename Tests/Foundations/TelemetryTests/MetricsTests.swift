import Foundation
import Telemetry
import Testing

struct MetricsTests {
    @Test("The text of a registry is exactly the format 0.0.4")
    func exactText() {
        let registry = MetricsRegistry()
        registry.counter("jobs_total", help: "Jobs\\done\nso far.", labels: ["kind": "a\"b\\c\nd"]).increment(by: 7)
        registry.gauge("temperature", help: "Now.").set(-1.5)
        registry.reading("answer", help: "Read.") { 42 }
        let histogram = registry.histogram("size", help: "Sizes.", bounds: [1, 2.5])
        for value in [0.5, 1, 2, 100] { histogram.observe(value) }
        #expect(
            registry.prometheusText() == """
                # HELP answer Read.
                # TYPE answer gauge
                answer 42
                # HELP jobs_total Jobs\\\\done\\nso far.
                # TYPE jobs_total counter
                jobs_total{kind="a\\"b\\\\c\\nd"} 7
                # HELP size Sizes.
                # TYPE size histogram
                size_bucket{le="1"} 2
                size_bucket{le="2.5"} 3
                size_bucket{le="+Inf"} 4
                size_sum 103.5
                size_count 4
                # HELP temperature Now.
                # TYPE temperature gauge
                temperature -1.5

                """)
    }

    @Test("Wild names and labels still give text that a strict parser takes")
    func strictlyParsed() throws {
        let registry = MetricsRegistry()
        registry.counter("9 lives/total", help: "", labels: ["a b": "ü{}=,\"", "": "x"]).increment()
        registry.gauge("g", help: "x").set(.infinity)
        registry.gauge("n", help: "x").set(.nan)
        registry.histogram("h_seconds", help: "x", labels: ["route": "/v2/{name}"]).observe(0.01)
        let samples = try PrometheusParser.parse(registry.prometheusText())
        #expect(samples["9 lives/total"] == nil)
        #expect(samples["__lives_total"]?.first?.labels["a_b"] == "ü{}=,\"")
        #expect(samples["g"]?.first?.value == .infinity)
        #expect(samples["n"]?.first?.value.isNaN == true)
        #expect(samples["h_seconds_bucket"]?.count == Histogram.durationBounds.count + 1)
        #expect(samples["h_seconds_count"]?.first?.value == 1)
    }

    @Test("Handles of the same name and labels are the same; another kind is a conflict")
    func handles() {
        let registry = MetricsRegistry()
        registry.counter("c", help: "", labels: ["a": "1", "b": "2"]).increment()
        registry.counter("c", help: "", labels: ["b": "2", "a": "1"]).increment()
        #expect(registry.counter("c", help: "", labels: ["a": "1", "b": "2"]).value == 2)
        registry.gauge("c", help: "").set(5)
        #expect(registry.conflicts == ["c"])
        #expect(registry.prometheusText().contains("# TYPE c counter"))
    }

    @Test("A family does not grow without end")
    func bounded() throws {
        let registry = MetricsRegistry(seriesLimit: 10)
        for index in 0..<1000 { registry.counter("c", help: "", labels: ["path": "\(index)"]).increment() }
        let samples = try PrometheusParser.parse(registry.prometheusText())["c"] ?? []
        #expect(samples.count == 11)
        #expect(samples.first { $0.labels["path"] == "other" }?.value == 990)
    }

    @Test("Counts are exact under contention")
    func contention() async {
        let registry = MetricsRegistry()
        let counter = registry.counter("c", help: "")
        let gauge = registry.gauge("g", help: "")
        let histogram = registry.histogram("h", help: "", bounds: [1])
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<10_000 {
                        counter.increment()
                        gauge.add(0.5)
                        histogram.observe(0.25)
                    }
                }
            }
        }
        #expect(counter.value == 80_000)
        #expect(gauge.value == 40_000)
        #expect(histogram.count == 80_000)
        #expect(histogram.sum == 20_000)
    }

    @Test("Quantiles are within 5% from a microsecond to a minute", arguments: [1e-6, 1e-4, 0.003, 0.25, 7, 59])
    func quantiles(scale: Double) throws {
        let histogram = MetricsRegistry().histogram("h", help: "")
        // 1000 values from scale to 2 * scale: the quantile q is scale * (1 + q).
        for index in 1...1000 { histogram.observe(scale * (1 + Double(index) / 1000)) }
        for share in [0.01, 0.5, 0.9, 0.99, 1] {
            let estimate = try #require(histogram.quantile(share))
            #expect(abs(estimate / (scale * (1 + share)) - 1) < 0.05)
        }
        #expect(MetricsRegistry().histogram("h", help: "").quantile(0.5) == nil)
    }

    @Test("Values outside of the range are counted, NaN is not")
    func extremes() {
        let histogram = MetricsRegistry().histogram("h", help: "")
        for value in [0, -1, .nan, 1e300, .infinity] { histogram.observe(value) }
        #expect(histogram.count == 4)
    }
}
