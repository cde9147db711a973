import Foundation
import HTTP

extension HTTPResponse {
    /// A value in JSON, its members named in snake_case as the tools of other servers read them. Keys of dictionaries stay
    /// what they are.
    static func snakeCase(_ value: some Encodable) throws -> HTTPResponse {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = .sortedKeys
        return .bytes([UInt8](try encoder.encode(value)), contentType: "application/json", status: .ok)
    }
}
