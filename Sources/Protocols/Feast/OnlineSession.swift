import Basics
import CSimdJSON
import Features

/// Answers requests for online features on one thread: parser, plans, keys and output buffer are its own, so that a
/// request allocates next to nothing and takes no lock but the store's.
final class OnlineSession: @unchecked Sendable {
    private let parser: OpaquePointer?
    private let features: FeatureStore
    private let time: any TimeSource
    private let output = AnswerBuffer()
    private var keys = OnlineKeys(keysPerEntity: 1)
    private var plans: [[UInt8]: OnlinePlan] = [:]
    private var planRevision = Int.min
    private var planKey: [UInt8] = []
    private var lastKey: [UInt8] = []
    private var lastPlan: OnlinePlan?
    private var writer = OnlineAnswer()
    /// The longest body that is read.
    static let bodyBytesMax = 16 << 20
    private static let keptBodyBytes = 1 << 20
    private static let plansMax = 256
    /// The most values that are read where others wait for the thread.
    private static let valuesOnLoop = 30_000

    init(features: FeatureStore, time: any TimeSource) {
        parser = mw_json_parser_new(Self.bodyBytesMax, 32)
        self.features = features
        self.time = time
    }

    deinit { mw_json_parser_free(parser) }

    /// What became of a request.
    enum Outcome {
        /// Valid until the next request.
        case answered(UnsafeRawBufferPointer)
        /// It needs a reader that has not been made yet.
        case needsReader(OnlineSelection)
        /// It asks for so much that others would have to wait for it.
        case tooMuchForLoop
    }

    /// Answers one request.
    ///
    /// - Parameters:
    ///   - asFeast: whether values that are too old, and nulls, are told to be present, with their value, as Feast does.
    ///   - reader: the reader that an outcome before asked for.
    ///   - onLoop: whether other requests wait for the thread.
    /// - Throws: a `Failure` that says what is wrong with the request or why there is no answer.
    func answer(
        _ body: UnsafeRawBufferPointer, asFeast: Bool, reader: OnlineReader? = nil, onLoop: Bool
    ) throws -> Outcome {
        // One huge body must not weigh for ever.
        defer { if body.count > Self.keptBodyBytes { mw_json_parser_trim(parser, 4 * Self.keptBodyBytes) } }
        var tree = mw_tree_view()
        var problem = mw_json_error()
        let status = mw_tree_parse(parser, body.baseAddress, body.count, &tree, &problem)
        guard status == MW_JSON_OK else { throw FeastFailure(status, problem) }
        let request = try OnlineRequest(tree)
        guard let plan = try plan(request, reader) else { return .needsReader(try request.selection()) }
        let count = try readKeys(request, plan.reader)
        if onLoop, count * plan.reader.outputs.count > Self.valuesOnLoop { return .tooMuchForLoop }
        output.clear()
        output.append("{\"results\":[")
        for (index, key) in plan.reader.joinKeys.enumerated() {
            if index > 0 { output.append(UInt8(ascii: ",")) }
            if let values = request.values(key.name) { writer.appendKey(values, to: output) }
        }
        let sent = try requestValues(request, plan.reader, count)
        try plan.reader.read(keys, request: sent, at: time.now.microseconds) { batch in
            writer.append(batch, asFeast: asFeast, to: output)
        }
        output.append(plan.metadata)
        return .answered(output.bytes)
    }

    /// The plan of a request, or nil where its reader has yet to be made.
    private func plan(_ request: OnlineRequest, _ reader: OnlineReader?) throws -> OnlinePlan? {
        func make(_ reader: OnlineReader) throws -> OnlinePlan {
            try OnlinePlan(reader, hasFullNames: request.hasFullNames, tellsVersions: request.tellsVersions)
        }
        // One that was handed in may be older than the definitions in force now, so it is not kept.
        if let reader { return try make(reader) }
        let revision = features.readerRevision
        if revision != planRevision || plans.count > Self.plansMax {
            plans = [:]
            lastPlan = nil
            planRevision = revision
        }
        request.writePlanKey(into: &planKey)
        if let lastPlan, planKey == lastKey { return lastPlan }
        var plan = plans[planKey]
        if plan == nil {
            guard let reader = features.knownReader(try request.selection()) else { return nil }
            plan = try make(reader)
            plans[planKey] = plan
        }
        swap(&planKey, &lastKey)
        lastPlan = plan
        return plan
    }

    /// What transforms need of the request, sent among the entities.
    private func requestValues(
        _ request: OnlineRequest, _ reader: OnlineReader, _ count: Int
    ) throws -> OnlineRequestValues {
        guard !reader.neededRequest.isEmpty else { return .none }
        var values: [String: [ScalarValue]] = [:]
        for place in reader.neededRequest {
            let name = reader.request[place].name
            guard let nodes = request.values(name) else { continue }
            values[name] = try nodes.enumerated().map { row, node in
                try OnlineSession.scalar(node.value, row) { "the value of '\(name)'" }
            }
        }
        return try reader.requestValues(values, entities: count)
    }

    /// Reads the join keys of all entities into ``keys``.
    /// - Returns: how many entities there are.
    private func readKeys(_ request: OnlineRequest, _ reader: OnlineReader) throws -> Int {
        let names = reader.joinKeys
        var columns: [UnsafeBufferPointer<mw_node>] = []
        for key in names {
            guard let column = request.values(key.name) else {
                throw FeastFailure.value(
                    "Missing join key values for keys: ['\(key.name)']",
                    remedy:
                        "Give 'entities' a list of values for each of: \(names.map(\.name).joined(separator: ", ")).")
            }
            columns.append(column)
        }
        let count = columns.first?.count ?? 0
        guard let uneven = columns.firstIndex(where: { $0.count != count }) else {
            return try readKeys(columns, count, reader)
        }
        throw FeastFailure.value(
            "All entity rows must have the same columns: '\(names[uneven].name)' has \(columns[uneven].count) values, and "
                + "'\(names[0].name)' has \(count)", remedy: "Give lists of one length.")
    }

    private func readKeys(
        _ columns: [UnsafeBufferPointer<mw_node>], _ count: Int, _ reader: OnlineReader
    ) throws -> Int {
        guard count > 0 else {
            throw FeastFailure.value("no entity was asked about", remedy: "Give at least one value of each join key.")
        }
        guard count <= OnlineReader.entitiesMax else {
            throw FeastFailure.value(
                "\(count) entities were asked about in one request, and \(OnlineReader.entitiesMax) is the most",
                remedy: "Send them in several requests.")
        }
        if keys.keysPerEntity != columns.count { keys = OnlineKeys(keysPerEntity: columns.count) }
        keys.clear()
        for row in 0..<count {
            for (index, column) in columns.enumerated() {
                try OnlineSession.append(column[row].value, as: reader.joinKeys[index], row: row, to: &keys)
            }
        }
        return count
    }

    private static func append(
        _ value: mw_value, as key: OnlineReader.Key, row: Int, to keys: inout OnlineKeys
    ) throws {
        switch (value.kind, key.type) {
        case (MW_VALUE_INT64, .integer), (MW_VALUE_INT64, .string), (MW_VALUE_INT64, nil):
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { digits in
                guard let place = digits.baseAddress else { return }
                let sign = value.int64 < 0 ? 1 : 0
                place[0] = UInt8(ascii: "-")
                let count = AnswerBuffer.write(decimal: value.int64.magnitude, to: place + sign)
                keys.append(text: UnsafeRawBufferPointer(start: place, count: sign + count))
            }
        case (MW_VALUE_TEXT, .string), (MW_VALUE_TEXT, nil):
            keys.append(text: UnsafeRawBufferPointer(start: value.text.text, count: value.text.length))
        default: try keys.append(try scalar(value, row) { "the join key '\(key.name)'" }, as: key, row: row)
        }
    }

    private static func scalar(_ value: mw_value, _ row: Int, _ what: () -> String) throws -> ScalarValue {
        switch value.kind {
        case MW_VALUE_NULL: return .null
        case MW_VALUE_BOOL: return .boolean(value.boolean)
        case MW_VALUE_INT64: return .integer(value.int64)
        case MW_VALUE_UINT64: return .string("\(value.uint64)")
        case MW_VALUE_DOUBLE: return .double(value.number)
        case MW_VALUE_TEXT: return .string(OnlineRequest.string(value.text))
        default:
            throw FeastFailure.value(
                "\(what()) of entity \(row) is a list or an object", remedy: "Give one value.")
        }
    }
}
