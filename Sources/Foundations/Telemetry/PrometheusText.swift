/// Writes the text format 0.0.4 of Prometheus ("Exposition formats", prometheus.io).
struct PrometheusText {
    private(set) var text = ""

    mutating func add(_ name: String, _ family: MetricsRegistry.Family) {
        text += "# HELP \(name) \(PrometheusText.escape(family.help, quotes: false))\n"
        text += "# TYPE \(name) \(family.kind.rawValue)\n"
        for (labels, instrument) in family.series.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            switch instrument {
            case .counter(let counter): add(name, labels, counter.value.description)
            case .gauge(let gauge): add(name, labels, PrometheusText.number(gauge.value))
            case .reading(let read): add(name, labels, PrometheusText.number(read()))
            case .histogram(let histogram):
                add(name, labels, histogram.bounds, histogram.cumulative(), sum: histogram.sum)
            case .durations(let durations):
                let (counts, bounds) = (durations.read(), DurationHistogram.bounds)
                add(
                    name, labels, bounds.map { Double($0) / 1e9 }, counts.cumulative(bounds) + [counts.count],
                    sum: Double(counts.nanoseconds) / 1e9)
            }
        }
    }

    /// - Parameter counts: how many lie at or below each bound, then how many there are.
    private mutating func add(
        _ name: String, _ labels: [MetricLabel], _ bounds: [Double], _ counts: [UInt64], sum: Double
    ) {
        for (bound, count) in zip(bounds + [.infinity], counts) {
            let limit = MetricLabel(name: "le", value: PrometheusText.number(bound))
            add("\(name)_bucket", labels + [limit], count.description)
        }
        add("\(name)_sum", labels, PrometheusText.number(sum))
        add("\(name)_count", labels, (counts.last ?? 0).description)
    }

    private mutating func add(_ name: String, _ labels: [MetricLabel], _ value: String) {
        text += name
        if !labels.isEmpty {
            text += "{"
            text += labels.map { "\($0.name)=\"\(PrometheusText.escape($0.value, quotes: true))\"" }
                .joined(separator: ",")
            text += "}"
        }
        text += " \(value)\n"
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), abs(value) < 1e15 { return Int64(value).description }
        return value.description
    }

    static func escape(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// The name with everything that Prometheus does not allow replaced by underscores.
    static func name(_ raw: String, colons: Bool) -> String {
        var result = ""
        for scalar in raw.unicodeScalars {
            let letter = ("a"..."z").contains(scalar) || ("A"..."Z").contains(scalar) || scalar == "_"
            let allowed = letter || (colons && scalar == ":") || (!result.isEmpty && ("0"..."9").contains(scalar))
            result.unicodeScalars.append(allowed ? scalar : "_")
        }
        return result.isEmpty ? "_" : result
    }
}
