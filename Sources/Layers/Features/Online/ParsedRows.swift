import Basics
import KeyValue

/// Rows that were checked against a view.
struct ParsedRows {
    let count: Int
    /// Columns that the view does not have.
    let ignored: [String]
    private var keys: [[String]] = []
    private var events: [Int64] = []
    private var created: [Int64] = []
    private var features: [[FeatureValue]] = []

    var newest: Int64? { events.max() }

    init(_ rows: FeatureRows, _ view: FeatureView, keyTypes: [ScalarType?], eventTime: String, now: Timestamp) throws {
        count = rows.count
        let place = "view '\(view.name)'"
        func column(_ name: String, _ kind: String) throws -> [FeatureValue] {
            guard let values = rows.values(name) else {
                let sent = rows.columns.map(\.name)
                throw FeaturesFailure.request(
                    "the \(kind) '\(name)' of the \(place) is missing",
                    remedy: NearestWord.of(name, among: sent).map { "You sent '\($0)'." }
                        ?? "Send a column of that name.")
            }
            return values
        }
        for (index, key) in view.joinKeys.enumerated() {
            let type = index < keyTypes.count ? keyTypes[index] : nil
            keys.append(
                try column(key, "join key").enumerated().map { row, value in
                    try Self.key(value, type, "the join key '\(key)' of row \(row)")
                })
        }
        func times(_ name: String, _ kind: String, absent: Timestamp?) throws -> [Int64] {
            try column(name, kind).enumerated().map { row, value in
                let what = "the \(kind) '\(name)' of row \(row)"
                if case .scalar(.timestamp(let moment)) = try Self.typed(value, FeatureType(.timestamp), what) {
                    return moment.microseconds
                }
                guard let absent else { throw FeaturesFailure.request("\(what) is null", remedy: "Send a moment.") }
                return absent.microseconds
            }
        }
        events = try times(eventTime, "event time", absent: nil)
        if let name = view.createdTime {
            created =
                rows.values(name) == nil
                ? Array(repeating: now.microseconds, count: count) : try times(name, "created time", absent: now)
        } else {
            created = Array(repeating: .min, count: count)
        }
        for feature in view.features {
            features.append(
                try column(feature.name, "feature").enumerated().map { row, value in
                    try Self.typed(value, feature.type, "the feature '\(feature.name)' of row \(row)")
                })
        }
        let known = Set(view.joinKeys + view.featureNames + [eventTime] + [view.createdTime].compactMap(\.self))
        ignored = rows.columns.map(\.name).filter { !known.contains($0) }
    }

    /// The rows of a range as keys and values of the online store.
    func batch(_ range: Range<Int>, prefix: [UInt8], _ layout: OnlineLayout) throws -> KeyValueBatch {
        var batch = KeyValueBatch()
        var encoder = OnlineRowEncoder(layout)
        for row in range {
            encoder.begin(eventTime: events[row], createdTime: created[row])
            for (index, values) in features.enumerated() { encoder.set(index, values[row]) }
            encoder.finish()
            let key = OnlineKey.key(prefix: prefix, texts: keys.map { $0[row] })
            try key.withUnsafeBytes { key in
                try encoder.bytes.withUnsafeBytes { try batch.append(key: key, value: $0) }
            }
        }
        return batch
    }

    /// A join key as text.
    static func key(_ value: FeatureValue, _ type: ScalarType?, _ what: String) throws -> String {
        guard case .scalar(let scalar) = value else {
            throw FeaturesFailure.request("\(what) is a list", remedy: "Send one value.")
        }
        var key = scalar
        if type == .integer, case .string(let text) = scalar, let number = Int64(text) {
            key = .integer(number)
        } else if type == .boolean, case .string(let text) = scalar, let flag = Bool(text) {
            key = .boolean(flag)
        } else if let type, type != .string, scalar != .null {
            if case .scalar(let typed) = try typed(value, FeatureType(type), what) { key = typed }
        } else if type == .string {
            // A text and a number of the same digits name the same entity.
            switch scalar {
            case .string, .integer, .null: break
            default: throw mismatch(what, "string", value)
            }
        }
        guard let text = OnlineKey.text(key) else {
            throw FeaturesFailure.request(
                scalar == .null ? "\(what) is null" : "\(what) is \(scalar), which names no entity",
                remedy: "Send a text, a whole number, a moment or a truth value.")
        }
        return text
    }

    /// A value as a type: whole numbers become doubles, texts moments; NaN is null.
    static func typed(_ value: FeatureValue, _ type: FeatureType, _ what: String) throws -> FeatureValue {
        switch value {
        case .scalar(.null): return .null
        case .list(let elements):
            guard type.isList else { throw mismatch(what, "\(type)", value) }
            return .list(
                try elements.map { element in
                    guard let scalar = scalar(element, type.scalar) else {
                        throw mismatch("an element of \(what)", type.scalar.rawValue, .scalar(element))
                    }
                    return scalar
                })
        case .scalar(let given):
            guard !type.isList, let scalar = scalar(given, type.scalar) else { throw mismatch(what, "\(type)", value) }
            return .scalar(scalar)
        }
    }

    /// - Returns: nil where the value is none of the type.
    private static func scalar(_ value: ScalarValue, _ type: ScalarType) -> ScalarValue? {
        switch (type, value) {
        case (_, .null): .null
        case (.double, .double(let number)), (.float, .double(let number)): number.isNaN ? .null : .double(number)
        case (.double, .integer(let number)), (.float, .integer(let number)): .double(Double(number))
        case (.integer, .integer), (.string, .string), (.boolean, .boolean), (.timestamp, .timestamp): value
        case (.integer, .double(let number)): Int64(exactly: number).map { .integer($0) }
        case (.timestamp, .string(let text)): Timestamp(text).map { .timestamp($0) }
        default: nil
        }
    }

    private static func mismatch(_ what: String, _ type: String, _ value: FeatureValue) -> FeaturesFailure {
        let given =
            switch value {
            case .list: "a list"
            case .scalar(.null): "null"
            case .scalar(.integer(let number)): "the whole number \(number)"
            case .scalar(.double(let number)): "the number \(number)"
            case .scalar(.string(let text)): "the text '\(text.prefix(40))'"
            case .scalar(.boolean(let flag)): "\(flag)"
            case .scalar(.timestamp(let moment)): "the moment \(moment)"
            }
        return FeaturesFailure.request("\(what) must be of the type \(type), and is \(given)", remedy: nil)
    }
}
