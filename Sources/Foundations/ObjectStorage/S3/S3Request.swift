import Basics

/// One request to S3.
struct S3Request: Sendable {
    enum Body: Sendable {
        case none
        case bytes([UInt8], Range<Int>)
        case file(SharedFile, offset: Int64, count: Int64)
    }

    enum Destination: Sendable {
        /// Into the answer.
        case answer(limit: Int64)
        case file(SharedFile, offset: Int64, limit: Int64)
        case memory(SharedMemory, offset: Int, limit: Int)
    }

    /// For metrics: `put`, `get`, `head`, `delete`, `list`, `part`...
    let operation: String
    let method: String
    /// Without the location's prefix where that is empty; the whole key otherwise.
    let key: String
    var query: [(name: String, value: String)] = []
    /// In lower case.
    var headers: [(name: String, value: String)] = []
    var body = Body.none
    /// Of the body.
    var digest: Digest?
    var destination = Destination.answer(limit: 8 << 20)
    /// Statuses that are answers rather than failures, beside 200 to 299.
    var accepted: Set<Int> = []

    init(_ operation: String, _ method: String, key: String) {
        self.operation = operation
        self.method = method
        self.key = key
    }

    /// The local file that is read or written, if any.
    var file: String? {
        if case .file(let file, _, _) = destination { return file.file.path }
        if case .file(let file, _, _) = body { return file.file.path }
        return nil
    }

    /// For a person: what was tried.
    var action: String {
        switch operation {
        case "get": "reading from"
        case "put", "part", "multipart": "writing to"
        case "delete", "abort": "deleting from"
        case "list": "listing"
        default: "looking into"
        }
    }
}

/// An open file that several transfers read or write, each at its own offsets.
final class SharedFile: Sendable {
    let file: OpenFile

    init(_ path: String, _ flags: Int32) throws { file = try OpenFile(path, flags) }
}

/// Memory that several transfers fill, each its own part.
final class SharedMemory: Sendable {
    let count: Int
    private nonisolated(unsafe) let memory: UnsafeMutableRawBufferPointer

    init(count: Int) {
        self.count = count
        memory = .allocate(byteCount: max(1, count), alignment: 16)
    }

    deinit { memory.deallocate() }

    /// The bytes from an offset that lies inside.
    func pointer(at offset: Int) -> UnsafeMutablePointer<UInt8>? {
        guard offset >= 0, offset <= count else { return nil }
        return memory.baseAddress?.advanced(by: offset).assumingMemoryBound(to: UInt8.self)
    }

    func fill(at offset: Int, _ bytes: [UInt8]) {
        guard offset >= 0, bytes.count <= count - offset else { return }
        bytes.withUnsafeBytes { memory.baseAddress?.advanced(by: offset).copyMemory(from: $0, count: $0.count) }
    }

    /// What was filled in; to be called when no transfer runs any more.
    var bytes: [UInt8] { Array(memory[..<count]) }
}

extension UnsafeMutableRawPointer {
    fileprivate func copyMemory(from source: UnsafeRawBufferPointer, count: Int) {
        guard let base = source.baseAddress else { return }
        copyMemory(from: base, byteCount: count)
    }
}
