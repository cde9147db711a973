import Basics

@testable import Registry

/// Archives in memory.
extension VersionArchive {
    /// A version as the bytes of a signed tar file.
    func bytes(of id: ModelVersionID, by principal: String) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        try await export(id, by: principal).write { bytes += $0 }
        return bytes
    }

    /// Registers the version of a file that comes in pieces of odd lengths.
    @discardableResult
    func register(_ bytes: [UInt8], as model: String?, by principal: String) async throws -> ModelVersion {
        var rest = bytes[...]
        return try await register(as: model, by: principal) {
            defer { rest = rest.dropFirst(1009) }
            return rest.isEmpty ? nil : Array(rest.prefix(1009))
        }
    }
}
