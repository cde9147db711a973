import Basics
import CCurl
import Synchronization

/// Sends requests to one bucket, signed, and again where that may help.
///
/// Waits between tries are random from 0 to a bound that doubles ("full jitter"), so that many clients do not come back
/// at once; a server's `Retry-After` is honoured where it asks for more.
final class S3Client: Sendable {
    let location: S3Location
    private let transport: S3Transport
    private let time: any TimeSource
    private let random: any RandomSource
    private let metrics: StorageMetrics?
    private let gate: StorageThreads
    /// Seconds to add to our clock, learned from a server that refused our time.
    private let skew = Atomic<Int64>(0)

    init(
        _ location: S3Location, _ credentials: S3Credentials, time: any TimeSource, random: any RandomSource,
        metrics: StorageMetrics?
    ) {
        self.location = location
        self.time = time
        self.random = random
        self.metrics = metrics
        transport = S3Transport(location, credentials)
        gate = StorageThreads(name: "s3.disk", count: 2, place: location.place)
    }

    /// Runs calls that wait for the local disk.
    func onDisk<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await gate.run(body)
    }

    func close() async { await gate.close() }

    /// A name that nobody else uses.
    func identifier() -> String { random.identifier() }

    /// Our clock, in seconds since 1970.
    func seconds() -> Double { Double(time.now.microseconds) / 1e6 }

    /// - Parameters:
    ///   - limits: other than the location's own.
    ///   - started: called before each try, with its number from 1.
    /// - Returns: an answer with a status of 200 to 299 or one that the request accepts.
    /// - Throws: `StorageFailure`; `CancellationError`.
    func send(
        _ request: S3Request, limits: S3Limits? = nil, started: (@Sendable (Int) -> Void)? = nil
    ) async throws -> S3Answer {
        try gate.enter()
        defer { gate.leave() }
        let limits = limits ?? location.limits
        let start = SystemTime.monotonicNanoseconds
        var attempt = 1
        var mendedClock = false
        while true {
            try Task.checkCancellation()
            started?(attempt)
            let outcome = try await attemptOnce(request, limits)
            let again: Again
            switch outcome {
            case .answer(let answer): return answer
            case .skewed where !mendedClock:
                mendedClock = true
                metrics?.retry("clock")
                continue
            case .skewed:
                throw StorageFailure.refused(
                    store: location.place, action: request.action, reason: "our clock and the server's differ too much")
            case .again(let found): again = found
            }
            let elapsed = Double(SystemTime.monotonicNanoseconds &- start) * 1e-9
            let wait = max(delay(after: attempt, limits), min(again.seconds ?? 0, 60))
            guard attempt < limits.attempts, elapsed + wait < limits.retrySeconds else { throw again.failure }
            metrics?.retry(again.reason)
            attempt += 1
            try await Task.sleep(nanoseconds: UInt64(wait * 1e9))
        }
    }

    /// Why to try again, how long the server asks to wait, and what to throw when patience is at its end.
    private struct Again {
        let reason: String
        let seconds: Double?
        let failure: StorageFailure
    }

    private enum Outcome {
        case answer(S3Answer)
        case skewed
        case again(Again)
    }

    private func attemptOnce(_ request: S3Request, _ limits: S3Limits) async throws -> Outcome {
        let start = SystemTime.monotonicNanoseconds
        func measured(_ status: String) {
            metrics?.request(request.operation, status: status, nanoseconds: SystemTime.monotonicNanoseconds &- start)
        }
        let (place, action) = (location.place, request.action)
        do {
            let answer = try await transport.perform(request, date: date(), limits: limits)
            measured("\(answer.status)")
            if (200...299).contains(answer.status) { count(request, answer) }
            return try judge(request, answer)
        } catch let broken as S3Transport.Break {
            switch broken {
            case .cancelled:
                measured("cancelled")
                throw CancellationError()
            case .file(let code):
                measured("disk")
                throw StorageFailure.system("moving an object to or from", request.file ?? "a file", errno: code)
            case .untrusted(let reason):
                measured("untrusted")
                throw StorageFailure.untrusted(store: place, reason: reason)
            case .overLimit:
                measured("too long")
                throw StorageFailure.badAnswer(store: place, action: action, reason: "it is longer than was asked for")
            case .other(let reason):
                measured("broken")
                throw StorageFailure.badAnswer(store: place, action: action, reason: reason)
            case .timedOut:
                measured("timeout")
                return .again(
                    Again(reason: "timeout", seconds: nil, failure: .timedOut(store: place, action: action)))
            case .lost(let reason):
                measured("lost")
                return .again(
                    Again(
                        reason: "connection", seconds: nil,
                        failure: .unreachable(store: place, action: action, reason: reason)))
            case .unreachable(let reason):
                measured("unreachable")
                return .again(
                    Again(
                        reason: "unreachable", seconds: nil,
                        failure: .unreachable(store: place, action: action, reason: reason)))
            }
        }
    }

    private func judge(_ request: S3Request, _ answer: S3Answer) throws -> Outcome {
        if (200...299).contains(answer.status) || request.accepted.contains(answer.status) { return .answer(answer) }
        let (place, action) = (location.place, request.action)
        let (code, message) = answer.problem
        let reason = "\(answer.status)" + (code.isEmpty ? "" : " \(code)") + (message.isEmpty ? "" : ": \(message)")
        let isPassing =
            [408, 429, 500, 502, 503, 504].contains(answer.status) || code == "RequestTimeout" || code == "SlowDown"
            || code == "OperationAborted" || code == "ConditionalRequestConflict"
        if isPassing {
            return .again(
                Again(
                    reason: "\(answer.status)", seconds: retryAfter(answer),
                    failure: .overloaded(store: place, action: action, reason: reason)))
        }
        switch answer.status {
        case 403 where code == "RequestTimeTooSkewed":
            guard let server = answer.headers["date"].map({ mw_curl_date($0) }), server > 0 else { break }
            skew.store(server - time.now.microseconds / 1_000_000, ordering: .relaxed)
            return .skewed
        case 404 where code == "NoSuchBucket": throw StorageFailure.noBucket(store: "s3://\(location.bucket)")
        case 301, 307, 308, 400:
            guard let region = answer.headers["x-amz-bucket-region"], region != location.region else { break }
            throw StorageFailure.refused(
                store: place, action: action, reason: "\(reason); the bucket is in region '\(region.prefix(64))'")
        default: break
        }
        if answer.status == 401 || answer.status == 403 {
            throw StorageFailure.refused(store: place, action: action, reason: reason)
        }
        throw StorageFailure.badAnswer(store: place, action: action, reason: reason)
    }

    /// The seconds that a server asks us to wait, given as such or as a date.
    private func retryAfter(_ answer: S3Answer) -> Double? {
        guard let text = answer.headers["retry-after"] else { return nil }
        if let seconds = Double(text), seconds.isFinite { return max(0, seconds) }
        let date = mw_curl_date(text)
        return date > 0 ? max(0, Double(date) - Double(time.now.microseconds) / 1e6) : nil
    }

    private func delay(after attempt: Int, _ limits: S3Limits) -> Double {
        let bound = min(limits.backoffSecondsMax, limits.backoffSeconds * Double(1 << min(attempt - 1, 20)))
        return bound * Double(random.next() >> 11) * 0x1p-53
    }

    private func count(_ request: S3Request, _ answer: S3Answer) {
        switch request.body {
        case .none: break
        case .bytes(_, let range): metrics?.written(Int64(range.count))
        case .file(_, _, let count): metrics?.written(count)
        }
        if request.operation == "get" { metrics?.read(answer.count) }
    }

    /// The moment to sign, as `20130524T000000Z`.
    private func date() -> String {
        let moment = time.now.advanced(bySeconds: skew.load(ordering: .relaxed))
        return String(moment.description.prefix(19).filter { $0 != "-" && $0 != ":" }) + "Z"
    }
}
