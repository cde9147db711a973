import Foundation
import Telemetry

/// Where a server listens, and how much it puts up with. Times are in seconds, sizes in bytes.
public struct HTTPServerConfiguration: Sendable {
    /// PEM files for TLS 1.2 and 1.3.
    public struct Certificate: Sendable {
        /// The certificate, followed by those between it and the root.
        public var chainPath: String
        /// The unencrypted key. Nobody but its owner and group may have the right to read it.
        public var keyPath: String
        /// Authorities of client certificates. Where there is one, only clients whose certificate it signed can connect.
        public var clientAuthorityPath: String?

        public init(chainPath: String, keyPath: String, clientAuthorityPath: String? = nil) {
            self.chainPath = chainPath
            self.keyPath = keyPath
            self.clientAuthorityPath = clientAuthorityPath
        }

        /// - Throws: `HTTPFailure.badCertificate` where others may read the key, or a file can not be found.
        func check() throws(HTTPFailure) {
            for path in [chainPath, keyPath, clientAuthorityPath].compactMap({ $0 }) {
                guard access(path, R_OK) == 0 else {
                    throw .badCertificate("'\(path)': \(String(cString: strerror(errno)))")
                }
            }
            var facts = stat()
            guard stat(keyPath, &facts) == 0, facts.st_mode & 0o007 == 0 else {
                throw .badCertificate("'\(keyPath)': every user of this machine may read the key")
            }
        }
    }

    /// An address or a name of this machine.
    public var host = "127.0.0.1"
    /// 0 lets the system choose; `HTTPServer.start` tells what it chose.
    public var port = 0
    /// Where HTTP/2 is spoken as well, without an upgrade: 0 lets the system choose, nil leaves it out. Where there is a
    /// certificate, `port` takes clients that speak nothing but HTTP/2 too.
    public var http2Port: Int?
    /// Threads that each run a loop of their own.
    public var threads = 2
    /// Nil: plain HTTP.
    public var certificate: Certificate?
    /// Above it a request is answered by 431.
    public var headerLimit = 32 << 10
    /// Above it a request is answered by 413, before the body is read where its length is known.
    public var bodyLimit = 64 << 20
    /// The same for bodies that their handler takes piece by piece.
    public var piecewiseBodyLimit = 1 << 40
    /// Above it a new connection is answered by 503 and closed.
    public var connectionLimit = 4096
    /// Streams of HTTP/2 that may be open at once on one connection.
    public var streamLimit = 128
    /// What the bodies of all streams of one connection may take in memory while they wait for their handlers.
    public var streamMemory = 256 << 20
    /// From the first byte of a request to the end of its header; after it the answer is 408.
    public var headerTimeout = 10.0
    /// From the end of the header to the end of the body, and a second more for each `minimumRate` bytes received.
    public var bodyTimeout = 20.0
    /// How long a connection may wait for its next request.
    public var idleTimeout = 60.0
    /// For the whole of an answer, and a second more for each `minimumRate` bytes of it; for each write of a stream.
    public var writeTimeout = 20.0
    /// Bytes in a second below which a peer is too slow for a large body.
    public var minimumRate = 16 << 10
    /// From the whole request to its answer, or to the beginning of one that is streamed; after it the answer is 504. Nil for
    /// any time. Requests that are answered in place are not held to it.
    public var answerTimeout: Double?
    /// Which pages of other origins may read answers; nil for none.
    public var crossOrigins: CrossOrigins?
    /// Told of every request; nil for nobody.
    public var observer: (any RequestObserver)?

    /// The defaults, at a host and a port.
    public init(host: String = "127.0.0.1", port: Int = 0) {
        self.host = host
        self.port = port
    }
}
