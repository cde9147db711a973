import Basics
import Foundation
import Synchronization
import TestSupport

/// A PostgreSQL server of a test's own, on a free port of loopback and a Unix socket in its folder. It keeps fsync on,
/// sorts text by the rules of English where nothing else is said, and lets nobody in without a password.
public final class PostgresServer: Sendable {
    public static let programs = "/usr/lib/postgresql/15/bin"
    public let port: Int
    /// Holds the server's data, socket, log and certificate.
    public let folder: String
    /// The password of `works`, the owner of everything, and of `guest`, who may make nothing.
    public let password = "only for tests"
    private let usesTLS: Bool
    private let process = Mutex<EngineProcess?>(nil)
    private static let folders = Mutex<[String: PostgresServer]>([:])

    /// Makes a cluster and starts it; takes about a second.
    /// - Parameter tls: whether it offers TLS, with a certificate of its own in `server.crt`.
    public init(tls: Bool = false) throws {
        usesTLS = tls
        port = try freePort()
        folder = NSTemporaryDirectory() + "modelworks-postgres-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        try password.write(toFile: "\(folder)/password", atomically: true, encoding: .utf8)
        try own()
        try Self.run(
            asUser("postgres") + [
                "\(Self.programs)/initdb", "-D", "\(folder)/data", "-U", "works", "--no-sync", "--no-instructions",
                "--auth=scram-sha-256", "--pwfile=\(folder)/password", "--encoding=UTF8", "--locale=C.UTF-8",
                "--locale-provider=icu", "--icu-locale=en-US",
            ])
        if tls { try makeCertificate() }
        try """
        local all all scram-sha-256
        hostnossl all sealed 127.0.0.1/32 reject
        host all all 127.0.0.1/32 scram-sha-256
        """.write(toFile: "\(folder)/data/pg_hba.conf", atomically: true, encoding: .utf8)
        try own()
        Self.folders.withLock { $0[folder] = self }
        atexit { PostgresServer.removeAll() }
        try start()
        try query("CREATE ROLE guest LOGIN PASSWORD '\(password)'", database: "postgres")
        try query("CREATE ROLE sealed LOGIN PASSWORD '\(password)'", database: "postgres")
        try query("CREATE DATABASE works", database: "postgres")
    }

    /// Stops the server and removes its folder; a server that is not removed goes with the process.
    public func remove() {
        process.withLock { $0 = nil }
        try? FileManager.default.removeItem(atPath: folder)
        _ = Self.folders.withLock { $0.removeValue(forKey: folder) }
    }

    private static func removeAll() {
        for server in folders.withLock({ Array($0.values) }) { server.remove() }
    }

    /// The address of the database `works`.
    /// - Parameters:
    ///   - schema: where the tables lie.
    ///   - port: another way to the server, such as a proxy's.
    ///   - settings: more query items, such as `pool=2`.
    public func url(
        schema: String, user: String = "works", database: String = "works", password: String? = nil, port: Int? = nil,
        settings: [String] = ["sslmode=disable"]
    ) throws -> StoreURL {
        let items = ["schema=\(schema)", "password_env=PASSWORD"] + settings
        return try StoreURL(
            "postgresql://\(user)@127.0.0.1:\(port ?? self.port)/\(database)?\(items.joined(separator: "&"))",
            secrets: SecretSource(environment: ["PASSWORD": password ?? self.password]))
    }

    /// Starts the server and waits until it takes connections, through its recovery where it needs one.
    public func start() throws {
        try waitUntil("the PostgreSQL server in \(folder) starts") {
            let running = try process.withLock { process -> EngineProcess in
                if let process, process.isRunning { return process }
                let options = usesTLS ? ["-c", "ssl=on", "-c", "ssl_cert_file=\(folder)/server.crt"] : []
                let key = usesTLS ? ["-c", "ssl_key_file=\(folder)/server.key"] : []
                let made = try EngineProcess(
                    "postgres",
                    asUser("postgres") + [
                        "\(Self.programs)/postgres", "-D", "\(folder)/data", "-p", "\(port)", "-k", folder,
                        "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=200",
                        // After a kill the system still has every page: flushing each file by itself takes seconds.
                        "-c", "recovery_init_sync_method=syncfs",
                    ] + options + key, folder: folder, endSignal: "QUIT")
                process = made
                return made
            }
            guard running.isRunning else { return false }
            return (try? Self.run(["\(Self.programs)/pg_isready", "-q", "-h", folder, "-p", "\(port)"])) != nil
        }
    }

    /// Ends the server and its connections at once, as a power cut would: it recovers from its log when it starts.
    public func kill() throws {
        guard let pid = process.withLock({ $0?.pid }) else { return }
        let children = Self.children(of: pid)
        Foundation.kill(pid, SIGKILL)
        for child in children { Foundation.kill(child, SIGKILL) }
        try waitUntil("the PostgreSQL server ends") {
            ([pid] + children).allSatisfy { Foundation.kill($0, 0) != 0 || Self.isDefunct($0) }
        }
        process.withLock { $0 = nil }
    }

    /// Ends the server in order, breaking off its connections.
    public func stop() throws {
        guard let running = process.withLock({ $0 }) else { return }
        running.signal(SIGINT)
        try waitUntil("the PostgreSQL server stops") { !running.isRunning || Self.isDefunct(running.pid) }
        process.withLock { $0 = nil }
    }

    /// Lets every process of the server stand still.
    public func freeze() { signalAll(SIGSTOP) }

    /// Lets them go on.
    public func thaw() { signalAll(SIGCONT) }

    /// Runs a statement as the owner of everything; answers what `psql` prints.
    @discardableResult
    public func query(_ sql: String, database: String = "works") throws -> String {
        try Self.run(
            ["\(Self.programs)/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]
                + ["-h", folder, "-p", "\(port)", "-U", "works", "-d", database, "-c", sql],
            environment: ["PGPASSWORD": password])
    }

    private func signalAll(_ number: Int32) {
        guard let pid = process.withLock({ $0?.pid }) else { return }
        Foundation.kill(pid, number)
        for child in Self.children(of: pid) { Foundation.kill(child, number) }
    }

    private func makeCertificate() throws {
        try Self.run([
            "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
            "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", "\(folder)/server.key",
            "-out", "\(folder)/server.crt",
        ])
        chmod("\(folder)/server.key", 0o600)
    }

    /// Gives the folder to the user the server runs as.
    private func own() throws {
        if getuid() == 0 { try Self.run(["chown", "-R", "postgres:postgres", folder]) }
    }

    private static func children(of parent: pid_t) -> [pid_t] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
        return names.compactMap { pid_t($0) }.filter { stat(of: $0).dropFirst().first.map { Int32($0) } == parent }
    }

    private static func isDefunct(_ pid: pid_t) -> Bool { stat(of: pid).first.map { $0 == "Z" } ?? true }

    /// State, parent and what follows of a process, after its name in brackets.
    private static func stat(of pid: pid_t) -> [Substring] {
        let text = String(decoding: FileManager.default.contents(atPath: "/proc/\(pid)/stat") ?? Data(), as: UTF8.self)
        guard let end = text.lastIndex(of: ")") else { return [] }
        return text[text.index(after: end)...].split(separator: " ")
    }

    @discardableResult
    private static func run(_ words: [String], environment: [String: String] = [:]) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = words
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw EngineUnavailable("\(words.joined(separator: " ")) ended with \(process.terminationStatus): \(text)")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// The PostgreSQL server that all tests of a process share, started by the first that needs it.
public actor SharedPostgres {
    public static let only = SharedPostgres()
    private var started: Result<PostgresServer, any Error>?

    /// The server, which offers TLS.
    public func server() throws -> PostgresServer {
        if let started { return try started.get() }
        let result = Result { try PostgresServer(tls: true) }
        started = result
        return try result.get()
    }
}
