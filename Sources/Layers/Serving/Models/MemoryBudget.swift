import Synchronization

/// Keeps models within a number of bytes together, by unloading those that were not asked for longest.
final class MemoryBudget: Sendable {
    private struct Place {
        weak var model: ResidentModel?
        var bytes: Int
    }

    let limit: Int
    private let places = Mutex<[ObjectIdentifier: Place]>([:])
    private let uses = Atomic<UInt64>(0)

    init(limit: Int) { self.limit = limit }

    /// Bytes of the models in memory.
    var used: Int { places.withLock { $0.values.reduce(0) { $0 + $1.bytes } } }

    /// A number that grows with each use of any model.
    func nextUse() -> UInt64 { uses.wrappingAdd(1, ordering: .relaxed).newValue }

    /// Makes room for a model, whose memory others give up.
    ///
    /// - Throws: ``ServingFailure`` where the model alone is larger than the budget.
    func admit(_ model: ResidentModel, bytes: Int) throws {
        guard bytes <= limit else { throw ServingFailure.modelTooLarge(bytes: bytes, limit: limit) }
        let evicted = places.withLock { places in
            places = places.filter { $0.value.model != nil }
            places[ObjectIdentifier(model)] = Place(model: model, bytes: bytes)
            var used = places.values.reduce(0) { $0 + $1.bytes }
            var evicted: [ResidentModel] = []
            let others = places.values.compactMap(\.model).filter { $0 !== model }.sorted { $0.lastUse < $1.lastUse }
            for other in others where used > limit {
                used -= places.removeValue(forKey: ObjectIdentifier(other))?.bytes ?? 0
                evicted.append(other)
            }
            return evicted
        }
        for other in evicted { other.evict() }
    }
}
