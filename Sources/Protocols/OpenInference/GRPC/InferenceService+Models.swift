import Basics
import GRPC
import HTTP
import Security
import Serving

/// What tells of the server and its models, and looks after them.
extension InferenceService {
    func installMetadata(on calls: GRPCRouter) {
        unary("ServerLive", .nothing, on: calls) { messages, _, _ in try messages.live() }
        unary("ServerReady", .nothing, on: calls) { messages, _, _ in try messages.serverReady(directory.isReady) }
        unary("ServerMetadata", .right(to: .read), on: calls) { messages, _, _ in
            try messages.server(name: "modelworks", version: version, extensions: MetadataRoutes.extensions)
        }
        let need = RouteNeed.right(to: .read, onSome: "endpoint")
        unary("ModelReady", need, on: calls) { messages, request, caller in
            let (name, version) = try subject(messages, request, caller)
            do {
                try directory.requireReady(name, version: version)
                return try messages.modelReady(true)
            } catch let failure as ServingFailure where failure.code == .unavailable {
                return try messages.modelReady(false)
            }
        }
        unary("ModelMetadata", need, on: calls) { messages, request, caller in
            let (name, version) = try subject(messages, request, caller)
            switch try directory.target(name, version: version) {
            case .endpoint(let endpoint): return try messages.metadata(ModelMetadata(endpoint))
            case .model(let model): return try messages.metadata(ModelMetadata(model))
            }
        }
        unary("ModelConfig", need, on: calls) { messages, request, caller in
            let (name, version) = try subject(messages, request, caller)
            return try messages.settings(ModelSettings(try directory.target(name, version: version)))
        }
        unary("ModelStatistics", need, on: calls) { messages, request, caller in
            let (name, version) = try messages.subject(request)
            guard !name.isEmpty else {
                try caller?.require(.right(to: .read))
                return try messages.statistics(directory.statistics)
            }
            try caller?.require(.right(to: .read, on: "endpoint"), on: name)
            return try messages.statistics(ModelCounts.all(of: try directory.target(name, version: version)))
        }
    }

    func installRepository(on calls: GRPCRouter) {
        unary("RepositoryIndex", .right(to: .read), on: calls) { messages, request, _ in
            try messages.index(directory.index(readyOnly: try messages.wantsReadyOnly(request)))
        }
        let need = RouteNeed.right(to: .deploy, onSome: "endpoint")
        for (call, isLoad) in [("RepositoryModelLoad", true), ("RepositoryModelUnload", false)] {
            calls.unary(Self.path(call), needs: need) { request in
                try await Self.failing {
                    let messages = ServiceMessages(arena: MessageArena(), output: OutputBuffer())
                    let (name, override) = try request.message.withUnsafeBytes { try messages.load($0) }
                    try request.caller?.require(.right(to: .deploy, on: "endpoint"), on: name)
                    let repository = try directory.repository(for: name)
                    if isLoad {
                        try await repository.load(name, override: override)
                    } else {
                        try await repository.unload(name)
                    }
                    return []
                }
            }
        }
    }

    /// Registers a call whose answer is at hand.
    private func unary(
        _ method: String, _ need: RouteNeed, on calls: GRPCRouter,
        _ answer: @escaping @Sendable (ServiceMessages, UnsafeRawBufferPointer, Caller?) throws -> [UInt8]
    ) {
        calls.unary(Self.path(method), needs: need) { request in
            try await Self.failing {
                let messages = ServiceMessages(arena: MessageArena(), output: OutputBuffer())
                return try request.message.withUnsafeBytes { try answer(messages, $0, request.caller) }
            }
        }
    }

    private func subject(
        _ messages: ServiceMessages, _ request: UnsafeRawBufferPointer, _ caller: Caller?
    ) throws -> (name: String, version: String?) {
        let subject = try messages.subject(request)
        try caller?.require(.right(to: .read, on: "endpoint"), on: subject.name)
        return subject
    }
}
