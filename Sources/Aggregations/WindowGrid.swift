/// The arithmetic of tiles, windows and publish times. All in microseconds; within the plan's limits nothing overflows.
struct WindowGrid: Sendable {
    /// Times of events lie within plus and minus this, 36,558 years.
    static let farthestTime: Int64 = 1 << 60
    /// Tiles, windows and grids are at most this wide, 1,142 years.
    static let widest: Int64 = 1 << 55

    let tile: Int64
    let every: Int64?

    /// The quotient rounded towards minus infinity.
    static func floorDivision(_ value: Int64, by width: Int64) -> Int64 {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: width)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// The number k of the tile (k * tile, (k + 1) * tile] that holds a time.
    func tile(holding time: Int64) -> Int64 { WindowGrid.floorDivision(time - 1, by: tile) }

    func roundedUp(_ time: Int64) -> Int64 {
        guard let every else { return time }
        return -WindowGrid.floorDivision(-time, by: every) * every
    }

    func roundedDown(_ time: Int64) -> Int64 {
        guard let every else { return time }
        return WindowGrid.floorDivision(time, by: every) * every
    }

    /// The moment at which a tile leaves a window: the end of the tile plus the window, rounded up to the grid.
    func exit(of number: Int64, from window: Int64) -> Int64 { roundedUp((number + 1) * tile + window) }

    /// The lowest number of a tile that has not left a window at a time: exit > time just where number >= lowest.
    func lowestTile(in window: Int64, at time: Int64) -> Int64 {
        WindowGrid.floorDivision(roundedDown(time) - window, by: tile)
    }

    /// The times for which the functions above can not overflow.
    static func isInRange(_ time: Int64) -> Bool { (-farthestTime...farthestTime).contains(time) }
}
