import CLightGBM

/// Calls into LightGBM with its return code turned into an error and its log kept off standard output.
///
/// The first one opens the library; nothing calls into it before a check was passed.
enum LightGBMCall {
    /// - Throws: `InferenceError` with LightGBM's own words where `body` does not return 0, or where it is not there.
    static func check(_ call: String, _ body: () -> Int32) throws {
        if let reason = mw_lgbm_load() { throw InferenceError.library("LightGBM", String(cString: reason)) }
        mw_lgbm_capture_log()
        guard body() == 0 else {
            let reason = LGBM_GetLastError().map { String(cString: $0) } ?? "no reason given"
            throw InferenceError.native(call, reason)
        }
    }

    /// The lines LightGBM logged on this thread since the last take.
    static func takeLog() -> [String] {
        guard mw_lgbm_load() == nil else { return [] }
        mw_lgbm_capture_log()
        let bytes = [UInt8](unsafeUninitializedCapacity: 8192) { buffer, count in
            count = buffer.withMemoryRebound(to: CChar.self) { Int(mw_lgbm_take_log($0.baseAddress, $0.count)) }
        }
        return String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline).map { line in
            line.split(separator: " ").joined(separator: " ")
        }
    }
}

/// LightGBM's binned copy of the data; owns the C object.
final class LightGBMDataset {
    let handle: LGBMDataset

    init(_ data: LabeledData, line: String, reference: LightGBMDataset?) throws {
        let matrix = data.matrix
        var made: LGBMDataset?
        func create(_ base: UnsafeRawPointer?, _ type: Int) throws {
            try LightGBMCall.check("DatasetCreateFromMat") {
                LGBM_DatasetCreateFromMat(
                    base, Int32(type), Int32(matrix.rowCount), Int32(matrix.names.count),
                    matrix.layout == .rowMajor ? 1 : 0, line, reference?.handle, &made)
            }
        }
        switch matrix.values {
        case .float64(let values):
            try values.withUnsafeBytes { try create($0.baseAddress, MW_LGBM_FLOAT64) }
        case .float32(let values):
            try values.withUnsafeBytes { try create($0.baseAddress, MW_LGBM_FLOAT32) }
        }
        guard let made else { throw InferenceError.native("DatasetCreateFromMat", "no dataset came back") }
        handle = made
        try set("label", data.labels)
        if let weights = data.weights { try set("weight", weights) }
        if reference == nil { try setNames(matrix.names) }
    }

    deinit { LGBM_DatasetFree(handle) }

    private func set(_ field: String, _ values: [Float]) throws {
        try values.withUnsafeBytes { bytes in
            try LightGBMCall.check("DatasetSetField(\(field))") {
                LGBM_DatasetSetField(handle, field, bytes.baseAddress, Int32(values.count), Int32(MW_LGBM_FLOAT32))
            }
        }
    }

    private func setNames(_ names: [String]) throws {
        var bytes: [CChar] = []
        var starts: [Int] = []
        for name in names {
            starts.append(bytes.count)
            bytes += name.utf8.map { CChar(bitPattern: $0) } + [0]
        }
        try bytes.withUnsafeBufferPointer { buffer in
            var pointers = starts.map { start in buffer.baseAddress.map { $0 + start } }
            try LightGBMCall.check("DatasetSetFeatureNames") {
                LGBM_DatasetSetFeatureNames(handle, &pointers, Int32(names.count))
            }
        }
    }
}

/// A booster of the C library; owns the C object.
final class LightGBMBooster {
    let handle: LGBMBooster

    init(training: LightGBMDataset, line: String) throws {
        var made: LGBMBooster?
        try LightGBMCall.check("BoosterCreate") { LGBM_BoosterCreate(training.handle, line, &made) }
        guard let made else { throw InferenceError.native("BoosterCreate", "no booster came back") }
        handle = made
    }

    /// - Parameter text: model text that `LightGBMModelText` has checked; the library itself trusts it.
    init(checkedText text: [UInt8]) throws {
        var made: LGBMBooster?
        var iterations: Int32 = 0
        try (text + [0]).withUnsafeBytes { bytes in
            let characters = bytes.assumingMemoryBound(to: CChar.self).baseAddress
            try LightGBMCall.check("BoosterLoadModelFromString") {
                LGBM_BoosterLoadModelFromString(characters, &iterations, &made)
            }
        }
        guard let made else { throw InferenceError.native("BoosterLoadModelFromString", "no booster came back") }
        handle = made
    }

    deinit { LGBM_BoosterFree(handle) }

    func addValidation(_ data: LightGBMDataset) throws {
        try LightGBMCall.check("BoosterAddValidData") { LGBM_BoosterAddValidData(handle, data.handle) }
    }

    /// Grows one more tree per class; true when no further split helps.
    func grow() throws -> Bool {
        var finished: Int32 = 0
        try LightGBMCall.check("BoosterUpdateOneIter") { LGBM_BoosterUpdateOneIter(handle, &finished) }
        return finished != 0
    }

    func iterationCount() throws -> Int {
        var count: Int32 = 0
        try LightGBMCall.check("BoosterGetCurrentIteration") { LGBM_BoosterGetCurrentIteration(handle, &count) }
        return Int(count)
    }

    func metricNames() throws -> [String] {
        var count: Int32 = 0
        try LightGBMCall.check("BoosterGetEvalCounts") { LGBM_BoosterGetEvalCounts(handle, &count) }
        guard count > 0 else { return [] }
        let width = 256
        var storage = [CChar](repeating: 0, count: Int(count) * width)
        return try storage.withUnsafeMutableBufferPointer { buffer in
            var pointers = (0..<Int(count)).map { index in buffer.baseAddress.map { $0 + index * width } }
            var written: Int32 = 0
            var needed = 0
            try LightGBMCall.check("BoosterGetEvalNames") {
                LGBM_BoosterGetEvalNames(handle, count, &written, width, &needed, &pointers)
            }
            return pointers.prefix(Int(written)).compactMap { $0.map { String(cString: $0) } }
        }
    }

    /// The metrics of data set 0 (training) or 1 (validation), in the order of `metricNames`.
    func evaluate(_ data: Int32) throws -> [Double] {
        var count: Int32 = 0
        try LightGBMCall.check("BoosterGetEvalCounts") { LGBM_BoosterGetEvalCounts(handle, &count) }
        var values = [Double](repeating: 0, count: max(0, Int(count)))
        var written: Int32 = 0
        try LightGBMCall.check("BoosterGetEval") { LGBM_BoosterGetEval(handle, data, &written, &values) }
        return Array(values.prefix(Int(written)))
    }

    func text(iterations: Int) throws -> [UInt8] {
        var needed: Int64 = 0
        func save(_ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int64) throws {
            try LightGBMCall.check("BoosterSaveModelToString") {
                LGBM_BoosterSaveModelToString(
                    handle, 0, Int32(clamping: iterations), Int32(MW_LGBM_IMPORTANCE_GAIN), capacity, &needed, buffer)
            }
        }
        var storage = [CChar](repeating: 0, count: 1 << 20)
        try save(&storage, Int64(storage.count))
        if needed > storage.count {
            storage = [CChar](repeating: 0, count: Int(needed))
            try save(&storage, needed)
        }
        // The length the library gives counts the closing zero.
        return storage.prefix(max(0, Int(needed) - 1)).map { UInt8(bitPattern: $0) }
    }

    func importance(featureCount: Int, iterations: Int, type: Int) throws -> [Double] {
        var values = [Double](repeating: 0, count: featureCount)
        try LightGBMCall.check("BoosterFeatureImportance") {
            LGBM_BoosterFeatureImportance(handle, Int32(clamping: iterations), Int32(type), &values)
        }
        return values
    }
}
