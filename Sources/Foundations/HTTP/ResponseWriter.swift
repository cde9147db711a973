import Synchronization

/// The writing end of a streamed answer.
public struct ResponseWriter: Sendable {
    let sink: any ResponseSink

    /// Sends bytes as soon as possible; waits while more than 256 KiB have not been taken by the peer.
    /// - Throws: `HTTPFailure.peerGone` when nobody reads any more.
    public func write(_ bytes: [UInt8]) async throws { try await sink.write(bytes) }

    /// Sends text in UTF-8.
    public func write(_ text: String) async throws { try await sink.write(Array(text.utf8)) }
}

protocol ResponseSink: Sendable {
    func write(_ bytes: [UInt8]) async throws
}

final class BodyCollector: ResponseSink {
    private let gathered = Mutex<[UInt8]>([])

    var bytes: [UInt8] { gathered.withLock { $0 } }

    func write(_ bytes: [UInt8]) async throws { gathered.withLock { $0 += bytes } }
}

struct PassingSink: ResponseSink {
    let take: @Sendable ([UInt8]) async throws -> Void

    func write(_ bytes: [UInt8]) async throws { try await take(bytes) }
}
