import Basics
import CLightGBM
import Synchronization

/// A LightGBM model loaded for prediction. Safe to ask from several threads; it never changes.
public final class LightGBMModel: ExplainableModel {
    public let inputCount: Int
    public let outputCount: Int
    public var slotCount: Int { slots.count }
    public let featureNames: [String]
    public let treeCount: Int

    private let booster: LightGBMHandles
    private var slots: [LightGBMHandles.Slot] { booster.slots }
    private let nextBatch = Atomic(0)

    /// - Parameters:
    ///   - text: the model in LightGBM's text form, versions 3 and 4.
    ///   - slots: how many threads will ask for single rows at once.
    /// - Throws: `InferenceError` where the text is malformed; the library itself never sees such text.
    public init(text: [UInt8], slots: Int = 1) throws {
        guard (1...4096).contains(slots) else { throw InferenceError.shape("a model can not have \(slots) slots") }
        let checked = try LightGBMModelText(checking: text)
        let booster = try LightGBMBooster(checkedText: text)
        var classes: Int32 = 0
        var features: Int32 = 0
        var perRow: Int64 = 0
        try LightGBMCall.check("BoosterGetNumClasses") { LGBM_BoosterGetNumClasses(booster.handle, &classes) }
        try LightGBMCall.check("BoosterGetNumFeature") { LGBM_BoosterGetNumFeature(booster.handle, &features) }
        try LightGBMCall.check("BoosterCalcNumPredict") {
            LGBM_BoosterCalcNumPredict(booster.handle, 1, Int32(MW_LGBM_PREDICT_NORMAL), 0, -1, &perRow)
        }
        guard Int(classes) == checked.classCount, Int(perRow) == checked.classCount,
            Int(features) == checked.featureNames.count
        else { throw InferenceError.malformedModel("LightGBM counts other classes or features than the header tells") }
        inputCount = checked.featureNames.count
        outputCount = checked.classCount
        featureNames = checked.featureNames
        treeCount = checked.treeCount
        self.booster = try LightGBMHandles(booster, slots: slots, columns: features)
    }

    public func predict(rows: UnsafeBufferPointer<Double>, count: Int, into: UnsafeMutableBufferPointer<Double>) throws
    {
        guard count > 0 else { return }
        let (inputs, wideInputs) = count.multipliedReportingOverflow(by: inputCount)
        let (outputs, wideOutputs) = count.multipliedReportingOverflow(by: outputCount)
        guard !wideInputs, !wideOutputs, rows.count >= inputs, into.count >= outputs
        else {
            throw InferenceError.shape(
                "\(rows.count) inputs and room for \(into.count) outputs do not fit \(count) rows of \(inputCount) features"
            )
        }
        // Row by row costs the same as the library's batch call and does not touch the thread count it keeps for the
        // whole process; that call, made while a training runs, would change the count under it.
        let turn = nextBatch.wrappingAdd(1, ordering: .relaxed).newValue & Int.max
        let handle = booster.batches[turn % booster.batches.count].handle
        for index in 0..<count {
            try ask(
                handle, rows.baseAddress.map { $0 + index * inputCount },
                into.baseAddress.map { $0 + index * outputCount })
        }
    }

    public func predict(row: UnsafeBufferPointer<Double>, slot: Int, into: UnsafeMutableBufferPointer<Double>) throws {
        guard row.count == inputCount, into.count >= outputCount else {
            throw InferenceError.shape("the row has \(row.count) values where the model takes \(inputCount)")
        }
        guard slots.indices.contains(slot) else {
            throw InferenceError.shape("the model has no slot \(slot), only \(slots.count)")
        }
        try ask(slots[slot].handle, row.baseAddress, into.baseAddress)
    }

    private func ask(_ handle: LGBMFast, _ row: UnsafePointer<Double>?, _ out: UnsafeMutablePointer<Double>?) throws {
        var written: Int64 = 0
        guard LGBM_BoosterPredictForMatSingleRowFast(handle, row, &written, out) == 0 else {
            let reason = LGBM_GetLastError().map { String(cString: $0) } ?? "no reason given"
            throw InferenceError.native("BoosterPredictForMatSingleRowFast", reason)
        }
    }

    public func contributions(row: [Double]) throws -> [[Double]] {
        guard row.count == inputCount else {
            throw InferenceError.shape("the row has \(row.count) values where the model takes \(inputCount)")
        }
        let width = inputCount + 1
        let flat = try array(of: width * outputCount) { output in
            try row.withUnsafeBufferPointer {
                try ask(booster.contributions.handle, $0.baseAddress, output.baseAddress)
            }
        }
        return (0..<outputCount).map { Array(flat[($0 * width)..<(($0 + 1) * width)]) }
    }
}

/// The C objects of a loaded model. The booster is only read after it is made, and LightGBM guards each slot by a lock of
/// its own, so that both may cross threads.
private final class LightGBMHandles: @unchecked Sendable {
    struct Slot { let handle: LGBMFast }

    var handle: LGBMBooster { owner.handle }
    let slots: [Slot]
    /// For callers of the batch path, who bring no slot of their own.
    let batches: [Slot]
    let contributions: Slot
    private let owner: LightGBMBooster

    init(_ booster: LightGBMBooster, slots count: Int, columns: Int32) throws {
        owner = booster
        var made: [Slot] = []
        do {
            for _ in 0..<(2 * count) { made.append(try LightGBMHandles.slot(booster, MW_LGBM_PREDICT_NORMAL, columns)) }
            contributions = try LightGBMHandles.slot(booster, MW_LGBM_PREDICT_CONTRIB, columns)
        } catch {
            for slot in made { LGBM_FastConfigFree(slot.handle) }
            throw error
        }
        slots = Array(made.prefix(count))
        batches = Array(made.dropFirst(count))
    }

    deinit { for slot in slots + batches + [contributions] { LGBM_FastConfigFree(slot.handle) } }

    private static func slot(_ booster: LightGBMBooster, _ type: Int, _ columns: Int32) throws -> Slot {
        var made: LGBMFast?
        try LightGBMCall.check("BoosterPredictForMatSingleRowFastInit") {
            LGBM_BoosterPredictForMatSingleRowFastInit(
                booster.handle, Int32(type), 0, -1, Int32(MW_LGBM_FLOAT64), columns, "verbosity=0", &made)
        }
        guard let made else {
            throw InferenceError.native("BoosterPredictForMatSingleRowFastInit", "no slot came back")
        }
        return Slot(handle: made)
    }
}

/// Loads bundles of kind `lightgbm`: one file, `model.txt`.
public struct LightGBMRuntime: ModelRuntime {
    /// Where the model text lies in a bundle.
    public static let modelPath = "model.txt"

    public let kind = "lightgbm"

    public init() {}

    public func load(files: [String: [UInt8]], slots: Int) throws -> any Model {
        guard let text = files[LightGBMRuntime.modelPath] else {
            throw InferenceError.manifest(
                "a bundle of kind 'lightgbm' has to hold the file '\(LightGBMRuntime.modelPath)'")
        }
        return try LightGBMModel(text: text, slots: slots)
    }
}
