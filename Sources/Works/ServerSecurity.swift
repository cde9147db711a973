import Basics
import Foundation
import HTTP
import Security
import Telemetry

/// How a server keeps out whom it should.
public struct ServerSecurity: Sendable {
    public var access: AccessMode
    /// Nil: plain HTTP.
    public var certificate: HTTPServerConfiguration.Certificate?
    /// Whether listening beyond this machine without authentication and TLS was asked for in so many words.
    public var insecure: Bool
    /// Each element has the certificate read again at once; its files are looked at every few seconds besides.
    public var reloads: AsyncStream<Void>?

    /// Open to everybody on this machine.
    public init(
        access: AccessMode = .off, certificate: HTTPServerConfiguration.Certificate? = nil, insecure: Bool = false,
        reloads: AsyncStream<Void>? = nil
    ) {
        self.access = access
        self.certificate = certificate
        self.insecure = insecure
        self.reloads = reloads
    }

    /// Keeps the certificate of a running server up to date until the task is cancelled. A file that can not be used
    /// changes nothing: it is told once, and what was in use stays in use.
    func keepCertificate(of server: HTTPServer, log: Logger) async {
        guard let certificate else { return }
        let files = [certificate.chainPath, certificate.keyPath, certificate.clientAuthorityPath].compactMap(\.self)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                var seen = files.map(FileMark.init)
                while !Task.isCancelled {
                    try? await Task.sleep(for: .seconds(2))
                    let found = files.map(FileMark.init)
                    guard found != seen else { continue }
                    seen = found
                    ServerSecurity.reload(server, log)
                }
            }
            if let reloads {
                group.addTask { for await _ in reloads { ServerSecurity.reload(server, log) } }
            }
        }
    }

    private static func reload(_ server: HTTPServer, _ log: Logger) {
        do { try server.reloadCertificate() } catch {
            log.error("the TLS certificate could not be read again", ["error": .string(error.description)])
        }
    }
}

/// What tells a changed file from an unchanged one without reading it.
private struct FileMark: Equatable {
    private let node: UInt64
    private let size: Int64
    private let seconds: Int
    private let nanoseconds: Int

    init(_ path: String) {
        var facts = stat()
        let found = stat(path, &facts) == 0
        node = found ? UInt64(facts.st_ino) : 0
        size = found ? Int64(facts.st_size) : -1
        seconds = found ? facts.st_mtim.tv_sec : 0
        nanoseconds = found ? facts.st_mtim.tv_nsec : 0
    }
}
