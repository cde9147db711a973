import Basics
import CKafka

/// Records to and from the library's messages.
enum KafkaMessages {
    /// Hands a record to a producer, which copies it.
    /// - Parameter opaque: comes back with the report; nil where none is awaited.
    static func produce(
        _ record: StreamRecord, to topic: String, partition: Int32, now: Timestamp, with handle: KafkaHandle,
        opaque: UnsafeMutableRawPointer?
    ) -> rd_kafka_resp_err_t {
        var headers: OpaquePointer?
        if !record.headers.isEmpty {
            headers = rd_kafka_headers_new(record.headers.count)
            for header in record.headers {
                let code = header.value.withUnsafeBytes {
                    rd_kafka_header_add(headers, header.name, -1, $0.baseAddress ?? empty, $0.count)
                }
                guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
                    rd_kafka_headers_destroy(headers)
                    return code
                }
            }
        }
        let time = max(0, record.milliseconds(now: now))
        let code = record.value.withUnsafeBytes { value in
            guard let key = record.key else {
                return mw_kafka_produce(
                    handle.pointer, topic, partition, time, nil, 0, value.baseAddress ?? empty, value.count, headers,
                    opaque)
            }
            return key.withUnsafeBytes { key in
                mw_kafka_produce(
                    handle.pointer, topic, partition, time, key.baseAddress ?? empty, key.count,
                    value.baseAddress ?? empty, value.count, headers, opaque)
            }
        }
        if code != RD_KAFKA_RESP_ERR_NO_ERROR, let headers { rd_kafka_headers_destroy(headers) }
        return code
    }

    /// A message as a record; the message stays the library's.
    static func record(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> StreamRecord {
        let own = message.pointee
        var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
        let time = rd_kafka_message_timestamp(message, &type)
        return StreamRecord(
            key: own.key.map { Array(UnsafeRawBufferPointer(start: $0, count: own.key_len)) },
            value: Array(UnsafeRawBufferPointer(start: own.payload, count: own.payload == nil ? 0 : own.len)),
            headers: headers(message), timestamp: StreamRecord.timestamp(milliseconds: max(0, time)))
    }

    private static func headers(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> [StreamRecord.Header] {
        var list: OpaquePointer?
        guard rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return [] }
        var headers: [StreamRecord.Header] = []
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while rd_kafka_header_get_all(list, headers.count, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
            headers.append(
                StreamRecord.Header(
                    name.map { String(cString: $0) } ?? "",
                    Array(UnsafeRawBufferPointer(start: value, count: value == nil ? 0 : size))))
        }
        return headers
    }

    // A pointer to no bytes: an empty key or value is not the same as none.
    private static var empty: UnsafeRawPointer {
        UnsafeRawPointer(bitPattern: 1) ?? UnsafeRawPointer(rd_kafka_version_str())
    }
}
