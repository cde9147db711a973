import Foundation

/// The metadata of a call: its header fields without those of HTTP/2 itself. Names are in lower case.
public struct GRPCMetadata: Sendable, Equatable {
    public private(set) var fields: [(name: String, value: String)] = []

    public init() {}

    public static func == (left: GRPCMetadata, right: GRPCMetadata) -> Bool {
        left.fields.elementsEqual(right.fields) { $0 == $1 }
    }

    /// The first value of that name.
    public subscript(name: String) -> String? { fields.first { $0.name == name }?.value }

    /// The bytes of the first value of a name that ends in `-bin`; nil where there is none or it is no Base64.
    public func binary(_ name: String) -> [UInt8]? {
        guard name.hasSuffix("-bin"), let text = self[name] else { return nil }
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return Data(base64Encoded: text + padding).map { [UInt8]($0) }
    }

    mutating func add(_ name: String, _ value: String) { fields.append((name, value)) }
}
