import Basics
import Foundation

/// Puts one object, in parts where it is long.
struct S3Upload: Sendable {
    private let client: S3Client
    private let key: String
    private let source: Source

    /// The bytes to send, whose length is known.
    private enum Source: Sendable {
        case bytes([UInt8])
        case file(SharedFile, size: Int64, modified: Timestamp)
    }

    /// - Throws: `StorageFailure` where the file can not be read.
    init(_ client: S3Client, key: String, _ source: BlobSource) async throws {
        self.client = client
        self.key = key
        switch source {
        case .bytes(let bytes): self.source = .bytes(bytes)
        case .file(let path):
            self.source = try await client.onDisk {
                let file = try SharedFile(path, O_RDONLY)
                let status = try file.file.status()
                return .file(file, size: Int64(status.st_size), modified: status.modified)
            }
        }
    }

    var size: Int64 {
        switch source {
        case .bytes(let bytes): Int64(bytes.count)
        case .file(_, let size, _): size
        }
    }

    /// - Parameter onlyNew: whether an object that is there stays.
    /// - Returns: false where one was there.
    func run(onlyNew: Bool) async throws -> Bool {
        if size <= client.location.limits.singlePutBytes { return try await single(onlyNew: onlyNew) }
        try await multipart()
        return true
    }

    private func single(onlyNew: Bool) async throws -> Bool {
        var request = S3Request("put", "PUT", key: key)
        request.headers = [("content-type", "application/octet-stream")]
        if onlyNew {
            request.headers.append(("if-none-match", "*"))
            request.accepted = [412, 501]
        }
        (request.body, request.digest) = try await part(offset: 0, count: size)
        let answer = try await client.send(request)
        if answer.status == 501 {
            // This service knows no conditional put. Bytes named by their content may be put twice.
            request.headers.removeLast()
            _ = try await client.send(request)
        }
        try await refuseChange()
        return answer.status != 412
    }

    private func multipart() async throws {
        let limits = client.location.limits
        // Rounded up to whole MiB.
        let least = (size / limits.partsMax / (1 << 20) + 1) * (1 << 20)
        let length = max(limits.partBytes, limits.partsMax * limits.partBytes >= size ? 0 : least)
        let upload = try await begin()
        do {
            let count = Int((size + length - 1) / length)
            var tags = [String](repeating: "", count: count)
            try await withThrowingTaskGroup(of: (Int, String).self) { group in
                for index in 0..<count {
                    if index >= limits.parallelParts, let (done, tag) = try await group.next() { tags[done] = tag }
                    group.addTask {
                        let offset = Int64(index) * length
                        return (
                            index,
                            try await send(index + 1, of: upload, offset: offset, count: min(length, size - offset))
                        )
                    }
                }
                for try await (done, tag) in group { tags[done] = tag }
            }
            try await refuseChange()
            try await complete(upload, tags)
        } catch {
            // Also when the caller was cancelled: parts that nobody completes cost money.
            await Task { try? await abort(upload) }.value
            throw error
        }
    }

    private func begin() async throws -> String {
        var request = S3Request("multipart", "POST", key: key)
        request.query = [("uploads", "")]
        request.headers = [("content-type", "application/octet-stream")]
        request.body = .bytes([], 0..<0)
        let answer = try await client.send(request)
        let leaves = try? XMLLeaves.parse(answer.body)
        guard let id = leaves?.first(where: { $0.path == "InitiateMultipartUploadResult/UploadId" })?.text, !id.isEmpty
        else { throw wrong("it names no upload") }
        return id
    }

    private func send(_ number: Int, of upload: String, offset: Int64, count: Int64) async throws -> String {
        var request = S3Request("part", "PUT", key: key)
        request.query = [("partNumber", "\(number)"), ("uploadId", upload)]
        (request.body, request.digest) = try await part(offset: offset, count: count)
        let answer = try await client.send(request)
        guard let tag = answer.headers["etag"], !tag.isEmpty else { throw wrong("part \(number) got no ETag") }
        return tag
    }

    private func complete(_ upload: String, _ tags: [String]) async throws {
        let parts = tags.enumerated().map { index, tag in
            "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(tag.xmlEscaped)</ETag></Part>"
        }
        let body = Array("<CompleteMultipartUpload>\(parts.joined())</CompleteMultipartUpload>".utf8)
        var request = S3Request("multipart", "POST", key: key)
        request.query = [("uploadId", upload)]
        request.headers = [("content-type", "application/xml")]
        request.body = .bytes(body, body.indices)
        request.digest = Digest(of: body)
        request.accepted = [404]
        // The service may begin its answer with 200 and find out later that it failed.
        for attempt in 1... {
            let answer = try await client.send(request)
            let (code, message) = answer.problem
            if answer.status == 404, code == "NoSuchUpload" {
                // An earlier try of ours whose answer was lost has done it.
                guard try await isThere() else { throw wrong("404 NoSuchUpload: \(message)") }
                return
            }
            if answer.status == 404 { throw wrong("404 \(code): \(message)") }
            if code.isEmpty { return }
            guard attempt < client.location.limits.attempts,
                ["InternalError", "SlowDown", "ServiceUnavailable"].contains(code)
            else { throw wrong("\(code): \(message)") }
        }
    }

    private func isThere() async throws -> Bool {
        var request = S3Request("head", "HEAD", key: key)
        request.accepted = [404]
        let answer = try await client.send(request)
        return answer.status == 200 && answer.headers["content-length"] == "\(size)"
    }

    private func abort(_ upload: String) async throws {
        var request = S3Request("abort", "DELETE", key: key)
        request.query = [("uploadId", upload)]
        request.accepted = [404]
        _ = try await client.send(request)
    }

    /// A range of the source and its digest.
    private func part(offset: Int64, count: Int64) async throws -> (S3Request.Body, Digest) {
        switch source {
        case .bytes(let bytes):
            let range = Int(offset)..<Int(offset + count)
            return try await client.onDisk { (.bytes(bytes, range), bytes[range].withUnsafeBytes { Digest(of: $0) }) }
        case .file(let file, _, _):
            return try await client.onDisk {
                (.file(file, offset: offset, count: count), try file.file.digest(offset: offset, count: count))
            }
        }
    }

    private func refuseChange() async throws {
        guard case .file(let file, let size, let modified) = source else { return }
        let status = try await client.onDisk { try file.file.status() }
        guard Int64(status.st_size) == size, status.modified == modified else {
            throw StorageFailure.changed(path: file.file.path)
        }
    }

    private func wrong(_ reason: String) -> StorageFailure {
        .badAnswer(store: client.location.place, action: "writing to", reason: reason)
    }
}

extension stat {
    /// When the content last changed, in microseconds.
    var modified: Timestamp {
        Timestamp(microseconds: Int64(st_mtim.tv_sec) &* 1_000_000 &+ Int64(st_mtim.tv_nsec) / 1000)
    }
}

extension OpenFile {
    /// The digest of a part of the file.
    /// - Throws: `StorageFailure.changed` where the file ends before the part does.
    func digest(offset: Int64, count: Int64) throws -> Digest {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: ObjectFolder.chunk, alignment: 16)
        defer { buffer.deallocate() }
        var builder = Digest.Builder()
        var done: Int64 = 0
        while done < count {
            let wanted = Int(min(Int64(buffer.count), count - done))
            let got = try read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]), at: offset + done)
            guard got == wanted else { throw StorageFailure.changed(path: path) }
            builder.update(UnsafeRawBufferPointer(rebasing: buffer[..<got]))
            done += Int64(got)
        }
        return builder.finish()
    }
}

extension String {
    fileprivate var xmlEscaped: String {
        replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    }
}
