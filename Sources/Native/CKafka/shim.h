#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

/// Puts one message into the producer's queue, copying key and value; the headers are the producer's own on success.
static inline rd_kafka_resp_err_t mw_kafka_produce(
    rd_kafka_t *client, const char *topic, int32_t partition, int64_t timestamp, const void *key, size_t key_size,
    const void *value, size_t value_size, rd_kafka_headers_t *headers, void *opaque) {
    if (headers)
        return rd_kafka_producev(
            client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_TIMESTAMP(timestamp),
            RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_VALUE((void *)value, value_size),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(opaque),
            RD_KAFKA_V_END);
    return rd_kafka_producev(
        client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_TIMESTAMP(timestamp),
        RD_KAFKA_V_KEY(key, key_size), RD_KAFKA_V_VALUE((void *)value, value_size),
        RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_OPAQUE(opaque), RD_KAFKA_V_END);
}
