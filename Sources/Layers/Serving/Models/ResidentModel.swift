import Inference
import Synchronization

/// A model that gives up its memory while nobody asks for it, and is loaded again by the first who does.
final class ResidentModel: TensorModel {
    let platform: String
    let inputs: [TensorSpec]
    let outputs: [TensorSpec]
    let stacksRows: Bool
    let columnNames: [String]?
    let byteCount: Int
    private let budget: MemoryBudget
    private let load: @Sendable () throws -> any TensorModel
    private let held: Mutex<(any TensorModel)?>
    /// Taken by who loads it, so that the others wait for that.
    private let loading = Mutex(())
    private let used: Atomic<UInt64>

    /// - Parameters:
    ///   - model: in memory now.
    ///   - load: loads the same model again; blocks.
    /// - Throws: ``ServingFailure`` where it is larger than the whole budget.
    init(_ model: any TensorModel, in budget: MemoryBudget, load: @escaping @Sendable () throws -> any TensorModel)
        throws
    {
        platform = model.platform
        inputs = model.inputs
        outputs = model.outputs
        stacksRows = model.stacksRows
        columnNames = model.columnNames
        byteCount = model.byteCount
        self.budget = budget
        self.load = load
        held = Mutex(model)
        used = Atomic(budget.nextUse())
        try budget.admit(self, bytes: byteCount)
    }

    /// Whether it can run at once.
    var isLoaded: Bool { held.withLock { $0 != nil } }

    /// The model while it is in memory.
    var loaded: (any TensorModel)? { held.withLock { $0 } }

    /// When it was used last, as ``MemoryBudget/nextUse()`` counts.
    var lastUse: UInt64 { used.load(ordering: .relaxed) }

    /// Lets go of the model; runs under way keep it until they end.
    func evict() {
        // Freed after the lock is: that may take long.
        let model = held.withLock { held in
            defer { held = nil }
            return held
        }
        withExtendedLifetime(model) {}
    }

    func run(_ inputs: [Tensor], wanted: [Int]) throws -> [Tensor] {
        used.store(budget.nextUse(), ordering: .relaxed)
        return try model().run(inputs, wanted: wanted)
    }

    private func model() throws -> any TensorModel {
        if let model = held.withLock({ $0 }) { return model }
        return try loading.withLock { _ in
            if let model = held.withLock({ $0 }) { return model }
            let model = try load()
            guard model.inputs == inputs, model.outputs == outputs else {
                throw ServingFailure.modelNotReady(platform, reason: "its file is no longer the one that was loaded")
            }
            try budget.admit(self, bytes: byteCount)
            held.withLock { $0 = model }
            return model
        }
    }
}
