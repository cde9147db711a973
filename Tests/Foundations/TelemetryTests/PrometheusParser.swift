/// A strict reader of the text format 0.0.4, written from its description: what it refuses, Prometheus may refuse.
enum PrometheusParser {
    struct Sample {
        var labels: [String: String]
        var value: Double
    }

    struct Malformed: Error {
        let line: String
        let reason: String
    }

    static func parse(_ text: String) throws -> [String: [Sample]] {
        var result: [String: [Sample]] = [:]
        var types: [String: String] = [:]
        var seen: Set<String> = []
        guard text.isEmpty || text.hasSuffix("\n") else { throw Malformed(line: "", reason: "no line end at the end") }
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init) {
            if line.hasPrefix("# HELP ") { continue }
            if line.hasPrefix("# TYPE ") {
                let parts = line.split(separator: " ")
                guard parts.count == 4, ["counter", "gauge", "histogram"].contains(parts[3]),
                    types.updateValue(String(parts[3]), forKey: String(parts[2])) == nil
                else { throw Malformed(line: line, reason: "type") }
                continue
            }
            var rest = Array(line.unicodeScalars)[...]
            let name = identifier(&rest, colons: true)
            let base = ["_bucket", "_sum", "_count"].first { name.hasSuffix($0) && types[name] == nil }
                .map { String(name.dropLast($0.count)) }
            guard !name.isEmpty, types[base ?? name] != nil else { throw Malformed(line: line, reason: "no type") }
            let labels = try labels(&rest, line)
            guard rest.first == " " else { throw Malformed(line: line, reason: "no blank before the value") }
            let number = String(String.UnicodeScalarView(rest.dropFirst()))
            let known: [String: Double] = ["+Inf": .infinity, "-Inf": -.infinity, "NaN": .nan]
            guard let value = known[number] ?? Double(number) else { throw Malformed(line: line, reason: "value") }
            guard seen.insert("\(name) \(labels.sorted { $0.key < $1.key })").inserted else {
                throw Malformed(line: line, reason: "twice")
            }
            result[name, default: []].append(Sample(labels: labels, value: value))
        }
        for (name, type) in types where type == "histogram" {
            let buckets = result["\(name)_bucket"] ?? []
            guard buckets.contains(where: { $0.labels["le"] == "+Inf" }), result["\(name)_sum"] != nil else {
                throw Malformed(line: name, reason: "incomplete histogram")
            }
        }
        return result
    }

    private static func labels(_ rest: inout ArraySlice<Unicode.Scalar>, _ line: String) throws -> [String: String] {
        guard rest.first == "{" else { return [:] }
        rest = rest.dropFirst()
        var labels: [String: String] = [:]
        while rest.first != "}" {
            let name = identifier(&rest, colons: false)
            guard !name.isEmpty, rest.starts(with: "=\"".unicodeScalars) else {
                throw Malformed(line: line, reason: "label")
            }
            rest = rest.dropFirst(2)
            var value = ""
            while let next = rest.first, next != "\"" {
                rest = rest.dropFirst()
                guard next == "\\" else {
                    value.unicodeScalars.append(next)
                    continue
                }
                switch rest.popFirst() {
                case "n": value += "\n"
                case "\"": value += "\""
                case "\\": value += "\\"
                default: throw Malformed(line: line, reason: "escape")
                }
            }
            guard rest.popFirst() == "\"", labels.updateValue(value, forKey: name) == nil else {
                throw Malformed(line: line, reason: "label value")
            }
            if rest.first == "," { rest = rest.dropFirst() }
        }
        rest = rest.dropFirst()
        return labels
    }

    private static func identifier(_ rest: inout ArraySlice<Unicode.Scalar>, colons: Bool) -> String {
        var name = String.UnicodeScalarView()
        while let next = rest.first {
            let letter = ("a"..."z").contains(next) || ("A"..."Z").contains(next) || next == "_"
            guard letter || (colons && next == ":") || (!name.isEmpty && ("0"..."9").contains(next)) else { break }
            name.append(next)
            rest = rest.dropFirst()
        }
        return String(name)
    }
}
