import Basics
import Engines
import Foundation
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import ObjectStorage

/// A bad network and a bad server between the store and the real one.
@Suite struct S3FaultTests {
    /// A store behind a proxy. Parts are small, so that short objects go in several.
    private struct Bench {
        let proxy: FaultProxy
        let client: S3Client
        let blobs: S3BlobStore
        let documents: S3DocumentStore
        let metrics = MetricsRegistry()
        let name = Digest(of: "x")

        init(
            attempts: Int = 6, requestSeconds: Double = 60, retrySeconds: Double = 60, stallSeconds: Int = 15,
            time: any TimeSource = SystemTime(),
            _ plan: @escaping @Sendable (Int, WireRequest) -> FaultProxy.Fault
        ) async throws {
            let server = try await S3Server.shared()
            proxy = try FaultProxy(upstream: server.port, plan: plan)
            let url = try server.bucket(endpoint: proxy.endpoint)
            var location = try S3Location(url, environment: [:])
            location.limits.backoffSeconds = 0.01
            location.limits.singlePutBytes = 64 << 10
            location.limits.partBytes = 32 << 10
            location.limits.rangeBytes = 32 << 10
            location.limits.attempts = attempts
            location.limits.requestSeconds = requestSeconds
            location.limits.retrySeconds = retrySeconds
            location.limits.stallSeconds = stallSeconds
            client = S3Client(
                location, try S3Credentials(url, environment: [:], place: location.place), time: time,
                random: SeededRandom(seed: 7), metrics: StorageMetrics(metrics, engine: "s3"))
            blobs = S3BlobStore(client)
            documents = S3DocumentStore(client)
        }

        func operations(_ method: String, containing text: String = "") -> Int {
            proxy.requests.count { $0.method == method && (text.isEmpty || $0.target.contains(text)) }
        }
    }

    private static let problems: [(Int, String, [String: String])] = [
        (500, "InternalError", [:]), (503, "SlowDown", [:]), (502, "", [:]), (429, "TooManyRequests", [:]),
        (400, "RequestTimeout", [:]), (503, "ServiceUnavailable", ["Retry-After": "0"]),
    ]

    private static func document(_ code: String) -> String {
        "<?xml version=\"1.0\"?><Error><Code>\(code)</Code><Message>said so</Message></Error>"
    }

    @Test(arguments: problems.indices)
    func whatPassesIsTriedAgain(_ index: Int) async throws {
        let (status, code, headers) = Self.problems[index]
        let bench = try await Bench { number, _ in
            number % 2 == 0 ? .answer(status, headers: headers, body: Self.document(code)) : .none
        }
        try await bench.blobs.put(.bytes([1, 2, 3]), as: bench.name, replacing: false)
        #expect(try await bench.blobs.get(bench.name) == [1, 2, 3])
        #expect(try await bench.blobs.list() == [bench.name])
        try await bench.blobs.delete(bench.name)
        #expect(bench.proxy.requests.count == 8)
        #expect(bench.proxy.forgeries.isEmpty)
        let text = bench.metrics.prometheusText()
        #expect(text.contains("modelworks_object_retries_total{engine=\"s3\",reason=\"\(status)\"} 4"))
        #expect(text.contains("modelworks_object_requests_total{engine=\"s3\",operation=\"put\",status=\"200\"} 1"))
    }

    @Test func retryAfterIsHonoured() async throws {
        let bench = try await Bench { number, _ in
            number == 0 ? .answer(503, headers: ["Retry-After": "1"], body: "") : .none
        }
        let start = SystemTime.monotonicNanoseconds
        #expect(try await !bench.blobs.contains(bench.name))
        #expect(SystemTime.monotonicNanoseconds - start >= 1_000_000_000)
    }

    @Test func whatWillNotChangeIsNotTriedAgain() async throws {
        let bench = try await Bench { _, _ in .answer(403, headers: [:], body: Self.document("AccessDenied")) }
        await #expect { try await bench.blobs.get(bench.name) } throws: { error in
            let failure = error as? StorageFailure
            return failure?.code == .permissionDenied && failure?.message.contains("AccessDenied") == true
        }
        #expect(bench.proxy.requests.count == 1)
        let absent = try await Bench { _, _ in .none }
        await #expect(throws: StorageFailure.objectNotFound(absent.name)) { try await absent.blobs.get(absent.name) }
        #expect(absent.proxy.requests.count == 1)
    }

    @Test func patienceEnds() async throws {
        let bench = try await Bench(attempts: 4) { _, _ in
            .answer(503, headers: [:], body: Self.document("SlowDown"))
        }
        await #expect { try await bench.blobs.get(bench.name) } throws: {
            ($0 as? StorageFailure)?.code == .unavailable
        }
        #expect(bench.proxy.requests.count == 4)
        let short = try await Bench(retrySeconds: 0.5) { _, _ in
            .answer(503, headers: ["Retry-After": "30"], body: "")
        }
        await #expect { try await short.blobs.get(short.name) } throws: {
            ($0 as? StorageFailure)?.code == .unavailable
        }
        #expect(short.proxy.requests.count == 1)
    }

    @Test func cutAndResetAnswersAreReadAgain() async throws {
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: SplitMix.mix(UInt64($0))) }
        let bench = try await Bench(attempts: 9) { number, request in
            guard request.method == "GET" else { return .none }
            return number % 3 == 0 ? .cut(1000) : number % 3 == 1 ? .reset : .none
        }
        try await bench.blobs.put(.bytes(bytes), as: bench.name, replacing: false)
        #expect(try await bench.blobs.get(bench.name) == bytes)
        let folder = try TemporaryFolder()
        try folder.write("", to: "copy")
        try await bench.blobs.get(bench.name, into: folder("copy"))
        #expect(try AtomicFile.read(folder("copy")) == bytes)
        #expect(bench.operations("GET") > 14)
        #expect(bench.proxy.forgeries.isEmpty)
    }

    @Test func aTrickleIsCutOff() async throws {
        let bench = try await Bench(stallSeconds: 1) { number, request in
            number == 1 ? .trickle : .none
        }
        try await bench.blobs.put(.bytes([UInt8](repeating: 7, count: 5000)), as: bench.name, replacing: false)
        let start = SystemTime.monotonicNanoseconds
        #expect(try await bench.blobs.get(bench.name).count == 5000)
        #expect(SystemTime.monotonicNanoseconds - start < 5_000_000_000)
        #expect(bench.operations("GET") == 2)
    }

    @Test func aServerThatSaysNothingIsGivenUp() async throws {
        let bench = try await Bench(attempts: 2, requestSeconds: 0.3) { _, _ in .stall }
        await #expect { try await bench.blobs.get(bench.name) } throws: {
            ($0 as? StorageFailure)?.code == .deadlineExceeded
        }
        #expect(bench.proxy.requests.count == 2)
        let patient = try await Bench { _, _ in .stall }
        let task = Task { try await patient.blobs.get(patient.name) }
        while patient.proxy.requests.isEmpty { await Task.yield() }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func nobodyThereIsSaidSoon() async throws {
        let server = try await S3Server.shared()
        let url = try server.bucket(settings: ["retries=1"], endpoint: "http://127.0.0.1:\(try freePort())")
        let store = try S3BlobStore(url, environment: [:])
        await #expect { try await store.check() } throws: { error in
            let failure = error as? StorageFailure
            return failure?.code == .unavailable && failure?.description.contains("s3://") == true
                && failure?.description.contains("sesame") == false
        }
        let missing = try StoreURL(
            "s3://no-such-bucket?endpoint=\(server.endpoint)", secrets: SecretSource(environment: [:]))
        let none = try S3BlobStore(missing, environment: ["AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"])
        await #expect(throws: StorageFailure.noBucket(store: "s3://no-such-bucket")) { try await none.check() }
        await #expect(throws: StorageFailure.noBucket(store: "s3://no-such-bucket")) {
            try await none.get(Digest(of: "x"))
        }
    }

    @Test func lostAnswersOfPutsDoNoHarm() async throws {
        let bench = try await Bench { number, request in
            request.method == "PUT" && number == 0 ? .lose : .none
        }
        try await bench.blobs.put(.bytes([1, 2, 3]), as: bench.name, replacing: false)
        #expect(try await bench.blobs.get(bench.name) == [1, 2, 3])
        let counter = CountBox()
        let second = try await Bench { _, request in
            guard request.method == "PUT", request.target.hasSuffix("anchor") else { return .none }
            return counter.next() % 2 == 0 ? .lose : .none
        }
        let first = try await second.documents.put("anchor", [1], when: .absent)
        let next = try await second.documents.put("anchor", [2], when: .matches(first))
        #expect(try await second.documents.get("anchor") == Document(bytes: [2], tag: next))
        await #expect(throws: StorageFailure.conflict(document: "anchor")) {
            try await second.documents.put("anchor", [3], when: .matches(first))
        }
    }

    private final class CountBox: Sendable {
        private let count = Atomic<Int>(0)
        func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).oldValue }
    }

    @Test func aBrokenUploadIsTakenBack() async throws {
        let bench = try await Bench { _, request in
            request.target.contains("partNumber=3&")
                ? .answer(403, headers: [:], body: Self.document("AccessDenied")) : .none
        }
        let bytes = [UInt8](repeating: 3, count: 300_000)
        await #expect { try await bench.blobs.put(.bytes(bytes), as: bench.name, replacing: false) } throws: {
            ($0 as? StorageFailure)?.code == .permissionDenied
        }
        #expect(bench.operations("DELETE", containing: "uploadId=") == 1)
        #expect(try await !bench.blobs.contains(bench.name))
    }

    @Test func theEndOfAnUploadMayFailLateOrTwice() async throws {
        let (late, lost) = (CountBox(), CountBox())
        let bytes = [UInt8](repeating: 3, count: 300_000)
        let bench = try await Bench { _, request in
            guard request.method == "POST", request.target.contains("uploadId=") else { return .none }
            return late.next() == 0 ? .answer(200, headers: [:], body: Self.document("InternalError")) : .none
        }
        try await bench.blobs.put(.bytes(bytes), as: bench.name, replacing: false)
        #expect(try await bench.blobs.get(bench.name) == bytes)
        let other = try await Bench { _, request in
            guard request.method == "POST", request.target.contains("uploadId=") else { return .none }
            return lost.next() == 0 ? .lose : .none
        }
        try await other.blobs.put(.bytes(bytes), as: other.name, replacing: false)
        #expect(try await other.blobs.get(other.name) == bytes)
        #expect(bench.operations("PUT", containing: "partNumber=") == 10)
        #expect(bench.proxy.forgeries.isEmpty && other.proxy.forgeries.isEmpty)
    }

    @Test func aFileThatChangesUnderwayIsRefused() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(String(repeating: "a", count: 300_000), to: "source")
        let bench = try await Bench { _, request in
            if request.target.contains("partNumber=5&") {
                try? String(repeating: "b", count: 300_000).write(toFile: path, atomically: false, encoding: .utf8)
            }
            return .none
        }
        await #expect { try await bench.blobs.put(.file(path), as: bench.name, replacing: false) } throws: { error in
            [.failedPrecondition, .internal, .unavailable].contains((error as? StorageFailure)?.code)
        }
        #expect(try await !bench.blobs.contains(bench.name))
    }

    @Test func aWrongClockIsMended() async throws {
        let server = "Fri, 24 May 2013 01:00:00 GMT"
        let time = ManualTime(Timestamp(seconds: 1_369_353_600))
        let bench = try await Bench(time: time) { number, _ in
            number == 0
                ? .answer(403, headers: ["Date": server], body: Self.document("RequestTimeTooSkewed")) : .none
        }
        try await bench.blobs.put(.bytes([1]), as: bench.name, replacing: false)
        #expect(bench.proxy.requests.map { $0.headers["x-amz-date"] } == ["20130524T000000Z", "20130524T010000Z"])
        let stubborn = try await Bench(time: time) { _, _ in
            .answer(403, headers: ["Date": server], body: Self.document("RequestTimeTooSkewed"))
        }
        await #expect { try await stubborn.blobs.get(stubborn.name) } throws: {
            ($0 as? StorageFailure)?.code == .permissionDenied
        }
        #expect(stubborn.proxy.requests.count == 2)
    }

    @Test func aServerWithoutConditionsIsWorkedWith() async throws {
        let ignoring = try await Bench { _, _ in .without(["if-match", "if-none-match"]) }
        let report = try await ignoring.blobs.check()
        #expect(!report.replacesConditionally && report.warnings.count == 1)
        let tag = try await ignoring.documents.put("a", [1], when: .absent)
        await #expect(throws: StorageFailure.conflict(document: "a")) {
            try await ignoring.documents.put("a", [2], when: .absent)
        }
        _ = try await ignoring.documents.put("a", [2], when: .matches(tag))
        await #expect(throws: StorageFailure.conflict(document: "a")) {
            try await ignoring.documents.put("a", [3], when: .matches(tag))
        }
        let refusing = try await Bench { _, request in
            request.headers["if-none-match"] == nil
                ? .none : .answer(501, headers: [:], body: Self.document("NotImplemented"))
        }
        try await refusing.blobs.put(.bytes([1, 2]), as: refusing.name, replacing: false)
        #expect(try await refusing.blobs.get(refusing.name) == [1, 2])
    }

    @Test func nonsenseIsCalledNonsense() async throws {
        let endless = try await Bench { _, request in
            .answer(
                200, headers: [:],
                body: "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>again"
                    + "</NextContinuationToken></ListBucketResult>")
        }
        await #expect { try await endless.blobs.list() } throws: { ($0 as? StorageFailure)?.code == .internal }
        for body in [
            "", "hello", "<html/>", "<!DOCTYPE a [<!ENTITY b \"c\">]><ListBucketResult>&b;</ListBucketResult>",
        ] {
            let bench = try await Bench { _, _ in .answer(200, headers: [:], body: body) }
            await #expect { try await bench.blobs.list() } throws: { ($0 as? StorageFailure)?.code == .internal }
        }
        let longer = try await Bench { _, _ in
            .answer(206, headers: ["Content-Range": "bytes 0-99999/9"], body: String(repeating: "x", count: 100_000))
        }
        await #expect { try await longer.blobs.get(longer.name) } throws: { ($0 as? StorageFailure)?.code == .internal }
        let huge = try await Bench { _, _ in
            .answer(
                206, headers: ["Content-Range": "bytes 0-32767/9223372036854775807"],
                body: String(repeating: "x", count: 32768))
        }
        await #expect { try await huge.blobs.get(huge.name) } throws: { ($0 as? StorageFailure)?.code == .internal }
        let elsewhere = try await Bench { _, _ in
            .answer(301, headers: ["x-amz-bucket-region": "eu-central-1"], body: Self.document("PermanentRedirect"))
        }
        await #expect { try await elsewhere.blobs.get(elsewhere.name) } throws: {
            ($0 as? StorageFailure)?.message.contains("eu-central-1") == true
        }
    }

    @Test func theServerMayGoAndComeBack() async throws {
        let server = try S3Server()
        let url = try server.bucket("comes-back")
        let store = try S3BlobStore(url, environment: [:])
        let name = Digest(of: "x")
        try await store.put(.bytes([1]), as: name, replacing: false)
        server.signal(SIGSTOP)
        let task = Task { try await store.get(name) }
        try await Task.sleep(nanoseconds: 50_000_000)
        server.signal(SIGCONT)
        #expect(try await task.value == [1])
        server.end()
        let writing = Task { try await store.put(.bytes([2]), as: name, replacing: true) }
        let again = try S3Server(port: server.port)
        _ = try? again.bucket("comes-back")
        try? await writing.value
        try await store.put(.bytes([3]), as: name, replacing: true)
        #expect(try await store.get(name) == [3])
    }
}
