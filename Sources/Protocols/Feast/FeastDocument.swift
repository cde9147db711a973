import Basics
import CSimdJSON
import Documents

extension FeastFailure {
    /// What the parser did not take.
    init(_ status: mw_json_status, _ problem: mw_json_error) {
        func string<Characters>(_ characters: Characters) -> String {
            withUnsafeBytes(of: characters) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        }
        self = .malformed(string(problem.message), where: string(problem.where), limit: status == MW_JSON_LIMIT)
    }

    /// A whole document.
    /// - Throws: ``malformed(_:where:limit:)``.
    static func document(_ bytes: [UInt8]) throws -> JSONValue {
        do { return try JSONTree.value(bytes) } catch {
            throw malformed(error.problem, where: error.place, limit: error.isLimit)
        }
    }
}
