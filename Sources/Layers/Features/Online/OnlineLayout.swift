import Basics

/// How a row of a view lies in the online store.
///
/// 16 bytes of stamp (event time and created time, so written that comparing bytes compares rows); 4 bytes of tag, which
/// tells the names and types of the features; a bit per feature that is set where it is null; a slot per feature; then
/// texts and lists. All numbers but the stamp are little-endian. A slot is 8 bytes for integers, doubles and timestamps, 4
/// for floats, 1 for booleans, and 4 for texts and lists: the position where its bytes end, counted from the end of the
/// slots. They begin where those of the text or list before it end.
struct OnlineLayout: Sendable, Equatable {
    struct Slot: Sendable, Equatable {
        var type: FeatureType
        /// Where the slot lies in the row.
        var offset: Int
        /// Of texts and lists, the slot of the one before; nil for the first.
        var before: Int?

        var isVariable: Bool { type.isList || type.scalar == .string }
    }

    static let stampCount = 16
    static let nullsOffset = 20

    let slots: [Slot]
    let tag: UInt32
    /// Where texts and lists begin: the length of a row without any.
    let headerCount: Int

    init(_ features: [Feature]) {
        var digest = Digest.Builder()
        for feature in features { digest.update("\(feature.name)\n\(feature.type)\n") }
        tag = OnlineKey.bytes(of: digest.finish(), count: 4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
        var offset = Self.nullsOffset + (features.count + 7) / 8
        var slots: [Slot] = []
        var last: Int?
        for feature in features {
            var slot = Slot(type: feature.type, offset: offset)
            if slot.isVariable {
                slot.before = last
                last = offset
                offset += 4
            } else {
                offset += Self.width(feature.type.scalar)
            }
            slots.append(slot)
        }
        self.slots = slots
        headerCount = offset
    }

    /// Bytes of a value of fixed length.
    static func width(_ type: ScalarType) -> Int {
        switch type {
        case .integer, .double, .timestamp: 8
        case .float, .string: 4
        case .boolean: 1
        }
    }
}
