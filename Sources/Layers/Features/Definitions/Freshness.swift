import Basics
import Configuration

/// How old a view's newest values may become before someone is told.
public struct Freshness: Sendable, Codable, Equatable {
    /// A class of views by how their values come to be.
    public enum Class: String, Sendable, Codable, CaseIterable {
        case fixed = "static"
        case batch
        case nearRealTime = "near-real-time"
        case realTime = "real-time"

        /// The bound the class stands for, in milliseconds.
        var milliseconds: Int64 {
            switch self {
            case .fixed: 86_400_000
            case .batch: 3_600_000
            case .nearRealTime: 300_000
            case .realTime: 100
            }
        }
    }

    /// What a training or a materialisation does where the source data is older.
    public enum Action: String, Sendable, Codable, CaseIterable { case warn, fail }

    public var kind: Class
    /// From the moment an event could be known, or a value was due, to the moment it can be read.
    public var withinMilliseconds: Int64
    /// Nil for ``Action/warn``.
    public var action: Action?
}

extension Freshness {
    /// Reads `batch`, or `{class: batch, within: 3h, action: fail}`; nothing means `batch`.
    init(_ node: YAMLNode?) throws {
        guard let node else {
            self.init(kind: .batch, withinMilliseconds: Class.batch.milliseconds)
            return
        }
        if case .mapping = node.content {
            let map = try node.mapping(allowing: ["class", "within", "action"])
            let kind: Class = try map.choice("class", default: .batch)
            let seconds = try map.optionalSeconds("within")
            let (milliseconds, overflow) = (seconds ?? 0).multipliedReportingOverflow(by: 1000)
            self.init(
                kind: kind,
                withinMilliseconds: seconds == nil ? kind.milliseconds : overflow ? .max : milliseconds,
                action: try map.node("action").map { _ in try map.choice("action") })
        } else {
            let text = try node.string()
            guard let kind = Class(rawValue: text) else {
                throw ConfigurationFailure(
                    node.place,
                    "'freshness' must be one of \(Class.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            self.init(kind: kind, withinMilliseconds: kind.milliseconds)
        }
    }
}
