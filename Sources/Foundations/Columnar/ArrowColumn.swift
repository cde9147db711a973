import Basics
import CArrow

/// A column of an Arrow batch that is put together value by value.
public struct ArrowColumn: Sendable {
    /// What its values are.
    public indirect enum Kind: Hashable, Sendable {
        case boolean
        /// 64 bits, signed.
        case integer
        case float
        case double
        /// Microseconds since 1970 in UTC, without a zone.
        case timestamp
        case text
        case list(Kind)
    }

    public let name: String
    public let kind: Kind
    /// How many values it has.
    public private(set) var count = 0
    /// Fixed values as they lie in memory; booleans as bits; the bytes of texts.
    private var values: [UInt8] = []
    /// Where each text or list ends, after a 0.
    private var offsets: [Int32] = [0]
    /// A bit per value, lowest first.
    private var validity: [UInt8] = []
    private var hasNulls = false
    /// The elements of lists; at most one column.
    private var elements: [ArrowColumn] = []

    /// - Parameter name: as the stream calls it.
    public init(_ name: String, _ kind: Kind) {
        self.name = name
        self.kind = kind
        if case .list(let element) = kind { elements = [ArrowColumn("item", element)] }
    }

    /// Adds a null.
    public mutating func appendNull() {
        switch kind {
        case .boolean: break
        case .float: append(bytesOf: UInt32(0))
        case .integer, .double, .timestamp: append(bytesOf: UInt64(0))
        case .text, .list: close()
        }
        end(isValid: false)
    }

    /// Adds a truth value to a column of them; null to any other.
    public mutating func append(_ value: Bool) {
        guard kind == .boolean else { return appendNull() }
        if count & 7 == 0 { values.append(0) }
        if value { values[count >> 3] |= 1 << UInt8(count & 7) }
        end(isValid: true)
    }

    /// Adds a whole number to a column of them or of doubles, or microseconds since 1970 to one of moments; null to any other.
    public mutating func append(_ value: Int64) {
        switch kind {
        case .integer, .timestamp:
            append(bytesOf: value)
            end(isValid: true)
        case .double, .float: append(Double(value))
        case .boolean, .text, .list: appendNull()
        }
    }

    /// Adds a number to a column of doubles or floats; NaN is null, as in any other column.
    public mutating func append(_ value: Double) {
        guard !value.isNaN, kind == .double || kind == .float else { return appendNull() }
        if kind == .double { append(bytesOf: value) } else { append(bytesOf: Float(value)) }
        end(isValid: true)
    }

    /// Adds UTF-8 to a column of texts; null to any other, and where a batch would hold more than 2 GiB of texts.
    public mutating func append(utf8 text: UnsafeRawBufferPointer) {
        guard kind == .text, values.count + text.count <= Int(Int32.max) else { return appendNull() }
        values.append(contentsOf: text)
        close()
        end(isValid: true)
    }

    /// Adds a text to a column of them; null to any other.
    public mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append(utf8: UnsafeRawBufferPointer($0)) }
    }

    /// Adds a list to a column of them; null to any other.
    /// - Parameter body: adds the elements.
    public mutating func appendList(_ body: (inout ArrowColumn) -> Void) {
        guard !elements.isEmpty else { return appendNull() }
        body(&elements[0])
        close()
        end(isValid: true)
    }

    /// Removes all values and keeps the room they took.
    public mutating func clear() {
        count = 0
        hasNulls = false
        values.removeAll(keepingCapacity: true)
        validity.removeAll(keepingCapacity: true)
        offsets.removeAll(keepingCapacity: true)
        offsets.append(0)
        for index in elements.indices { elements[index].clear() }
    }

    private mutating func append(bytesOf value: some BitwiseCopyable) {
        withUnsafeBytes(of: value) { values.append(contentsOf: $0) }
    }

    /// Ends a text or list where the bytes or elements end.
    private mutating func close() { offsets.append(Int32(clamping: elements.first?.count ?? values.count)) }

    private mutating func end(isValid: Bool) {
        if count & 7 == 0 {
            validity.append(0)
            if kind == .boolean, values.count <= count >> 3 { values.append(0) }
        }
        if isValid { validity[count >> 3] |= 1 << UInt8(count & 7) } else { hasNulls = true }
        count += 1
    }
}

extension ArrowColumn {
    /// Lends columns as the library takes them.
    static func withNative<Result>(
        _ columns: [ArrowColumn], _ body: (UnsafeBufferPointer<mw_arrow_column>) -> Result
    ) -> Result {
        func lend(_ rest: ArraySlice<ArrowColumn>, _ native: inout [mw_arrow_column]) -> Result {
            guard let first = rest.first else { return native.withUnsafeBufferPointer(body) }
            return first.withNative { column in
                native.append(column)
                return lend(rest.dropFirst(), &native)
            }
        }
        var native: [mw_arrow_column] = []
        native.reserveCapacity(columns.count)
        return lend(columns[...], &native)
    }

    private func withNative<Result>(_ body: (mw_arrow_column) -> Result) -> Result {
        name.withCString { name in
            values.withUnsafeBytes { values in
                offsets.withUnsafeBufferPointer { offsets in
                    validity.withUnsafeBufferPointer { validity in
                        var column = mw_arrow_column(
                            name: name, kind: nativeKind, count: Int64(count), values: values.baseAddress,
                            offsets: offsets.baseAddress, validity: hasNulls ? validity.baseAddress : nil, child: nil)
                        guard let element = elements.first else { return body(column) }
                        return element.withNative { child in
                            withUnsafePointer(to: child) {
                                column.child = $0
                                return body(column)
                            }
                        }
                    }
                }
            }
        }
    }

    private var nativeKind: mw_arrow_kind {
        switch kind {
        case .boolean: MW_ARROW_BOOLEAN
        case .integer: MW_ARROW_INT64
        case .float: MW_ARROW_FLOAT
        case .double: MW_ARROW_DOUBLE
        case .timestamp: MW_ARROW_TIMESTAMP
        case .text: MW_ARROW_TEXT
        case .list: MW_ARROW_LIST
        }
    }
}
