import Basics
import Configuration

/// What each stage of answering a request may take, in nanoseconds; nil where nothing is said.
public struct LatencyBudget: Sendable, Codable, Equatable {
    private var limits: [String: Int64] = [:]

    public init(_ limits: [RequestStage: Duration] = [:]) {
        for (stage, limit) in limits { self[stage] = limit.nanoseconds }
    }

    /// Whether nothing is said of any stage.
    public var isEmpty: Bool { limits.isEmpty }

    /// Nanoseconds that a stage may take.
    public subscript(stage: RequestStage) -> Int64? {
        get { limits[stage.rawValue] }
        set { limits[stage.rawValue] = newValue }
    }

    /// Reads `{ingest: 10ms, preprocess: 25ms, inference: 50ms, postprocess: 10ms, serialise: 5ms, total: 100ms}`, any
    /// of them.
    ///
    /// - Throws: `ConfigurationFailure` for another stage, or a time that is none.
    public init(_ node: YAMLNode) throws {
        let map = try node.mapping(allowing: RequestStage.allCases.map(\.rawValue))
        for stage in RequestStage.allCases {
            guard let text = try map.optionalString(stage.rawValue) else { continue }
            guard let nanoseconds = Self.nanoseconds(of: text) else {
                throw ConfigurationFailure(
                    try map.required(stage.rawValue).place,
                    "'\(text)' is no time such as 10ms; units are ns, us, ms and s")
            }
            self[stage] = nanoseconds
        }
    }

    /// `250us`, `10ms` or `1.5s` in nanoseconds; nil where the text is no time above 0.
    static func nanoseconds(of text: String) -> Int64? {
        for (unit, scale) in [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9)] where text.hasSuffix(unit) {
            guard let number = Double(text.dropLast(unit.count)), number > 0 else { return nil }
            return Int64(exactly: (number * scale).rounded())
        }
        return nil
    }
}

extension Duration {
    /// Whole nanoseconds; the largest number where there are more than can be counted.
    fileprivate var nanoseconds: Int64 {
        let (seconds, isLong) = components.seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (all, isLonger) = seconds.addingReportingOverflow(components.attoseconds / 1_000_000_000)
        return isLong || isLonger ? .max : all
    }
}
