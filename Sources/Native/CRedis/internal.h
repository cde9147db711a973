#pragma once

#include <hiredis/read.h>
#include <openssl/ssl.h>
#include <stdbool.h>

#include "CRedis.h"

struct mw_redis_tls {
    SSL_CTX *context;
};

typedef struct mw_redis_block {
    struct mw_redis_block *next;
    size_t size;
    size_t used;
} mw_redis_block;

struct mw_redis {
    int socket;
    SSL *ssl;
    redisReader *reader;
    /// Where the nodes of the present reply lie; the first block stays.
    mw_redis_block *arena;
    size_t arena_bytes;
    size_t reply_limit;
    bool over_limit;
    char *out;
    size_t out_used;
    size_t out_size;
    char problem[256];
};

int mw_redis_fail(mw_redis *connection, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/// Milliseconds for poll until the deadline, 0 when it has passed.
int mw_redis_remaining(uint64_t deadline);
/// Waits until the socket can be read or written.
int mw_redis_wait(mw_redis *connection, short events, uint64_t deadline);

void *mw_redis_arena_take(mw_redis *connection, size_t size);
void mw_redis_arena_reset(mw_redis *connection);
void mw_redis_arena_free(mw_redis *connection);
extern redisReplyObjectFunctions mw_redis_reply_functions;

/// Connects a TCP socket, trying the host's addresses in turn.
int mw_redis_dial(mw_redis *connection, const char *host, int port, uint64_t deadline);
/// Speaks TLS on the connected socket.
int mw_redis_handshake(mw_redis *connection, const char *host, mw_redis_tls *tls, uint64_t deadline);
int mw_redis_tls_send(mw_redis *connection, const char *bytes, size_t size, size_t *sent, uint64_t deadline);
int mw_redis_tls_receive(mw_redis *connection, char *bytes, size_t size, size_t *received, uint64_t deadline);
