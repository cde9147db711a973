#pragma once

#include <stddef.h>
#include <stdint.h>

// A connection to one server of the Redis protocol: socket, TLS, deadlines and pipelining around hiredis' reader.
// A connection is used by one thread at a time. Deadlines are nanoseconds of CLOCK_MONOTONIC. No call outlasts its
// deadline, and none raises SIGPIPE.

/// How a call ended. After any end but MW_REDIS_OK the connection can only be freed.
enum {
    MW_REDIS_OK = 0,
    MW_REDIS_TIMEOUT = 1,
    MW_REDIS_CLOSED = 2,
    MW_REDIS_IO = 3,
    MW_REDIS_PROTOCOL = 4,
    MW_REDIS_TOO_LARGE = 5,
    MW_REDIS_MEMORY = 6,
    MW_REDIS_TLS = 7,
    MW_REDIS_UNRESOLVED = 8,
};

/// What a reply is.
enum {
    MW_REDIS_STRING = 1,
    MW_REDIS_ARRAY = 2,
    MW_REDIS_INTEGER = 3,
    MW_REDIS_NIL = 4,
    MW_REDIS_STATUS = 5,
    MW_REDIS_ERROR = 6,
};

/// A reply or an element of one; lies in memory of its connection until the next reply is asked for.
typedef struct mw_redis_reply {
    int type;
    long long integer;
    /// Of a string, status or error.
    const char *bytes;
    /// Bytes of a string, elements of an array.
    size_t count;
    struct mw_redis_reply **elements;
} mw_redis_reply;

typedef struct mw_redis mw_redis;
typedef struct mw_redis_tls mw_redis_tls;

/// What TLS connections of one store share.
/// `ca` is a file of authorities (NULL: the system's), `certificate` a file and `key` a text in PEM (both or none).
/// Returns NULL and tells why in `error`.
mw_redis_tls *mw_redis_tls_new(const char *ca, const char *certificate, const char *key, char *error, size_t size);
void mw_redis_tls_free(mw_redis_tls *tls);

/// A connection that is not open yet; NULL when memory is out. `reply_limit` bounds the bytes one reply may take.
mw_redis *mw_redis_new(size_t reply_limit);
void mw_redis_free(mw_redis *connection);
/// What went wrong in the last call that did not end with MW_REDIS_OK.
const char *mw_redis_problem(const mw_redis *connection);

/// Opens the connection; with `tls` the server's certificate must be of `host`.
int mw_redis_open(mw_redis *connection, const char *host, int port, mw_redis_tls *tls, uint64_t deadline);

/// Adds the start of a command of `count` words to what will be sent.
int mw_redis_begin(mw_redis *connection, size_t count);
/// Adds one word, made of two parts.
int mw_redis_word(mw_redis *connection, const void *first, size_t first_size, const void *second, size_t second_size);
/// Bytes added and not sent yet.
size_t mw_redis_pending(const mw_redis *connection);
/// Forgets the bytes added and not sent yet.
void mw_redis_discard(mw_redis *connection);
/// Sends what was added.
int mw_redis_flush(mw_redis *connection, uint64_t deadline);
/// The next reply.
int mw_redis_next(mw_redis *connection, uint64_t deadline, const mw_redis_reply **reply);

/// The SHA-1 of some bytes, as a server names scripts: 40 hexadecimal digits and a zero; empty where there is no SHA-1.
void mw_redis_sha1(const void *bytes, size_t size, char *digest);
