import Basics
import ObjectStorage

/// What can go wrong with event streams.
public enum StreamFailure: Failure, Hashable {
    case invalidTopic(String, reason: String)
    case invalidArgument(String)
    case unknownTopic(String)
    case unknownPartition(topic: String, partition: Int, has: Int)
    case topicDiffers(String, has: Int, wanted: Int)
    case offsetOutside(topic: String, partition: Int, offset: Int64, end: Int64)
    case recordTooLarge(bytes: Int, limit: Int)
    /// Files of the local log.
    case storage(StorageFailure)
    case inUse(path: String)
    /// Stored bytes are not what was written.
    case damaged(path: String, offset: Int64, reason: String)
    case unreachable(store: String, reason: String)
    case authentication(store: String, reason: String)
    case denied(action: String, store: String, reason: String)
    case timedOut(action: String, store: String)
    case fenced(group: String, id: String)
    case assignmentLost(group: String)
    case transactionFailed(group: String, reason: String)
    case foreignConsumer(group: String)
    case broker(action: String, store: String, reason: String)
    case closed(store: String)

    public var code: FailureCode {
        switch self {
        case .invalidTopic, .invalidArgument, .offsetOutside, .recordTooLarge, .foreignConsumer: .invalidArgument
        case .unknownTopic, .unknownPartition: .notFound
        case .topicDiffers: .alreadyExists
        case .storage(let failure): failure.code
        case .damaged: .dataLoss
        case .authentication, .denied: .permissionDenied
        case .timedOut: .deadlineExceeded
        case .inUse, .fenced, .closed: .failedPrecondition
        case .unreachable, .assignmentLost, .transactionFailed: .unavailable
        case .broker: .internal
        }
    }

    public var message: String {
        switch self {
        case .invalidTopic(let name, let reason): "'\(name)' can not name a topic: \(reason)"
        case .invalidArgument(let reason): reason
        case .unknownTopic(let name): "there is no topic '\(name)'"
        case .unknownPartition(let topic, let partition, let has):
            "the topic '\(topic)' has no partition \(partition), only \(has)"
        case .topicDiffers(let name, let has, let wanted):
            "the topic '\(name)' exists with \(has) partitions, not \(wanted)"
        case .offsetOutside(let topic, let partition, let offset, let end):
            "partition \(partition) of '\(topic)' ends at offset \(end), before \(offset)"
        case .recordTooLarge(let bytes, let limit): "a record of \(bytes) bytes is over the limit of \(limit)"
        case .storage(let failure): failure.message
        case .inUse(let path): "the streams in '\(path)' are in use by another process"
        case .damaged(let path, let offset, let reason): "'\(path)' is damaged at byte \(offset): \(reason)"
        case .unreachable(let store, let reason): "the broker of '\(store)' can not be reached: \(reason)"
        case .authentication(let store, let reason): "the broker of '\(store)' did not let this client in: \(reason)"
        case .denied(let action, let store, let reason): "\(action) at '\(store)' is not allowed: \(reason)"
        case .timedOut(let action, let store): "\(action) at '\(store)' did not finish in time"
        case .fenced(let group, let id):
            "another process took over the transactions of '\(group)' under the id '\(id)'"
        case .assignmentLost(let group):
            "partitions moved to another consumer of the group '\(group)' before their records were committed"
        case .transactionFailed(let group, let reason):
            "the transaction of the group '\(group)' was undone: \(reason)"
        case .foreignConsumer(let group): "the consumer of the group '\(group)' belongs to another store"
        case .broker(let action, let store, let reason): "\(action) at '\(store)' failed: \(reason)"
        case .closed(let store): "the streams '\(store)' are closed"
        }
    }

    public var remedy: String? {
        switch self {
        case .invalidTopic: "Use 1 to 249 letters, digits, '.', '_' or '-'"
        case .unknownTopic: "Make it first, and check the prefix of topic names in the store's address"
        case .topicDiffers: "Use the number it has, or another name: keys would move between partitions"
        case .recordTooLarge: "Store the content as an object and publish its digest, or raise max_record_bytes"
        case .storage(let failure): failure.remedy
        case .inUse: "Stop the other modelworks that works on this folder, or use Kafka to share streams"
        case .damaged: "Restore the file from a backup; records before that byte are sound"
        case .unreachable:
            "Check host, port and network, and that the broker runs and advertises an address seen from here"
        case .authentication: "Check security, mechanism, user and password or the client certificate"
        case .denied: "Grant this user the right on the topic, group or transactional id"
        case .timedOut: "Look at the broker's load and log; the same call may work later"
        case .fenced: "Give each process a client_id of its own, then open the consumer anew"
        case .assignmentLost: "Poll on: the new owner sees these records again"
        case .transactionFailed: "Rewind the consumer and try again"
        case .offsetOutside: "Ask for the ends of the topic first"
        case .broker: "Look at the broker's log"
        case .invalidArgument, .unknownPartition, .foreignConsumer, .closed: nil
        }
    }

    /// Runs a call on files and tells its failure in the words of this room.
    @discardableResult
    static func translating<Result>(_ body: () throws -> Result) throws -> Result {
        do { return try body() } catch let failure as StorageFailure { throw StreamFailure(failure) }
    }

    init(_ failure: StorageFailure) {
        self =
            switch failure {
            case .damaged(let path, let offset, let reason): .damaged(path: path, offset: offset, reason: reason)
            case .inUse(let path): .inUse(path: path)
            default: .storage(failure)
            }
    }
}
