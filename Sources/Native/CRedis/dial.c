// Connecting with a deadline that also bounds the look-up of the name.

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

/// A look-up on a thread of its own: the system's resolver knows no deadline, so whoever is last frees this.
typedef struct {
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool finished;
    bool abandoned;
    int code;
    struct addrinfo *found;
    char host[256];
    char port[8];
} lookup;

static void lookup_free(lookup *item) {
    if (item->found) freeaddrinfo(item->found);
    pthread_cond_destroy(&item->done);
    pthread_mutex_destroy(&item->lock);
    free(item);
}

static int resolve_now(const char *host, const char *port, int flags, struct addrinfo **found) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC, .ai_flags = AI_NUMERICSERV | flags};
    return getaddrinfo(host, port, &hints, found);
}

static void *lookup_run(void *context) {
    lookup *item = context;
    struct addrinfo *found = NULL;
    int code = resolve_now(item->host, item->port, 0, &found);
    pthread_mutex_lock(&item->lock);
    item->code = code;
    item->found = code == 0 ? found : NULL;
    item->finished = true;
    bool abandoned = item->abandoned;
    pthread_cond_signal(&item->done);
    pthread_mutex_unlock(&item->lock);
    if (abandoned) lookup_free(item);
    return NULL;
}

static int resolve(mw_redis *connection, const char *host, int port, uint64_t deadline, struct addrinfo **found) {
    char digits[8];
    snprintf(digits, sizeof digits, "%d", port);
    if (resolve_now(host, digits, AI_NUMERICHOST, found) == 0) return MW_REDIS_OK;
    lookup *item = calloc(1, sizeof(lookup));
    if (!item) return mw_redis_fail(connection, MW_REDIS_MEMORY, "out of memory");
    if (strlen(host) >= sizeof item->host) {
        free(item);
        return mw_redis_fail(connection, MW_REDIS_UNRESOLVED, "the host name is too long");
    }
    strcpy(item->host, host);
    strcpy(item->port, digits);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&item->done, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&item->lock, NULL);
    pthread_t thread;
    if (pthread_create(&thread, NULL, lookup_run, item) != 0) {
        lookup_free(item);
        return mw_redis_fail(connection, MW_REDIS_MEMORY, "no thread for a look-up");
    }
    pthread_detach(thread);
    struct timespec until = {.tv_sec = deadline / 1000000000, .tv_nsec = deadline % 1000000000};
    pthread_mutex_lock(&item->lock);
    while (!item->finished && pthread_cond_timedwait(&item->done, &item->lock, &until) != ETIMEDOUT) {}
    bool finished = item->finished;
    item->abandoned = !finished;
    int code = item->code;
    if (finished && code == 0) {
        *found = item->found;
        item->found = NULL;
    }
    pthread_mutex_unlock(&item->lock);
    if (!finished) return mw_redis_fail(connection, MW_REDIS_TIMEOUT, "its name was not looked up in time");
    lookup_free(item);
    if (code != 0) return mw_redis_fail(connection, MW_REDIS_UNRESOLVED, "no such host: %s", gai_strerror(code));
    return MW_REDIS_OK;
}

static int connect_to(mw_redis *connection, const struct addrinfo *address, uint64_t deadline) {
    int one = 1;
    connection->socket = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->socket < 0) return mw_redis_fail(connection, MW_REDIS_IO, "no socket: %s", strerror(errno));
    setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(connection->socket, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    int code = MW_REDIS_OK;
    if (connect(connection->socket, address->ai_addr, address->ai_addrlen) != 0) {
        int problem = errno;
        if (problem == EINPROGRESS) {
            code = mw_redis_wait(connection, POLLOUT, deadline);
            socklen_t size = sizeof problem;
            if (code == MW_REDIS_OK) getsockopt(connection->socket, SOL_SOCKET, SO_ERROR, &problem, &size);
        }
        if (code == MW_REDIS_OK && problem != 0) {
            code = mw_redis_fail(connection, MW_REDIS_IO, "%s", strerror(problem));
        }
    }
    if (code != MW_REDIS_OK) {
        close(connection->socket);
        connection->socket = -1;
    }
    return code;
}

int mw_redis_dial(mw_redis *connection, const char *host, int port, uint64_t deadline) {
    struct addrinfo *found = NULL;
    int code = resolve(connection, host, port, deadline, &found);
    if (code != MW_REDIS_OK) return code;
    code = mw_redis_fail(connection, MW_REDIS_UNRESOLVED, "the host has no address");
    for (struct addrinfo *address = found; address; address = address->ai_next) {
        code = connect_to(connection, address, deadline);
        if (code == MW_REDIS_OK || code == MW_REDIS_TIMEOUT) break;
    }
    freeaddrinfo(found);
    return code;
}
