import Basics
import Features
import Foundation
import Streams
import Telemetry

/// The streams of features of a factory: where their log is, and which process works on them.
struct StreamDuty: Sendable {
    let streams: FeatureStreams
    /// The store of all topics of the factory.
    let store: StreamStoreOpener
    private let duty: ControlDuty

    /// - Parameters:
    ///   - shared: the stream store that processes share; nil for the log in `address`.
    ///   - address: opened once a stream is used, since one process at a time may have it open.
    init(
        features: FeatureStore, shared: (any EventStreams)?, address: StoreURL, opener: StoreOpener, duty: ControlDuty
    ) {
        self.duty = duty
        let store = StreamStoreOpener {
            if let shared { return shared }
            guard address.scheme == "log", address.settings.isEmpty else { return try await opener.streams(address) }
            // Of what the log acknowledged nothing may be missing after a power cut: values were computed from it.
            return try await opener.streams(
                StoreURL("log:\(address.path)?durable=true", secrets: SecretSource(environment: [:])))
        }
        self.store = store
        streams = FeatureStreams(features: features, metrics: opener.metrics, logger: opener.logger) {
            try await store.opened()
        }
    }

    /// Brings streams online and into history while this process drives the factory, until the task is cancelled.
    func work() async { await streams.run { [duty] in await duty.isHeld } }

    /// Closes the log, where this process opened it.
    func close(isShared: Bool) async { if !isShared { await store.close() } }
}

/// Opens the store of topics when it is first needed, and again after a failure.
actor StreamStoreOpener {
    private let open: @Sendable () async throws -> any EventStreams
    private var opening: Task<any EventStreams, any Error>?

    init(_ open: @escaping @Sendable () async throws -> any EventStreams) { self.open = open }

    func opened() async throws -> any EventStreams {
        let task = opening ?? Task { [open] in try await open() }
        opening = task
        do { return try await task.value } catch {
            opening = nil
            throw error
        }
    }

    func close() async {
        if let streams = try? await opening?.value { await streams.close() }
        opening = nil
    }
}
