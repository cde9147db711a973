import Engines
import Foundation

/// The benchmarks of single stores, run as programs that lie beside this one; their lines become lines of the table.
struct Siblings {
    let seconds: Double

    /// Key-value stores beside the bare engine and its own tool.
    func keyValue() throws -> [Figure] {
        let text = try run("bench-keyvalue", ["\(seconds)"])
        // `LMDB, one key a read: 1.5 M reads/s, renew + mdb_get + reset: 1.9 M, share 80% (at least 70%: yes)`
        let pattern =
            #/(?<what>.+?): (?<ours>[\d.]+ [kM]?) ?reads/s, (?<name>.+): (?<floor>[\d.]+ [kM]?), share \d+% \(at least (?<limit>\d+)%.*/#
        let figures = text.split(separator: "\n").compactMap { line -> Figure? in
            guard let match = String(line).wholeMatch(of: pattern), let ours = Self.value(match.ours),
                let floor = Self.value(match.floor), let limit = Double(match.limit)
            else { return nil }
            return .share("\(match.what), to \(match.name)", ours, of: floor, unit: "reads/s", limit: limit / 100)
        }
        guard figures.count >= 4 else { throw EngineUnavailable("bench-keyvalue printed no figures: \(text)") }
        return figures
    }

    /// A stream store from producer to consumer.
    /// - Parameter address: an empty store, where a topic `bench` is or can be made.
    func streams(_ name: String, _ address: String, records: Int) throws -> [Figure] {
        let text = try run("bench-streams", [address, "\(records)"])
        guard
            let rate = text.firstMatch(of: #/published (\d+) records/s, consumed (\d+) at (\d+)/s/#),
            let published = Double(rate.1), let consumed = Double(rate.3), rate.2 == "\(records)",
            let latency = text.firstMatch(of: #/p50 ([\d.]+) ms, p99 ([\d.]+) ms, of 2000/#)
        else { throw EngineUnavailable("bench-streams printed no figures: \(text)") }
        return [
            .plain("\(name), published", "\(Figure.number(published)) messages/s"),
            .plain("\(name), from producer to consumer", "\(Figure.number(consumed)) messages/s"),
            .plain("\(name), end to end, p50 and p99", "\(latency.1) and \(latency.2) ms"),
        ]
    }

    private func run(_ program: String, _ words: [String]) throws -> String {
        let own = URL(fileURLWithPath: Bundle.main.executablePath ?? CommandLine.arguments.first ?? "")
        let path = own.deletingLastPathComponent().appendingPathComponent(program).path
        guard FileManager.default.isExecutableFile(atPath: path) else {
            throw EngineUnavailable("there is no '\(path)': build \(program) too")
        }
        return try Command.run(path, words)
    }

    /// `1.5 M` or `230.0 k`.
    private static func value(_ text: Substring) -> Double? {
        let words = text.split(separator: " ")
        guard let number = words.first.flatMap({ Double($0) }) else { return nil }
        switch words.dropFirst().first {
        case "M": return number * 1e6
        case "k": return number * 1e3
        default: return number
        }
    }
}
