import CKafka

print("a Kafka broker in memory, of librdkafka \(String(cString: rd_kafka_version_str()))")
