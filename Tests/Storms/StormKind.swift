import Basics

/// What is killed while it is at work on which store.
public enum StormKind: String, CaseIterable, Sendable, CustomStringConvertible {
    case sqlite, postgresql, file, s3, lmdb, redis, log, kafka, jobs, records, archive, featureStreams, featureValues
    /// The server is killed and started again, and its client goes on.
    case postgresqlServer, redisServer

    public var description: String { rawValue }

    public var killsServer: Bool { self == .postgresqlServer || self == .redisServer }

    /// Opens the store.
    /// - Parameters:
    ///   - address: of the store; those in folders of this machine need none.
    ///   - folder: of the store, or for what its client keeps beside it.
    public func open(_ address: StoreURL?, folder: String) async throws -> any StormStore {
        switch (self, address) {
        case (.sqlite, let url?), (.postgresql, let url?), (.postgresqlServer, let url?):
            try await SQLStorm(url)
        case (.file, let url?), (.s3, let url?): try await ObjectStorm(url, folder: folder)
        case (.lmdb, let url?), (.redis, let url?), (.redisServer, let url?): try await KeyValueStorm(url)
        case (.log, let url?): try await LogStorm(url)
        case (.kafka, let url?): try await KafkaStorm(url)
        case (.jobs, _): try await JobStorm(folder: folder)
        case (.records, _): try await RecordStorm(folder: folder, isShared: false)
        case (.archive, _): try await RecordStorm(folder: folder, isShared: true)
        case (.featureStreams, _): try await FeatureStreamStorm(folder: folder)
        case (.featureValues, _): try await FeatureValueStorm(folder: folder)
        case (_, nil): throw StormFailure.noAddress(rawValue)
        }
    }
}

/// Why a storm can not be.
public enum StormFailure: Failure, Hashable {
    case noAddress(String)
    case stuck(String)

    public var code: FailureCode { .failedPrecondition }

    public var message: String {
        switch self {
        case .noAddress(let kind): "a storm of \(kind) needs the address of the store"
        case .stuck(let what): "\(what) does not come to its end"
        }
    }

    public var remedy: String? { nil }
}
