import Basics

/// A column of the events that windows look at.
public struct WindowColumn: Sendable, Hashable, Codable {
    public let name: String
    public let type: ScalarType

    public init(name: String, type: ScalarType) {
        self.name = name
        self.type = type
    }
}

/// A feature declared as a function of one column over one window.
public struct WindowFeature: Sendable, Hashable, Codable {
    public let name: String
    public let function: AggregateFunction
    /// Nil only for `count`: all events, whatever is in them.
    public let column: String?
    /// The window's length in microseconds, a multiple of the tile.
    public let window: Int64

    public init(name: String, function: AggregateFunction, column: String?, window: Int64) {
        self.name = name
        self.function = function
        self.column = column
        self.window = window
    }
}

/// What is computed of the events of each entity of a view, and how: the one declaration that history, materialisation
/// and streaming share. All times and lengths are in microseconds.
///
/// An event of time e, available at a, is dropped where a - e > `lateness`. It is published at p, its a rounded up to the
/// grid `every`. It belongs to the tile (k * tile, (k + 1) * tile] that holds e, and is in a window of length w at a moment
/// T where p <= T and T is before the end of its tile plus w, rounded up to the grid. So at a grid point that ends a
/// tile, and without late data, a window is exactly (T - w, T].
///
/// Results have the same bits whatever way the events took, since each is a fold in a fixed order: inside a tile in order
/// of arrival, over tiles in an order that depends only on which of them hold events (see `TileTree`).
/// - `sum` of a whole or truth column is exact, and null where it does not fit 64 bits; of fractions it is compensated
///   (Neumaier). `mean` is the sum by the count. `std` folds means and squared deviations (Welford; Chan, Golub, LeVeque).
/// - NaN in an event counts as null, minus zero as zero; a result that is not a number is null.
/// - Texts are compared by their UTF-8.
/// - `distinctCount` and `percentile` hold at most `valueLimit` values of an entity at once, over the longest window; a
///   further value is not held but marks its tile, and a window with a marked tile is null.
public final class WindowPlan: Sendable {
    /// How many values `distinctCount` and `percentile` hold for an entity where nothing else is said.
    public static let defaultValueLimit = 65_536
    /// The longest list of `lastN`.
    public static let longestList = 1024
    /// How many features and how many columns a plan may have.
    public static let largestCount = 4096

    public let columns: [WindowColumn]
    public let features: [WindowFeature]
    public let tile: Int64
    public let every: Int64?
    public let lateness: Int64?
    public let valueLimit: Int

    let grid: WindowGrid
    let layout: StateLayout
    /// Names the shape of a stored state: equal where a state of one plan can be read by the other.
    let fingerprint: UInt64

    /// - Parameters:
    ///   - columns: those of the events, in the order in which events give their values; names differ.
    ///   - tile: the width of a tile.
    ///   - every: the grid of publish times, counted from 1970-01-01T00:00:00Z; nil publishes at once.
    ///   - lateness: how much later than it happened an event may become known; nil for any.
    public init(
        columns: [WindowColumn], features: [WindowFeature], tile: Int64, every: Int64? = nil, lateness: Int64? = nil,
        valueLimit: Int = WindowPlan.defaultValueLimit
    ) throws(AggregationFailure) {
        let widths = 1...WindowGrid.widest
        guard widths.contains(tile) else { throw .plan("a tile of \(tile) us") }
        if let every, !widths.contains(every) { throw .plan("a grid of \(every) us") }
        if let lateness, lateness < 0 { throw .plan("a lateness of \(lateness) us") }
        guard valueLimit >= 1 else { throw .plan("a limit of \(valueLimit) values") }
        guard !features.isEmpty else { throw .plan("there is no feature") }
        guard features.count <= WindowPlan.largestCount, columns.count <= WindowPlan.largestCount else {
            throw .plan("there are more than \(WindowPlan.largestCount) features or columns")
        }
        guard Set(columns.map(\.name)).count == columns.count else { throw .plan("two columns have one name") }
        guard Set(features.map(\.name)).count == features.count else { throw .plan("two features have one name") }
        for feature in features {
            guard widths.contains(feature.window), feature.window % tile == 0 else {
                throw .plan(
                    "the window of '\(feature.name)', \(feature.window) us, is no multiple of the tile, \(tile) us")
            }
        }
        self.columns = columns
        self.features = features
        self.tile = tile
        self.every = every
        self.lateness = lateness
        self.valueLimit = valueLimit
        grid = WindowGrid(tile: tile, every: every)
        layout = try StateLayout(columns: columns, features: features, tile: tile)
        let shape =
            ["state", "\(tile)", "\(every ?? 0)", "\(valueLimit)"] + columns.map(\.type.rawValue)
            + features.map { feature in
                "\(feature.function)|\(columns.firstIndex { $0.name == feature.column } ?? -1)|\(feature.window)"
            }
        fingerprint = UInt64(Digest(of: shape.joined(separator: "\n")).hex.prefix(16), radix: 16) ?? 0
    }

    /// The type of a feature's values, and whether they are lists; nil where there is no such feature.
    public func type(of feature: Int) -> (element: ScalarType, isList: Bool)? {
        layout.types.indices.contains(feature) ? layout.types[feature] : nil
    }

    /// When an event counts: its available time rounded up to the grid. Nil where the time is out of range.
    public func publishTime(of availableTime: Int64) -> Int64? {
        WindowGrid.isInRange(availableTime) ? grid.roundedUp(availableTime) : nil
    }

    /// Whether an event became known too late to be counted anywhere.
    public func isTooLate(eventTime: Int64, availableTime: Int64) -> Bool {
        guard let lateness else { return false }
        let (difference, overflow) = availableTime.subtractingReportingOverflow(eventTime)
        return overflow ? availableTime > eventTime : difference > lateness
    }

    /// Throws where an event does not fit the plan.
    func check(_ event: WindowEvent) throws(AggregationFailure) {
        guard WindowGrid.isInRange(event.eventTime) else { throw .timeOutOfRange(event.eventTime) }
        guard WindowGrid.isInRange(event.availableTime) else { throw .timeOutOfRange(event.availableTime) }
        guard event.availableTime >= event.eventTime else {
            throw .availableBeforeEvent(event: event.eventTime, available: event.availableTime)
        }
        guard event.values.count == columns.count else {
            throw .valueCount(expected: columns.count, found: event.values.count)
        }
        for index in layout.usedColumns where !event.values[index].fits(columns[index].type) {
            throw .wrongType(
                column: columns[index].name, expected: columns[index].type, found: event.values[index].typeName)
        }
    }
}
