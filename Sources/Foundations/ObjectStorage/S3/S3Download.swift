import Basics
import Foundation

/// Reads one object, in ranges that arrive side by side where it is long.
struct S3Download: Sendable {
    private let client: S3Client
    private let key: String
    private let name: Digest?

    /// - Parameter name: what a failure says is missing; nil for a document.
    init(_ client: S3Client, key: String, name: Digest?) {
        self.client = client
        self.key = key
        self.name = name
    }

    /// The whole object in memory.
    func bytes() async throws -> [UInt8] {
        try await untilUnchanged {
            let limits = client.location.limits
            let first = try await first(.answer(limit: limits.rangeBytes))
            guard let first else { return [] }
            guard first.total > first.answer.count else { return first.answer.body }
            guard first.total <= limits.memoryBytes else {
                throw StorageFailure.badAnswer(
                    store: client.location.place, action: "reading from",
                    reason: "an object of \(first.total) bytes is too long to be read into memory")
            }
            let memory = SharedMemory(count: Int(first.total))
            memory.fill(at: 0, first.answer.body)
            guard
                try await rest(first, { offset, count in .memory(memory, offset: Int(offset), limit: Int(count)) })
            else { return nil }
            return memory.bytes
        }
    }

    /// The whole object into a file of the caller's.
    func write(to path: String) async throws {
        let file = try await client.onDisk { try SharedFile(path, O_WRONLY) }
        try await untilUnchanged {
            try await client.onDisk { try file.file.truncate() }
            let limits = client.location.limits
            guard let first = try await first(.file(file, offset: 0, limit: limits.rangeBytes)) else { return () }
            guard first.total > first.answer.count else { return () }
            return try await rest(first) { .file(file, offset: $0, limit: $1) } ? () : nil
        }
    }

    private struct First {
        let answer: S3Answer
        let total: Int64
    }

    /// Nil where somebody put another object under the key meanwhile.
    private func untilUnchanged<Value>(_ body: () async throws -> Value?) async throws -> Value {
        for _ in 0..<3 {
            if let value = try await body() { return value }
        }
        throw StorageFailure.badAnswer(
            store: client.location.place, action: "reading from", reason: "the object changes while it is read")
    }

    /// The first range, which tells the length; nil for an object without bytes.
    private func first(_ destination: S3Request.Destination) async throws -> First? {
        let length = client.location.limits.rangeBytes
        var request = S3Request("get", "GET", key: key)
        request.headers = [("range", "bytes=0-\(length - 1)")]
        request.destination = destination
        request.accepted = [404, 416]
        let answer = try await client.send(request)
        if answer.status == 404 { throw missing(answer) }
        // No range fits an object without bytes.
        if answer.status == 416 { return nil }
        guard let total = answer.status == 206 ? answer.total : answer.count, answer.count == min(length, total) else {
            throw StorageFailure.badAnswer(
                store: client.location.place, action: "reading from", reason: "its length is not the one it tells")
        }
        return First(answer: answer, total: total)
    }

    /// - Returns: false where the object is another one by now.
    private func rest(
        _ first: First, _ destination: @escaping @Sendable (_ offset: Int64, _ count: Int64) -> S3Request.Destination
    ) async throws -> Bool {
        let limits = client.location.limits
        let tag = first.answer.headers["etag"]
        return try await withThrowingTaskGroup(of: Bool.self) { group in
            var running = 0
            for offset in stride(from: first.answer.count, to: first.total, by: Int64.Stride(limits.rangeBytes)) {
                if running >= limits.parallelParts {
                    guard try await group.next() == true else { return false }
                }
                running += 1
                let count = min(limits.rangeBytes, first.total - offset)
                group.addTask { try await range(offset, count, tag, destination(offset, count)) }
            }
            for try await isSame in group where !isSame { return false }
            return true
        }
    }

    private func range(
        _ offset: Int64, _ count: Int64, _ tag: String?, _ destination: S3Request.Destination
    ) async throws -> Bool {
        var request = S3Request("get", "GET", key: key)
        request.headers = [("range", "bytes=\(offset)-\(offset + count - 1)")]
        if let tag { request.headers.append(("if-match", tag)) }
        request.destination = destination
        request.accepted = [404, 412]
        let answer = try await client.send(request)
        if answer.status == 404 { throw missing(answer) }
        if answer.status == 412 { return false }
        guard answer.status == 206, answer.count == count else {
            throw StorageFailure.badAnswer(
                store: client.location.place, action: "reading from", reason: "a range is not the one asked for")
        }
        return true
    }

    private func missing(_ answer: S3Answer) -> StorageFailure {
        if answer.problem.code == "NoSuchBucket" { return .noBucket(store: "s3://\(client.location.bucket)") }
        guard let name else { return .notFound(path: "\(client.location.place)/\(key)") }
        return .objectNotFound(name)
    }
}

extension OpenFile {
    func truncate() throws {
        guard ftruncate(descriptor, 0) == 0 else { throw StorageFailure.system("truncating", path) }
    }
}
