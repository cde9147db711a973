import Basics
import CLightGBM

/// A LightGBM model loaded for prediction. Safe to ask from several threads; it never changes.
public final class LightGBMModel: ExplainableModel {
    public let inputCount: Int
    public let outputCount: Int
    public var slotCount: Int { slots.count }
    public let featureNames: [String]
    public let treeCount: Int

    private let booster: LightGBMHandles
    private var slots: [LightGBMHandles.Slot] { booster.slots }
    private let batchParameters: String

    /// - Parameters:
    ///   - text: the model in LightGBM's text form, versions 3 and 4.
    ///   - slots: how many threads will ask for single rows at once.
    ///   - batchThreads: threads that one batch may use.
    /// - Throws: `InferenceError` where the text is malformed; the library itself never sees such text.
    public init(text: [UInt8], slots: Int = 1, batchThreads: Int = 1) throws {
        guard (1...4096).contains(slots), (1...1024).contains(batchThreads) else {
            throw InferenceError.shape("a model can not have \(slots) slots and \(batchThreads) batch threads")
        }
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
        batchParameters = "num_threads=\(batchThreads) verbosity=0"
        self.booster = try LightGBMHandles(booster, slots: slots, columns: features)
    }

    public func predict(rows: UnsafeBufferPointer<Double>, count: Int, into: UnsafeMutableBufferPointer<Double>) throws
    {
        guard count > 0 else { return }
        let (inputs, wideInputs) = count.multipliedReportingOverflow(by: inputCount)
        let (outputs, wideOutputs) = count.multipliedReportingOverflow(by: outputCount)
        guard !wideInputs, !wideOutputs, rows.count >= inputs, into.count >= outputs, let height = Int32(exactly: count)
        else {
            throw InferenceError.shape(
                "\(rows.count) inputs and room for \(into.count) outputs do not fit \(count) rows of \(inputCount) features"
            )
        }
        try predict(rows, height, type: MW_LGBM_PREDICT_NORMAL, expecting: outputs, into: into)
    }

    public func predict(row: UnsafeBufferPointer<Double>, slot: Int, into: UnsafeMutableBufferPointer<Double>) throws {
        guard row.count == inputCount, into.count >= outputCount else {
            throw InferenceError.shape("the row has \(row.count) values where the model takes \(inputCount)")
        }
        guard slots.indices.contains(slot) else {
            throw InferenceError.shape("the model has no slot \(slot), only \(slots.count)")
        }
        var written: Int64 = 0
        let status = LGBM_BoosterPredictForMatSingleRowFast(
            slots[slot].handle, row.baseAddress, &written, into.baseAddress)
        guard status == 0 else {
            throw InferenceError.native("BoosterPredictForMatSingleRowFast", String(cString: LGBM_GetLastError()))
        }
    }

    public func contributions(row: [Double]) throws -> [[Double]] {
        guard row.count == inputCount else {
            throw InferenceError.shape("the row has \(row.count) values where the model takes \(inputCount)")
        }
        let width = inputCount + 1
        let flat = try array(of: width * outputCount) { output in
            try row.withUnsafeBufferPointer {
                try predict($0, 1, type: MW_LGBM_PREDICT_CONTRIB, expecting: width * outputCount, into: output)
            }
        }
        return (0..<outputCount).map { Array(flat[($0 * width)..<(($0 + 1) * width)]) }
    }

    private func predict(
        _ rows: UnsafeBufferPointer<Double>, _ height: Int32, type: Int, expecting: Int,
        into: UnsafeMutableBufferPointer<Double>
    ) throws {
        var length: Int64 = 0
        try LightGBMCall.check("BoosterCalcNumPredict") {
            LGBM_BoosterCalcNumPredict(booster.handle, height, Int32(type), 0, -1, &length)
        }
        guard length == expecting else {
            throw InferenceError.native("BoosterCalcNumPredict", "\(length) outputs where \(expecting) are expected")
        }
        try LightGBMCall.check("BoosterPredictForMat") {
            LGBM_BoosterPredictForMat(
                booster.handle, rows.baseAddress, Int32(MW_LGBM_FLOAT64), height, Int32(clamping: inputCount), 1,
                Int32(type), 0, -1, batchParameters, &length, into.baseAddress)
        }
    }
}

/// The C objects of a loaded model. The booster is only read after it is made, and LightGBM guards each slot by a lock of
/// its own, so that both may cross threads.
private final class LightGBMHandles: @unchecked Sendable {
    struct Slot { let handle: LGBMFast }

    var handle: LGBMBooster { owner.handle }
    private(set) var slots: [Slot] = []
    private let owner: LightGBMBooster

    init(_ booster: LightGBMBooster, slots count: Int, columns: Int32) throws {
        owner = booster
        for _ in 0..<count {
            var made: LGBMFast?
            try LightGBMCall.check("BoosterPredictForMatSingleRowFastInit") {
                LGBM_BoosterPredictForMatSingleRowFastInit(
                    booster.handle, Int32(MW_LGBM_PREDICT_NORMAL), 0, -1, Int32(MW_LGBM_FLOAT64), columns,
                    "num_threads=1 verbosity=0", &made)
            }
            guard let made else {
                throw InferenceError.native("BoosterPredictForMatSingleRowFastInit", "no slot came back")
            }
            slots.append(Slot(handle: made))
        }
    }

    deinit { for slot in slots { LGBM_FastConfigFree(slot.handle) } }
}

/// Loads bundles of kind `lightgbm`: one file, `model.txt`.
public struct LightGBMRuntime: ModelRuntime {
    /// Where the model text lies in a bundle.
    public static let modelPath = "model.txt"

    public let kind = "lightgbm"
    private let batchThreads: Int

    /// - Parameter batchThreads: threads that one batch may use.
    public init(batchThreads: Int = 1) { self.batchThreads = batchThreads }

    public func load(files: [String: [UInt8]], slots: Int) throws -> any Model {
        guard let text = files[LightGBMRuntime.modelPath] else {
            throw InferenceError.manifest(
                "a bundle of kind 'lightgbm' has to hold the file '\(LightGBMRuntime.modelPath)'")
        }
        return try LightGBMModel(text: text, slots: slots, batchThreads: batchThreads)
    }
}
