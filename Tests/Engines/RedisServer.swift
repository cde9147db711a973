import Basics
import Foundation
import Synchronization

/// What servers and clients of a test need for TLS: an authority of its own and certificates signed by it.
public struct RedisCertificates: Sendable {
    public let authority: String
    public let serverCertificate: String
    public let serverKey: String
    public let clientCertificate: String
    public let clientKey: String

    /// Makes them in a folder that exists.
    public init(folder: String) throws {
        authority = "\(folder)/ca.crt"
        serverCertificate = "\(folder)/server.crt"
        serverKey = "\(folder)/server.key"
        clientCertificate = "\(folder)/client.crt"
        clientKey = "\(folder)/client.key"
        let script = """
            set -e
            cd '\(folder)'
            key() { openssl ecparam -name prime256v1 -genkey -noout -out $1.key; }
            key ca
            openssl req -x509 -new -key ca.key -days 2 -subj /CN=authority -out ca.crt
            for name in server client; do
              key $name
              openssl req -new -key $name.key -subj /CN=$name -out $name.csr
              echo 'subjectAltName=IP:127.0.0.1,DNS:localhost' > $name.ext
              openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 \
                -extfile $name.ext -out $name.crt
            done
            """
        _ = try runToEnd(["/bin/sh", "-c", script])
    }
}

/// A Redis server of a test's own on loopback, which can be stopped, killed and started again with what it stored.
public final class RedisServer: Sendable {
    public let port: Int
    public let folder: String
    private let words: [String]
    private let access: [String]
    private let process = Mutex<EngineProcess?>(nil)

    /// - Parameters:
    ///   - folder: for its files; must exist.
    ///   - password: of the default user.
    ///   - certificates: for TLS in place of plain TCP; clients must show a certificate.
    ///   - isDurable: write each change to the disk before it is acknowledged.
    ///   - isCluster: a node of a cluster, without slots to begin with.
    ///   - settings: more words of its command line.
    public init(
        folder: String, password: String? = nil, certificates: RedisCertificates? = nil, isDurable: Bool = false,
        isCluster: Bool = false, settings: [String] = []
    ) throws {
        port = try freePort()
        self.folder = folder
        let number = String(port)
        var words = [
            "redis-server", "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--daemonize", "no",
            "--enable-debug-command", "yes",
        ]
        var access = ["redis-cli", "-h", "127.0.0.1", "-p", number, "--no-auth-warning"]
        if isDurable { words += ["--appendonly", "yes", "--appendfsync", "always"] }
        if let password {
            words += ["--requirepass", password]
            access += ["-a", password]
        }
        if let certificates {
            words += [
                "--port", "0", "--tls-port", number, "--tls-ca-cert-file", certificates.authority, "--tls-cert-file",
                certificates.serverCertificate, "--tls-key-file", certificates.serverKey,
            ]
            access += [
                "--tls", "--cacert", certificates.authority, "--cert", certificates.clientCertificate, "--key",
                certificates.clientKey,
            ]
        } else {
            words += ["--port", number]
        }
        if isCluster {
            words += [
                "--cluster-enabled", "yes", "--cluster-port", String(try freePort()), "--cluster-node-timeout", "2000",
                "--cluster-config-file", "nodes.conf",
            ]
        }
        self.words = words + settings
        self.access = access
        try start()
    }

    /// Starts it, or starts it again with what it stored; returns when it answers.
    public func start() throws {
        let process = try EngineProcess("redis-\(port)", words, folder: folder)
        self.process.withLock { $0 = process }
        try waitUntil("redis-server on port \(port): \(process.output.suffix(400))", within: 20) {
            (try? command("PING"))?.contains("PONG") ?? false
        }
    }

    /// Ends it at once, as a crash does.
    public func kill() {
        process.withLock { process in
            process?.end()
            process = nil
        }
    }

    /// Freezes it: it takes connections and answers nothing.
    public func freeze() { process.withLock { $0?.signal(SIGSTOP) } }

    /// Ends a freeze.
    public func thaw() { process.withLock { $0?.signal(SIGCONT) } }

    /// Its answer to a command of an operator.
    @discardableResult
    public func command(_ words: String...) throws -> String { try runToEnd(access + words) }
}

/// Three masters that share the slots of a cluster.
public final class RedisCluster: Sendable {
    public let servers: [RedisServer]

    /// - Parameter folder: for its files; must exist.
    public init(folder: String) throws {
        servers = try (0..<3).map { index in
            let own = "\(folder)/node\(index)"
            try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
            return try RedisServer(folder: own, isCluster: true)
        }
        let bounds = [0, 5461, 10923, 16384]
        for (index, server) in servers.enumerated() {
            try server.command("CLUSTER", "ADDSLOTSRANGE", "\(bounds[index])", "\(bounds[index + 1] - 1)")
            try server.command("CLUSTER", "SET-CONFIG-EPOCH", "\(index + 1)")
        }
        guard let first = servers.first else { return }
        for server in servers.dropFirst() {
            let bus = try bus(of: server)
            try first.command("CLUSTER", "MEET", "127.0.0.1", "\(server.port)", bus)
        }
        try waitUntil("a cluster of three", within: 30) {
            try servers.allSatisfy { server in
                let state = try server.command("CLUSTER", "INFO")
                return state.contains("cluster_state:ok") && state.contains("cluster_known_nodes:3")
            }
        }
    }

    /// The name of a node in the cluster.
    public func identity(_ server: RedisServer) throws -> String {
        try server.command("CLUSTER", "MYID").trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// The server that holds a slot by its own account.
    public func master(of slot: Int) throws -> RedisServer? {
        try servers.first { server in
            let words =
                try server.command("CLUSTER", "NODES").split(separator: "\n")
                .first { $0.contains("myself") }?.split(separator: " ").dropFirst(8) ?? []
            return words.contains { range in
                let ends = range.split(separator: "-").compactMap { Int($0) }
                guard let low = ends.first, let high = ends.last else { return false }
                return low <= slot && slot <= high
            }
        }
    }

    private func bus(of server: RedisServer) throws -> String {
        let own = try server.command("CLUSTER", "NODES").split(separator: " ").first { $0.contains("@") } ?? ""
        return own.split(separator: "@").last.map { String($0.prefix { $0.isNumber }) } ?? ""
    }
}

/// Runs a program to its end.
/// - Returns: its output.
/// - Throws: `EngineUnavailable` with its output where it fails.
func runToEnd(_ words: [String]) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = words
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let text = String(decoding: data, as: UTF8.self)
    guard process.terminationStatus == 0 else {
        throw EngineUnavailable("\(words.first ?? "") failed: \(text.suffix(400))")
    }
    return text
}
