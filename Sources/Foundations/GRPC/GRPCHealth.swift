import HTTP
import Synchronization

/// What `grpc.health.v1.Health` tells of services, by Check and Watch. The name of the whole server is empty, and it serves
/// until something else is set.
public final class GRPCHealth: Sendable {
    /// As the protocol numbers them.
    public enum Status: UInt8, Sendable {
        case serving = 1
        case notServing = 2
        /// Told by Watch of services that nobody has set.
        case serviceUnknown = 3
    }

    private struct State {
        var statuses: [String: Status] = ["": .serving]
        var watchers: [Int: AsyncStream<Status>.Continuation] = [:]
        var services: [Int: String] = [:]
        var last = 0
        var isDraining = false
    }

    /// Watchers of one server at a time.
    private static let watcherLimit = 1024
    private let state = Mutex(State())

    init() {}

    /// Says how a service is, such as `inference.GRPCInferenceService`.
    public func set(_ service: String, _ status: Status) {
        let told = state.withLock { state in
            guard !state.isDraining, state.statuses[service] != status else {
                return [] as [AsyncStream<Status>.Continuation]
            }
            state.statuses[service] = status
            return state.services.filter { $0.value == service }.compactMap { state.watchers[$0.key] }
        }
        for watcher in told { watcher.yield(status) }
    }

    /// How a service is; nil where nobody has set it.
    public func status(of service: String) -> Status? { state.withLock { $0.statuses[service] } }

    /// Nothing serves any more: watchers are told so, and their streams end.
    func drain() {
        let watchers = state.withLock { state in
            state.isDraining = true
            for service in state.statuses.keys { state.statuses[service] = .notServing }
            return Array(state.watchers.values)
        }
        for watcher in watchers {
            watcher.yield(.notServing)
            watcher.finish()
        }
    }

    /// The states of a service from now on; nil where too many watch.
    private func watch(_ service: String) -> AsyncStream<Status>? {
        let (stream, watcher) = AsyncStream.makeStream(of: Status.self, bufferingPolicy: .bufferingNewest(1))
        let key = state.withLock { state -> Int? in
            guard state.watchers.count < GRPCHealth.watcherLimit else { return nil }
            state.last += 1
            state.watchers[state.last] = watcher
            state.services[state.last] = service
            watcher.yield(state.isDraining ? .notServing : state.statuses[service] ?? .serviceUnknown)
            if state.isDraining { watcher.finish() }
            return state.last
        }
        guard let key else { return nil }
        watcher.onTermination = { [weak self] _ in
            self?.state.withLock { state in
                state.watchers[key] = nil
                state.services[key] = nil
            }
        }
        return stream
    }

    // MARK: The service

    func install(on router: GRPCRouter) {
        router.inline("/grpc.health.v1.Health/Check", needs: .nothing) { [weak self] call in
            guard let self else { return false }
            do {
                let service = try GRPCHealth.service(in: call.message)
                guard let status = status(of: service) else {
                    throw GRPCStatus(.notFound, "nothing is known of the service '\(service)'")
                }
                GRPCHealth.message(status).withUnsafeBytes { call.reply($0) }
            } catch {
                call.fail(error)
            }
            return true
        }
        router.stream("/grpc.health.v1.Health/Watch", needs: .nothing) { [weak self] stream in
            guard let message = try await stream.next() else {
                throw GRPCFailure.badMessage("the call has none")
            }
            let service = try message.withUnsafeBytes { try GRPCHealth.service(in: $0) }
            guard let statuses = self?.watch(service) else {
                throw GRPCStatus(.resourceExhausted, "too many watch the health of this server")
            }
            for await status in statuses { try await stream.send(GRPCHealth.message(status)) }
            try Task.checkCancellation()
            throw GRPCStatus(.unavailable, "the server is about to stop")
        }
    }

    /// A HealthCheckResponse: field 1 is the status.
    private static func message(_ status: Status) -> [UInt8] { [0x08, status.rawValue] }

    /// Field 1 of a HealthCheckRequest, the name of the service. Nothing else belongs in there, so nothing else is taken.
    static func service(in message: UnsafeRawBufferPointer) throws(GRPCFailure) -> String {
        if message.isEmpty { return "" }
        var (length, position, shift) = (0, 1, 0)
        var isDone = false
        while !isDone, position < message.count, shift <= 14 {
            length |= Int(message[position] & 0x7F) << shift
            isDone = message[position] & 0x80 == 0
            (position, shift) = (position + 1, shift + 7)
        }
        guard message[0] == 0x0A, isDone, message.count - position == length else {
            throw .badMessage("it is no HealthCheckRequest")
        }
        guard let text = String(validating: message[position...], as: UTF8.self) else {
            throw .badMessage("the name of the service is no UTF-8")
        }
        return text
    }
}
