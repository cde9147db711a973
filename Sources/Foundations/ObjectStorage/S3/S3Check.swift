import Basics
import CCurl

/// Tries what a store needs of S3: to write, read, replace conditionally and delete one small object.
struct S3Check: Sendable {
    private let client: S3Client
    private let limits: S3Limits

    init(_ client: S3Client) {
        self.client = client
        limits = client.location.limits.impatient
    }

    /// - Throws: `StorageFailure` of the first thing that did not work.
    func run() async throws -> StoreReport {
        let key = "\(client.location.prefix)probe-\(client.identifier())"
        let start = SystemTime.monotonicNanoseconds
        let stored = try await put(key, "probe", [])
        var received = S3Request("get", "GET", key: key)
        received.destination = .answer(limit: 1 << 16)
        let answer = try await client.send(received, limits: limits)
        guard answer.body == Array("probe".utf8) else {
            throw StorageFailure.damaged(
                path: "\(client.location.place)", offset: 0, reason: "the probe was not read as written")
        }
        try await delete(key)
        let nanoseconds = SystemTime.monotonicNanoseconds &- start
        var report = StoreReport(engine: "s3", place: client.location.place, seconds: Double(nanoseconds) * 1e-9)
        if let server = stored.headers["date"].map({ mw_curl_date($0) }), server > 0 {
            // The header has whole seconds.
            let skew = Double(server) + 0.5 - client.seconds()
            report.clockSkewSeconds = skew
            if skew.magnitude > 300 {
                report.warnings.append(
                    "the clocks of this machine and of the store differ by \(Int(skew)) s; set this machine's clock")
            }
        }
        report.keepsVersions = await keepsVersions()
        report.replacesConditionally = try await replacesConditionally(key)
        if !report.replacesConditionally {
            report.warnings.append(
                "this store knows no conditional put: let only one process at a time write documents here")
        }
        return report
    }

    /// Whether a put that must not come through does not.
    func replacesConditionally(_ key: String) async throws -> Bool {
        _ = try await put(key, "probe", [])
        let created = try await put(key, "other", [("if-none-match", "*")])
        let replaced = try await put(key, "other", [("if-match", "\"00000000000000000000000000000000\"")])
        try await delete(key)
        return created.status == 412 && replaced.status == 412
    }

    private func put(_ key: String, _ text: String, _ headers: [(name: String, value: String)]) async throws -> S3Answer
    {
        let bytes = Array(text.utf8)
        var request = S3Request("check", "PUT", key: key)
        request.headers = headers
        request.body = .bytes(bytes, bytes.indices)
        request.digest = Digest(of: bytes)
        if !headers.isEmpty { request.accepted = [400, 404, 412, 501] }
        return try await client.send(request, limits: limits)
    }

    private func delete(_ key: String) async throws {
        var request = S3Request("delete", "DELETE", key: key)
        request.accepted = [404]
        _ = try await client.send(request, limits: limits)
    }

    /// Nil where we may not know.
    private func keepsVersions() async -> Bool? {
        var request = S3Request("check", "GET", key: "")
        request.query = [("versioning", "")]
        guard let answer = try? await client.send(request, limits: limits),
            let leaves = try? XMLLeaves.parse(answer.body), leaves.last?.path == "VersioningConfiguration"
        else { return nil }
        return leaves.contains { $0.path == "VersioningConfiguration/Status" && $0.text == "Enabled" }
    }
}
