import Basics
import CPostgreSQL
import Foundation

/// One connection to a server. Every wait has an end; used by one thread at a time.
final class PostgresConnection {
    let handle: OpaquePointer
    private let address: PostgresAddress

    /// Connects within the address's `connect_timeout`.
    /// - Throws: the `SQLFailure` that says why there is no connection.
    init(_ address: PostgresAddress) throws {
        self.address = address
        handle = try PostgresConnection.start(address)
        try establish()
        try examine()
    }

    deinit { PQfinish(handle) }

    /// Whether the connection is known to be gone.
    var isLost: Bool { PQstatus(handle) != CONNECTION_OK }

    /// Whether what is sent can not be read on the way.
    var isEncrypted: Bool { PQsslInUse(handle) == 1 }

    /// The version of the server, such as `15.20`.
    var serverVersion: String {
        PQparameterStatus(handle, "server_version").map { String(cString: $0) } ?? "unknown"
    }

    /// What the library says went wrong last, in one line.
    var reason: String { PostgresConnection.oneLine(PQerrorMessage(handle).map { String(cString: $0) } ?? "") }

    /// Sends all that was queued.
    func flush(before deadline: UInt64) throws {
        while true {
            let state = PQflush(handle)
            if state == 0 { return }
            guard state == 1 else { throw lost() }
            try wait(for: Int16(POLLIN | POLLOUT), before: deadline)
            // The server may itself wait until its answers are read.
            guard PQconsumeInput(handle) == 1 else { throw lost() }
        }
    }

    /// The next result, or nil at the end of those of one command.
    func result(before deadline: UInt64) throws -> PostgresResult? {
        while PQisBusy(handle) == 1 {
            try wait(for: Int16(POLLIN), before: deadline)
            guard PQconsumeInput(handle) == 1 else { throw lost() }
        }
        guard let result = PQgetResult(handle) else {
            if isLost { throw lost() }
            return nil
        }
        return PostgresResult(result)
    }

    /// The failure of a connection that is gone.
    func lost() -> SQLFailure {
        let reason = reason
        return .unavailable(
            path: address.description, reason: reason.isEmpty ? "the server closed the connection" : reason)
    }

    private static func start(_ address: PostgresAddress) throws -> OpaquePointer {
        var parameters = address.parameters
        if let password = address.password { parameters["password"] = password.revealed }
        var keys: [UnsafePointer<CChar>?] = []
        var values: [UnsafePointer<CChar>?] = []
        var owned: [UnsafeMutablePointer<CChar>] = []
        defer { for text in owned { free(text) } }
        for (key, value) in parameters {
            guard let key = strdup(key), let value = strdup(value) else { continue }
            owned += [key, value]
            keys.append(UnsafePointer(key))
            values.append(UnsafePointer(value))
        }
        keys.append(nil)
        values.append(nil)
        guard let handle = PQconnectStartParams(keys, values, 0) else {
            throw SQLFailure.unavailable(path: address.description, reason: "out of memory")
        }
        return handle
    }

    private func establish() throws {
        // The long form carries the SQLSTATE, which says what kind of refusal it is in any language.
        PQsetErrorVerbosity(handle, PQERRORS_VERBOSE)
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        let deadline = Deadline.after(address.connectSeconds)
        var state = PQstatus(handle) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING
        while state != PGRES_POLLING_OK {
            guard state != PGRES_POLLING_FAILED else {
                throw PostgresFailure.connecting(reason, to: address)
            }
            do {
                try wait(for: Int16(state == PGRES_POLLING_READING ? POLLIN : POLLOUT), before: deadline)
            } catch {
                throw SQLFailure.unavailable(
                    path: address.description,
                    reason: "no connection came about within \(Int(address.connectSeconds)) s")
            }
            state = PQconnectPoll(handle)
        }
        PQsetErrorVerbosity(handle, PQERRORS_DEFAULT)
    }

    private func examine() throws {
        guard PQserverVersion(handle) >= 140_000 else {
            throw SQLFailure.versionTooOld(path: address.description, found: serverVersion, needed: "14")
        }
        let encoding = PQparameterStatus(handle, "server_encoding").map { String(cString: $0) } ?? ""
        guard encoding == "UTF8" else {
            throw SQLFailure.cannotOpen(
                path: address.description, reason: "the encoding of the database is \(encoding), it must be UTF8")
        }
        guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else { throw lost() }
    }

    func wait(for events: Int16, before deadline: UInt64) throws {
        while true {
            var descriptor = pollfd(fd: PQsocket(handle), events: events, revents: 0)
            guard descriptor.fd >= 0 else { throw lost() }
            let left = Deadline.millisecondsLeft(until: deadline)
            guard left > 0 else {
                throw SQLFailure.unavailable(path: address.description, reason: "the server does not answer")
            }
            let count = poll(&descriptor, 1, left)
            if count > 0 { return }
            if count < 0, errno != EINTR { throw lost() }
        }
    }

    static func oneLine(_ text: String) -> String {
        text.split(separator: "\n").filter { !$0.hasPrefix("LOCATION:") }
            .map { $0.trimmingCharacters(in: .whitespaces) }.joined(separator: "; ")
    }
}

/// Moments of the monotonic clock by which something must have happened, in nanoseconds.
enum Deadline {
    static func after(_ seconds: Double) -> UInt64 {
        let nanoseconds = UInt64(max(0, min(seconds, 1e9)) * 1e9)
        return SystemTime.monotonicNanoseconds &+ nanoseconds
    }

    static func millisecondsLeft(until deadline: UInt64) -> Int32 {
        let now = SystemTime.monotonicNanoseconds
        guard deadline > now else { return 0 }
        return Int32(clamping: (deadline - now) / 1_000_000 + 1)
    }
}
