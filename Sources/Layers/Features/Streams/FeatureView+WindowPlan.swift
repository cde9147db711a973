import Aggregations
import Basics
import Datasets

extension FeatureView {
    /// The windows of a view as history and stream compute them.
    ///
    /// - Parameters:
    ///   - columnTypes: those of the event source, for columns of which only counts are taken and no type is written.
    ///   - latenessSeconds: the stream's.
    /// - Throws: ``FeaturesFailure/definition(_:remedy:)`` for a column of two types, and `AggregationFailure`.
    func windowPlan(columnTypes: [String: ScalarType], latenessSeconds: Int64?) throws -> WindowPlan {
        guard case .windows(let windows, let tileSeconds) = content else {
            throw FeaturesFailure.badView(view: name, problem: "it declares no windows")
        }
        return try WindowFeature.plan(
            windows, of: "the view '\(name)'", tileSeconds: tileSeconds, everySeconds: everySeconds,
            latenessSeconds: latenessSeconds, columnTypes: columnTypes)
    }

    static func microseconds(_ seconds: Int64) -> Int64 {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        return overflow ? .max : product
    }
}

extension WindowFeature {
    /// Windows as one plan.
    ///
    /// - Parameters:
    ///   - owner: what has them, as messages name it.
    ///   - everySeconds: the grid of publish times; nil publishes at once.
    ///   - latenessSeconds: how much later than it happened an event may become known; nil for any.
    ///   - columnTypes: for columns of which only counts are taken and no type is written.
    /// - Throws: ``FeaturesFailure/definition(_:remedy:)`` for a column of two types, and `AggregationFailure`.
    public static func plan(
        _ windows: [WindowFeature], of owner: String, tileSeconds: Int64, everySeconds: Int64? = nil,
        latenessSeconds: Int64? = nil, columnTypes: [String: ScalarType] = [:]
    ) throws -> WindowPlan {
        var columns: [WindowColumn] = []
        for column in windows.compactMap(\.column) where !columns.contains(where: { $0.name == column }) {
            columns.append(
                WindowColumn(name: column, type: try type(of: column, in: windows, of: owner, columnTypes)))
        }
        return try WindowPlan(
            columns: columns,
            features: windows.map { window in
                Aggregations.WindowFeature(
                    name: window.name, function: window.function, column: window.column,
                    window: FeatureView.microseconds(window.windowSeconds))
            },
            tile: FeatureView.microseconds(tileSeconds), every: everySeconds.map(FeatureView.microseconds),
            lateness: latenessSeconds.map(FeatureView.microseconds))
    }

    private static func type(
        of column: String, in windows: [WindowFeature], of owner: String, _ known: [String: ScalarType]
    ) throws -> ScalarType {
        let uses = windows.filter { $0.column == column }
        let written = Set(uses.compactMap(\.columnType))
        guard written.count < 2 else {
            throw FeaturesFailure.definition(
                "\(owner) takes '\(column)' for \(written.map(\.rawValue).sorted().joined(separator: " and "))",
                remedy: "Write the same 'type' wherever the column is used.")
        }
        if let type = written.first { return type }
        let isOnlyCounted = uses.allSatisfy { $0.function == .count || $0.function == .distinctCount }
        return isOnlyCounted ? known[column] ?? .double : .double
    }
}

extension FeatureValue {
    /// The value of a window as its feature's type keeps it.
    init(_ value: AggregateValue, as type: FeatureType) {
        func kept(_ scalar: ScalarValue) -> ScalarValue {
            switch (type.scalar, scalar) {
            case (.double, .integer(let number)), (.float, .integer(let number)): .double(Double(number))
            case (.double, .boolean(let flag)), (.float, .boolean(let flag)): .double(flag ? 1 : 0)
            default: scalar
            }
        }
        switch value {
        case .scalar(let scalar): self = .scalar(kept(scalar))
        case .list(let elements): self = .list(elements.map(kept))
        }
    }
}
