#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

int mw_redis_fail(mw_redis *connection, int code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(connection->problem, sizeof connection->problem, format, arguments);
    va_end(arguments);
    return code;
}

int mw_redis_remaining(uint64_t deadline) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t present = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    if (present >= deadline) return 0;
    uint64_t milliseconds = (deadline - present + 999999) / 1000000;
    return milliseconds > INT_MAX ? INT_MAX : (int)milliseconds;
}

int mw_redis_wait(mw_redis *connection, short events, uint64_t deadline) {
    while (true) {
        struct pollfd item = {.fd = connection->socket, .events = events};
        int remaining = mw_redis_remaining(deadline);
        int ready = remaining > 0 ? poll(&item, 1, remaining) : 0;
        if (ready > 0) return MW_REDIS_OK;
        if (ready == 0) return mw_redis_fail(connection, MW_REDIS_TIMEOUT, "no answer in time");
        if (errno != EINTR) return mw_redis_fail(connection, MW_REDIS_IO, "%s", strerror(errno));
    }
}

mw_redis *mw_redis_new(size_t reply_limit) {
    mw_redis *connection = calloc(1, sizeof(mw_redis));
    if (!connection) return NULL;
    connection->socket = -1;
    connection->reply_limit = reply_limit;
    connection->reader = redisReaderCreateWithFunctions(&mw_redis_reply_functions);
    if (!connection->reader) {
        free(connection);
        return NULL;
    }
    connection->reader->privdata = connection;
    return connection;
}

void mw_redis_free(mw_redis *connection) {
    if (!connection) return;
    SSL_free(connection->ssl);
    if (connection->socket >= 0) close(connection->socket);
    redisReaderFree(connection->reader);
    mw_redis_arena_free(connection);
    free(connection->out);
    free(connection);
}

const char *mw_redis_problem(const mw_redis *connection) { return connection->problem; }

int mw_redis_open(mw_redis *connection, const char *host, int port, mw_redis_tls *tls, uint64_t deadline) {
    int code = mw_redis_dial(connection, host, port, deadline);
    return code == MW_REDIS_OK && tls ? mw_redis_handshake(connection, host, tls, deadline) : code;
}

/// Room for `size` more bytes to send.
static char *room(mw_redis *connection, size_t size) {
    if (size > SIZE_MAX / 4 - connection->out_used) return NULL;
    size_t wanted = connection->out_used + size;
    if (wanted > connection->out_size) {
        size_t larger = connection->out_size ? connection->out_size : 4096;
        while (larger < wanted) larger *= 2;
        char *grown = realloc(connection->out, larger);
        if (!grown) return NULL;
        connection->out = grown;
        connection->out_size = larger;
    }
    return connection->out + connection->out_used;
}

/// Adds a marker and a number as a line.
static int line(mw_redis *connection, char marker, size_t number, size_t extra) {
    char *target = room(connection, 24 + extra);
    if (!target) return mw_redis_fail(connection, MW_REDIS_MEMORY, "out of memory");
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    *target++ = marker;
    for (size_t index = count; index > 0; index--) *target++ = digits[index - 1];
    *target++ = '\r';
    *target++ = '\n';
    connection->out_used += count + 3;
    return MW_REDIS_OK;
}

int mw_redis_begin(mw_redis *connection, size_t count) { return line(connection, '*', count, 0); }

int mw_redis_word(mw_redis *connection, const void *first, size_t first_size, const void *second, size_t second_size) {
    if (first_size > SIZE_MAX / 8 || second_size > SIZE_MAX / 8) {
        return mw_redis_fail(connection, MW_REDIS_MEMORY, "out of memory");
    }
    size_t size = first_size + second_size;
    int code = line(connection, '$', size, size + 2);
    if (code != MW_REDIS_OK) return code;
    char *target = connection->out + connection->out_used;
    if (first_size) memcpy(target, first, first_size);
    if (second_size) memcpy(target + first_size, second, second_size);
    target[size] = '\r';
    target[size + 1] = '\n';
    connection->out_used += size + 2;
    return MW_REDIS_OK;
}

size_t mw_redis_pending(const mw_redis *connection) { return connection->out_used; }

void mw_redis_discard(mw_redis *connection) { connection->out_used = 0; }

int mw_redis_flush(mw_redis *connection, uint64_t deadline) {
    size_t done = 0;
    while (done < connection->out_used) {
        size_t sent = 0;
        if (connection->ssl) {
            int code = mw_redis_tls_send(
                connection, connection->out + done, connection->out_used - done, &sent, deadline);
            if (code != MW_REDIS_OK) return code;
        } else {
            ssize_t result = send(connection->socket, connection->out + done, connection->out_used - done, MSG_NOSIGNAL);
            if (result < 0 && (errno == EAGAIN || errno == EINTR)) {
                int code = mw_redis_wait(connection, POLLOUT, deadline);
                if (code != MW_REDIS_OK) return code;
                continue;
            }
            if (result < 0) return mw_redis_fail(connection, MW_REDIS_CLOSED, "%s", strerror(errno));
            sent = (size_t)result;
        }
        done += sent;
    }
    connection->out_used = 0;
    // A single large change must not keep its memory for ever.
    if (connection->out_size > (1 << 20)) {
        free(connection->out);
        connection->out = NULL;
        connection->out_size = 0;
    }
    return MW_REDIS_OK;
}

static int receive(mw_redis *connection, char *bytes, size_t size, size_t *received, uint64_t deadline) {
    if (connection->ssl) return mw_redis_tls_receive(connection, bytes, size, received, deadline);
    while (true) {
        ssize_t result = recv(connection->socket, bytes, size, 0);
        if (result > 0) {
            *received = (size_t)result;
            return MW_REDIS_OK;
        }
        if (result == 0) return mw_redis_fail(connection, MW_REDIS_CLOSED, "the server closed it");
        if (errno != EAGAIN && errno != EINTR) {
            return mw_redis_fail(connection, MW_REDIS_CLOSED, "%s", strerror(errno));
        }
        int code = mw_redis_wait(connection, POLLIN, deadline);
        if (code != MW_REDIS_OK) return code;
    }
}

int mw_redis_next(mw_redis *connection, uint64_t deadline, const mw_redis_reply **reply) {
    redisReader *reader = connection->reader;
    // Only between replies: nodes of a reply that has begun lie in there.
    mw_redis_arena_reset(connection);
    while (true) {
        void *found = NULL;
        int parsed = redisReaderGetReply(reader, &found);
        if (connection->over_limit || reader->len - reader->pos > connection->reply_limit) {
            return mw_redis_fail(
                connection, MW_REDIS_TOO_LARGE, "a reply has more than %zu bytes", connection->reply_limit);
        }
        if (parsed != REDIS_OK) {
            int code = reader->err == REDIS_ERR_OOM ? MW_REDIS_MEMORY : MW_REDIS_PROTOCOL;
            return mw_redis_fail(connection, code, "it is no reply of Redis: %s", reader->errstr);
        }
        if (found) {
            *reply = found;
            return MW_REDIS_OK;
        }
        char bytes[16384];
        size_t received = 0;
        int code = receive(connection, bytes, sizeof bytes, &received, deadline);
        if (code != MW_REDIS_OK) return code;
        if (redisReaderFeed(reader, bytes, received) != REDIS_OK) {
            return mw_redis_fail(connection, MW_REDIS_MEMORY, "out of memory");
        }
    }
}
