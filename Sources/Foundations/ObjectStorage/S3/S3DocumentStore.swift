import Basics
import Synchronization
import Telemetry

/// Documents in a bucket, under `prefix/documents/<name>`.
///
/// Replacing on a condition is one step where the service knows conditional puts. Where it does not, which is found out
/// at the first such put, the present tag is looked at before, and only one process at a time may write.
public final class S3DocumentStore: DocumentStore {
    private let client: S3Client
    private let knowsConditions = Mutex<Bool?>(nil)

    /// Opens the store; nothing is sent yet. The parameters are those of `S3BlobStore`.
    /// - Throws: `StoreURLFailure`, `StorageFailure.noCredentials`.
    public convenience init(
        _ url: StoreURL, environment: [String: String], time: any TimeSource = SystemTime(),
        random: any RandomSource = SystemRandom(), metrics: MetricsRegistry? = nil
    ) throws {
        let location = try S3Location(url, environment: environment)
        let credentials = try S3Credentials(url, environment: environment, place: location.place)
        self.init(
            S3Client(
                location, credentials, time: time, random: random,
                metrics: metrics.map { StorageMetrics($0, engine: "s3") }))
    }

    init(_ client: S3Client) { self.client = client }

    public func get(_ name: String) async throws -> Document? {
        try DocumentRules.check(name)
        var request = S3Request("get", "GET", key: key(name))
        request.accepted = [404]
        request.destination = .answer(limit: Int64(DocumentRules.bytesMax))
        let answer = try await client.send(request)
        if answer.status == 404 {
            guard answer.problem.code != "NoSuchBucket" else {
                throw StorageFailure.noBucket(store: "s3://\(client.location.bucket)")
            }
            return nil
        }
        return Document(bytes: answer.body, tag: try tag(answer))
    }

    public func put(_ name: String, _ bytes: [UInt8], when condition: DocumentCondition) async throws -> String {
        try DocumentRules.check(name, bytes)
        let isConditional = condition != .always
        let isKnown = isConditional ? try await serverKnowsConditions() : true
        if isConditional, !isKnown {
            let found = try await get(name)?.tag
            switch condition {
            case .always: break
            case .absent: guard found == nil else { throw StorageFailure.conflict(document: name) }
            case .matches(let tag): guard found == tag else { throw StorageFailure.conflict(document: name) }
            }
        }
        var request = S3Request("put", "PUT", key: key(name))
        request.headers = [("content-type", "application/octet-stream")]
        request.body = .bytes(bytes, bytes.indices)
        request.digest = Digest(of: bytes)
        if isConditional, isKnown {
            switch condition {
            case .always: break
            case .absent: request.headers.append(("if-none-match", "*"))
            case .matches(let tag): request.headers.append(("if-match", tag))
            }
            request.accepted = [404, 412]
        }
        let attempts = Attempts()
        let answer = try await client.send(request) { attempts.started($0) }
        if answer.status == 404 || answer.status == 412 {
            if answer.problem.code == "NoSuchBucket" {
                throw StorageFailure.noBucket(store: "s3://\(client.location.bucket)")
            }
            // An earlier try of this very put may have come through though its answer was lost.
            if attempts.wereSeveral, let found = try await get(name), found.bytes == bytes { return found.tag }
            throw StorageFailure.conflict(document: name)
        }
        return try tag(answer)
    }

    public func check() async throws -> StoreReport { try await S3Check(client).run() }

    public func close() async { await client.close() }

    private func key(_ name: String) -> String { "\(client.location.prefix)documents/\(name)" }

    private func tag(_ answer: S3Answer) throws -> String {
        guard let tag = answer.headers["etag"], !tag.isEmpty, tag.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
            throw StorageFailure.badAnswer(
                store: client.location.place, action: "looking into", reason: "a document has no ETag")
        }
        return tag
    }

    private func serverKnowsConditions() async throws -> Bool {
        if let known = knowsConditions.withLock({ $0 }) { return known }
        let found = try await S3Check(client).replacesConditionally(
            "\(client.location.prefix)documents/probe-\(client.identifier())")
        knowsConditions.withLock { $0 = found }
        return found
    }

    private final class Attempts: Sendable {
        private let count = Atomic<Int>(0)

        func started(_ number: Int) { count.store(number, ordering: .relaxed) }

        var wereSeveral: Bool { count.load(ordering: .relaxed) > 1 }
    }
}
