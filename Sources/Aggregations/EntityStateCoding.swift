import Basics

extension EntityState {
    private static let version: UInt8 = 1

    /// The state as compact bytes. States that took in the same events and stand at the same clock give the same bytes.
    public func encoded() -> [UInt8] {
        let layout = plan.layout
        var writer = StateWriter()
        writer.byte(EntityState.version)
        writer.fixed(plan.fingerprint)
        writer.byte((clock == nil ? 0 : 1) | (pending == nil ? 0 : 2) | (position == nil ? 0 : 4))
        if let clock { writer.signed(clock) }
        if let pending { writer.signed(pending) }
        if let position {
            writer.signed(position.availableTime)
            writer.signed(position.sequence)
        }
        let time = max(pending ?? -EntityState.farthestClock, clock ?? -EntityState.farthestClock)
        let lowest = plan.grid.lowestTile(in: layout.longestWindow, at: time)
        let kinds = layout.wordKinds
        let tiles = values.tree.tiles
        writer.count(tiles.count)
        for (index, tile) in tiles.enumerated() {
            writer.signed(tile)
            let row = Array(values.tree.row(at: index))
            let isWritten = zip(row, kinds).map { $0 != 0 && $1 != .derived }
            for start in stride(from: 0, to: row.count, by: 8) {
                var mask: UInt8 = 0
                for bit in 0..<min(8, row.count - start) where isWritten[start + bit] { mask |= 1 << UInt8(bit) }
                writer.byte(mask)
            }
            for (place, word) in row.enumerated() where isWritten[place] {
                if kinds[place] == .whole { writer.signed(Int64(bitPattern: word)) } else { writer.fixed(word) }
            }
        }
        for item in values.extremes { item.write(to: &writer, from: lowest) }
        for item in values.textExtremes { item.write(to: &writer, from: lowest) }
        for item in values.newest { item.write(to: &writer, after: lowest * plan.tile) }
        for item in values.distinct { item.write(to: &writer, from: lowest) }
        for item in values.textDistinct { item.write(to: &writer, from: lowest) }
        for item in values.ordered { item.write(to: &writer, from: lowest) }
        return writer.bytes
    }

    /// Brings back a state. Any bytes whatsoever give a state or a failure.
    public init(plan: WindowPlan, encoded bytes: [UInt8]) throws(AggregationFailure) {
        self.init(plan: plan)
        let layout = plan.layout
        var reader = StateReader(bytes, tile: plan.tile)
        guard try reader.byte() == EntityState.version else { throw .badState("its version is unknown") }
        guard try reader.fixed() == plan.fingerprint else { throw .otherPlan }
        let flags = try reader.byte()
        guard flags < 8 else { throw .badState("its flags are unknown") }
        func moment() throws(AggregationFailure) -> Int64 {
            let time = try reader.signed()
            guard time == EntityState.clamped(time) else { throw .badState("its clock is out of range") }
            return time
        }
        if flags & 1 != 0 { clock = try moment() }
        if flags & 2 != 0 { pending = try moment() }
        if flags & 4 != 0 { position = Position(availableTime: try reader.time(), sequence: try reader.signed()) }
        let kinds = layout.wordKinds
        for _ in 0..<(try reader.count()) {
            let tile = try reader.tile()
            if let last = values.tree.tiles.last, tile <= last { throw .badState("its tiles are out of order") }
            var masks: [UInt8] = []
            for _ in stride(from: 0, to: kinds.count, by: 8) { masks.append(try reader.byte()) }
            var row = [UInt64](repeating: 0, count: kinds.count)
            for place in row.indices where masks[place / 8] & (1 << UInt8(place % 8)) != 0 {
                switch kinds[place] {
                case .whole: row[place] = UInt64(bitPattern: try reader.signed())
                case .fraction: row[place] = try reader.fixed()
                case .derived: throw .badState("it holds what is derived")
                }
            }
            values.tree.append(tile, row)
        }
        for (index, item) in layout.extremes.enumerated() {
            values.extremes[index] = try Extremes(from: &reader, largest: item.largest)
        }
        for (index, item) in layout.textExtremes.enumerated() {
            values.textExtremes[index] = try Extremes(from: &reader, largest: item.largest)
        }
        for (index, item) in layout.newest.enumerated() {
            values.newest[index] = try NewestValues(
                from: &reader, capacity: item.capacity, type: plan.columns[item.column].type)
        }
        for (index, item) in layout.distinct.enumerated() {
            values.distinct[index] = try DistinctValues(from: &reader, limit: plan.valueLimit)
            try derive(word: item.word, from: values.distinct[index].newest.values)
        }
        for (index, item) in layout.textDistinct.enumerated() {
            values.textDistinct[index] = try DistinctValues(from: &reader, limit: plan.valueLimit)
            try derive(word: item.word, from: values.textDistinct[index].newest.values)
        }
        for (index, item) in layout.ordered.enumerated() {
            values.ordered[index] = try OrderedValues(
                from: &reader, windows: item.windows.count, limit: plan.valueLimit)
        }
        guard reader.isAtEnd else { throw .badState("bytes are left over") }
        values.tree.refreshAll()
    }

    private mutating func derive(word: Int, from tiles: some Sequence<Int64>) throws(AggregationFailure) {
        for tile in tiles {
            guard values.tree.holds(tile) else { throw .badState("a distinct value is in no tile") }
            values.tree.add(1, toWord: word, of: tile)
        }
    }
}
