import Basics
import CCurl
import Foundation
import Synchronization

/// A few connections to the service, each with a thread of its own. One request runs on one of them at a time.
final class S3Transport: Sendable {
    /// How a request ended that got no whole answer.
    enum Break: Error {
        case lost(String)
        case unreachable(String)
        case timedOut
        case untrusted(String)
        case cancelled
        case file(Int32)
        case overLimit
        case other(String)
    }

    private final class Line: Sendable {
        nonisolated(unsafe) let handle: OpaquePointer
        let thread: BlockingThread

        init?(index: Int) {
            guard let handle = mw_curl_new() else { return nil }
            self.handle = handle
            thread = BlockingThread(name: "s3.\(index)")
        }

        deinit { mw_curl_free(handle) }
    }

    private struct State {
        var free: [Line]
        var waiting: [CheckedContinuation<Line, Never>] = []
        var next = 0
    }

    private let state: Mutex<State>
    private let location: S3Location
    private let credentials: S3Credentials

    init(_ location: S3Location, _ credentials: S3Credentials) {
        self.location = location
        self.credentials = credentials
        state = Mutex(State(free: (0..<location.transfers).compactMap { Line(index: $0) }))
    }

    /// Performs a request once.
    /// - Parameters:
    ///   - date: the moment to sign, `20130524T000000Z`.
    ///   - limits: how long it may take.
    /// - Throws: `Break`.
    func perform(_ request: S3Request, date: String, limits: S3Limits) async throws -> S3Answer {
        let cancelled = CancelFlag()
        return try await withTaskCancellationHandler {
            let line = await lease()
            defer { giveBack(line) }
            let (location, credentials) = (location, credentials)
            return try await line.thread.run {
                try Wire(request, location, credentials, date: date, limits: limits).perform(on: line.handle, cancelled)
            }
        } onCancel: {
            cancelled.set()
        }
    }

    private func lease() async -> Line {
        await withCheckedContinuation { continuation in
            let line = state.withLock { state in
                let line = state.free.popLast()
                if line == nil { state.waiting.append(continuation) }
                return line
            }
            if let line { continuation.resume(returning: line) }
        }
    }

    private func giveBack(_ line: Line) {
        let next: CheckedContinuation<Line, Never>? = state.withLock { state in
            guard state.next < state.waiting.count else {
                state.waiting = []
                state.next = 0
                state.free.append(line)
                return nil
            }
            defer { state.next += 1 }
            return state.waiting[state.next]
        }
        next?.resume(returning: line)
    }
}

/// Set once, from any thread; read by libcurl while a request runs.
private final class CancelFlag: Sendable {
    nonisolated(unsafe) let pointer: UnsafeMutablePointer<Int32>

    init() {
        pointer = .allocate(capacity: 1)
        pointer.initialize(to: 0)
    }

    deinit { pointer.deallocate() }

    func set() { mw_curl_cancel(pointer) }
}

/// A request in the form that libcurl takes.
private struct Wire {
    private let request: S3Request
    private let location: S3Location
    private let credentials: S3Credentials
    private let limits: S3Limits
    private let lines: [String]

    init(
        _ request: S3Request, _ location: S3Location, _ credentials: S3Credentials, date: String, limits: S3Limits
    ) {
        self.request = request
        self.location = location
        self.credentials = credentials
        self.limits = limits
        var lines = request.headers.map { "\($0.name): \($0.value)" }
        lines.append("x-amz-content-sha256: \((request.digest ?? Digest(of: [])).hex)")
        lines.append("x-amz-date: \(date)")
        if let token = credentials.sessionToken { lines.append("x-amz-security-token: \(token.revealed)") }
        self.lines = lines
    }

    func perform(on handle: OpaquePointer, _ cancelled: CancelFlag) throws -> S3Answer {
        try withStrings(
            [
                request.method, location.url(key: request.key, query: request.query),
                "aws:amz:\(location.region):s3", credentials.accessKey.revealed, credentials.secretKey.revealed,
                location.connectTo ?? "",
            ] + lines
        ) { strings in
            var wire = mw_curl_request()
            wire.method = strings[0]
            wire.url = strings[1]
            wire.signature = strings[2]
            wire.access_key = strings[3]
            wire.secret_key = strings[4]
            wire.connect_to = location.connectTo == nil ? nil : strings[5]
            wire.no_proxy = location.isLoopback ? 1 : 0
            wire.connect_milliseconds = Int(limits.connectSeconds * 1000)
            wire.request_milliseconds = Int(limits.requestSeconds * 1000)
            wire.stall_bytes = 1024
            wire.stall_seconds = limits.stallSeconds
            wire.cancelled = UnsafePointer(cancelled.pointer)
            wire.body_file = -1
            wire.body_count = -1
            wire.into_file = -1
            switch request.destination {
            case .answer(let limit): wire.limit = limit
            case .file(let file, let offset, let limit):
                wire.into_file = file.file.descriptor
                wire.into_offset = offset
                wire.limit = limit
            case .memory(let memory, let offset, let limit):
                wire.into = memory.pointer(at: offset)
                wire.limit = Int64(min(limit, memory.count - offset))
            }
            return try Array(strings[6...]).withUnsafeBufferPointer { headers in
                wire.headers = headers.baseAddress
                wire.header_count = headers.count
                return try (location.authority ?? []).withUnsafeBufferPointer { authority in
                    if !authority.isEmpty {
                        authority.withMemoryRebound(to: CChar.self) { wire.ca = $0.baseAddress }
                        wire.ca_count = authority.count
                    }
                    return try send(&wire, handle)
                }
            }
        }
    }

    private func send(_ wire: inout mw_curl_request, _ handle: OpaquePointer) throws -> S3Answer {
        switch request.body {
        case .none: return try finish(&wire, handle)
        case .bytes(let bytes, let range):
            return try bytes.withUnsafeBufferPointer { buffer in
                let part = UnsafeBufferPointer(rebasing: buffer[range.clamped(to: buffer.indices)])
                wire.body = part.baseAddress
                wire.body_count = Int64(part.count)
                return try finish(&wire, handle)
            }
        case .file(let file, let offset, let count):
            wire.body_file = file.file.descriptor
            wire.body_offset = offset
            wire.body_count = count
            return try finish(&wire, handle)
        }
    }

    private func finish(_ wire: inout mw_curl_request, _ handle: OpaquePointer) throws -> S3Answer {
        var response = mw_curl_response()
        mw_curl_perform(handle, &wire, &response)
        if response.file_error != 0 { throw S3Transport.Break.file(response.file_error) }
        if response.over_limit != 0 { throw S3Transport.Break.overLimit }
        let headers = response.headers.map {
            S3Answer.headers(
                String(decoding: UnsafeRawBufferPointer(start: $0, count: response.headers_count), as: UTF8.self))
        }
        let status = Int(response.status)
        guard response.code == 0 else {
            let reason = response.reason.map { String(cString: $0) } ?? "it ended with \(response.code)"
            switch mw_curl_classify(response.code) {
            case MW_CURL_CANCELLED: throw S3Transport.Break.cancelled
            case MW_CURL_TIMEOUT: throw S3Transport.Break.timedOut
            case MW_CURL_UNREACHABLE: throw S3Transport.Break.unreachable(reason)
            case MW_CURL_NOT_TRUSTED: throw S3Transport.Break.untrusted(reason)
            case MW_CURL_PASSING: throw S3Transport.Break.lost(reason)
            default: throw S3Transport.Break.other(reason)
            }
        }
        let isWanted = status == 200 || status == 206
        var body: [UInt8] = []
        if case .answer = request.destination {
            body = Array(UnsafeBufferPointer(start: response.bytes, count: Int(response.count)))
        } else if !isWanted {
            body = Array(UnsafeBufferPointer(start: response.bytes, count: Int(response.count)))
        }
        return S3Answer(status: status, headers: headers ?? [:], body: body, count: response.count)
    }

    private func withStrings<Value>(
        _ strings: [String], _ body: ([UnsafePointer<CChar>?]) throws -> Value
    ) rethrows -> Value {
        let copies = strings.map { strdup($0) }
        defer {
            for copy in copies {
                guard let copy else { continue }
                explicit_bzero(copy, strlen(copy))
                free(copy)
            }
        }
        return try body(copies.map { UnsafePointer($0) })
    }
}
