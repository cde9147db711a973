import Basics
import CXGBoost
import Foundation

/// An XGBoost model loaded for prediction. Safe to ask from several threads; it never changes.
///
/// Missing inputs are NaN. Answers are what `Booster.predict` gives: probabilities for `binary:logistic` and
/// `multi:softprob`, the class for `multi:softmax`, values for regression. The library works in single precision.
public final class XGBoostModel: ExplainableModel {
    public let inputCount: Int
    public let outputCount: Int
    public let slotCount: Int
    /// Names of the features; empty where the file has none.
    public let featureNames: [String]
    public let objective: String
    public let treeCount: Int

    private let booster: XGBoostBooster

    /// - Parameters:
    ///   - file: the model as `Booster.save_model` writes it, JSON or UBJ.
    ///   - slots: how many threads will ask for single rows at once.
    /// - Throws: ``InferenceError`` where the file is malformed; the library itself never sees such a file.
    public init(file: [UInt8], slots: Int = 1) throws {
        if let reason = mw_xgb_load() { throw InferenceError.library("XGBoost", String(cString: reason)) }
        let checked = try XGBoostFile(checking: file)
        let booster = try XGBoostBooster(checkedFile: file, isLinear: checked.booster == "gblinear")
        let row = [Double](repeating: 0, count: checked.featureCount)
        let width = try row.withUnsafeBufferPointer { row in
            try booster.predict(row, rows: 1, columns: row.count) { $0.count }
        }
        guard width > 0 else { throw InferenceError.modelFile("XGBoost", "it gives no answer for a row") }
        self.booster = booster
        inputCount = checked.featureCount
        outputCount = width
        featureNames = checked.featureNames
        objective = checked.objective
        treeCount = checked.treeCount
        slotCount = max(1, slots)
    }

    public func predict(rows: UnsafeBufferPointer<Double>, count: Int, into: UnsafeMutableBufferPointer<Double>) throws
    {
        guard count > 0 else { return }
        let (inputs, wideInputs) = count.multipliedReportingOverflow(by: inputCount)
        let (outputs, wideOutputs) = count.multipliedReportingOverflow(by: outputCount)
        guard !wideInputs, !wideOutputs, rows.count >= inputs, into.count >= outputs else {
            throw InferenceError.shape(
                "\(rows.count) inputs and room for \(into.count) outputs do not fit \(count) rows of \(inputCount) features"
            )
        }
        try booster.predict(rows, rows: count, columns: inputCount) { answers in
            guard answers.count == outputs else {
                throw InferenceError.runtime(.internal, "XGBoost", "\(answers.count) numbers came back for \(outputs)")
            }
            for index in 0..<outputs { into[index] = Double(answers[index]) }
        }
    }

    public func contributions(row: [Double]) throws -> [[Double]] {
        guard row.count == inputCount else {
            throw InferenceError.shape("the row has \(row.count) values where the model takes \(inputCount)")
        }
        let flat = try row.withUnsafeBufferPointer { try booster.contributions($0, columns: inputCount) }
        let width = inputCount + 1
        return stride(from: 0, to: flat.count - flat.count % width, by: width).map { start in
            flat[start..<start + width].map(Double.init)
        }
    }
}

/// The C object of a loaded model. The library lets several threads predict in place at once; other calls take turns.
private final class XGBoostBooster: @unchecked Sendable {
    private let handle: XGBooster
    /// A linear model has no way of predicting in place.
    private let isLinear: Bool
    private let turns = NSLock()

    /// - Parameter file: a file that ``XGBoostFile`` has checked.
    init(checkedFile file: [UInt8], isLinear: Bool) throws {
        var made: XGBooster?
        try Self.check(XGBoosterCreate(nil, 0, &made))
        guard let made else { throw InferenceError.runtime(.internal, "XGBoost", "no booster came back") }
        handle = made
        self.isLinear = isLinear
        // From here on the object is whole, and is freed with this one.
        guard XGBoosterLoadModelFromBuffer(made, file, bst_ulong(file.count)) == 0 else {
            throw InferenceError.modelFile("XGBoost", "XGBoost says: \(Self.words())")
        }
        // A request stays on the thread that asks.
        try Self.check(XGBoosterSetParam(made, "nthread", "1"))
    }

    deinit { XGBoosterFree(handle) }

    /// - Parameter body: gets the answers, which live until the next call on this thread.
    func predict<Result>(
        _ values: UnsafeBufferPointer<Double>, rows: Int, columns: Int,
        _ body: (UnsafeBufferPointer<Float>) throws -> Result
    ) throws -> Result {
        if isLinear { return try withMatrix(values, rows: rows, columns: columns, type: 0, body) }
        var answer = Answer()
        try Self.check(
            XGBoosterPredictFromDense(
                handle, Self.array(values, rows: rows, columns: columns), Self.settings(type: 0), nil, &answer.shape,
                &answer.rank, &answer.values))
        return try body(answer.buffer)
    }

    /// SHAP values: for each output one for each feature and the bias.
    func contributions(_ row: UnsafeBufferPointer<Double>, columns: Int) throws -> [Float] {
        try withMatrix(row, rows: 1, columns: columns, type: 2) { Array($0) }
    }

    private func withMatrix<Result>(
        _ values: UnsafeBufferPointer<Double>, rows: Int, columns: Int, type: Int,
        _ body: (UnsafeBufferPointer<Float>) throws -> Result
    ) throws -> Result {
        var matrix: XGMatrix?
        try Self.check(
            XGDMatrixCreateFromDense(
                Self.array(values, rows: rows, columns: columns), #"{"missing": NaN, "nthread": 1}"#, &matrix))
        defer { XGDMatrixFree(matrix) }
        return try turns.withLock {
            var answer = Answer()
            try Self.check(
                XGBoosterPredictFromDMatrix(
                    handle, matrix, Self.settings(type: type), &answer.shape, &answer.rank, &answer.values))
            return try body(answer.buffer)
        }
    }

    /// What the library gives: memory of its own, kept for this thread.
    private struct Answer {
        var shape: UnsafePointer<bst_ulong>?
        var rank: bst_ulong = 0
        var values: UnsafePointer<Float>?

        var buffer: UnsafeBufferPointer<Float> {
            let sizes = UnsafeBufferPointer(start: shape, count: Int(clamping: rank)).map { Int(clamping: $0) }
            return UnsafeBufferPointer(start: values, count: values == nil ? 0 : Tensor.count(of: sizes) ?? 0)
        }
    }

    /// NumPy's array interface of rows of doubles.
    private static func array(_ values: UnsafeBufferPointer<Double>, rows: Int, columns: Int) -> String {
        let address = UInt(bitPattern: values.baseAddress)
        return #"{"data": [\#(address), true], "shape": [\#(rows), \#(columns)], "typestr": "<f8", "version": 3}"#
    }

    private static func settings(type: Int) -> String {
        #"{"type": \#(type), "training": false, "iteration_begin": 0, "iteration_end": 0, "strict_shape": true, "#
            + #""cache_id": 0, "missing": NaN}"#
    }

    private static func check(_ status: Int32) throws {
        guard status == 0 else { throw InferenceError.runtime(.internal, "XGBoost", words()) }
    }

    /// The library's last error on this thread, without its stack.
    private static func words() -> String {
        let text = XGBGetLastError().map { String(cString: $0) } ?? "no reason given"
        let end = text.range(of: "Stack trace")?.lowerBound ?? text.endIndex
        return text[..<end].split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
