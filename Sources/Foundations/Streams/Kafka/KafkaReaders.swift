import Basics
import CKafka
import Synchronization

/// Consumer instances that read single partitions without a group. One that stands where a read goes on is used again.
final class KafkaReaders: Sendable {
    /// One instance and where it stands.
    final class Reader: Sendable {
        let client: KafkaClient
        let thread = BlockingThread(name: "kafka.reader")
        let place = Mutex<(partition: KafkaPartition, offset: Int64)?>(nil)

        init(_ client: KafkaClient) { self.client = client }
    }

    private let make: @Sendable () throws -> KafkaClient
    private let idle = Mutex<[Reader]>([])
    private static let idleLimit = 4

    init(make: @escaping @Sendable () throws -> KafkaClient) { self.make = make }

    /// An instance for one read: one that stands there, else any, else a new one.
    func take(_ partition: KafkaPartition, _ offset: Int64) throws -> (reader: Reader, stands: Bool) {
        let found = idle.withLock { idle -> (Reader, Bool)? in
            let standing = idle.lastIndex { reader in
                reader.place.withLock { $0.map { $0.partition == partition && $0.offset == offset } ?? false }
            }
            if let standing { return (idle.remove(at: standing), true) }
            return idle.isEmpty ? nil : (idle.removeFirst(), false)
        }
        return try found ?? (Reader(try make()), false)
    }

    /// Keeps an instance for later reads.
    func give(_ reader: Reader) {
        let old = idle.withLock { idle -> Reader? in
            idle.append(reader)
            return idle.count > KafkaReaders.idleLimit ? idle.removeFirst() : nil
        }
        old?.client.stop()
    }

    /// Ends all of them.
    func close() async {
        let all = idle.withLock { idle in
            defer { idle = [] }
            return idle
        }
        for reader in all { await reader.client.close() }
    }

    /// Reads from an offset on. Blocks.
    static func read(
        _ reader: Reader, _ partition: KafkaPartition, from offset: Int64, stands: Bool, limit: Int,
        milliseconds: Int32,
        stopsAtEnd: Bool
    ) throws -> KafkaSource.Taken {
        let client = reader.client
        if !stands {
            let code = try KafkaPartitions.with([partition: offset]) { rd_kafka_assign(client.handle.pointer, $0) }
            guard code == RD_KAFKA_RESP_ERR_NO_ERROR else { throw client.failure(code, "reading '\(partition.topic)'") }
        }
        reader.place.withLock { $0 = nil }
        let taken = try KafkaSource(client: client, state: nil).take(
            limit: limit, milliseconds: milliseconds, stopsAtEnd: stopsAtEnd)
        let next = taken.records.last.map { $0.position.offset &+ 1 } ?? offset
        reader.place.withLock { $0 = (partition, next) }
        return taken
    }
}
