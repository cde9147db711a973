// Replies as nodes in an arena of the connection: a reply costs no malloc once the first block is large enough.

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static const size_t first_block = 32 << 10;

static mw_redis_block *block_of(size_t size) {
    mw_redis_block *block = malloc(sizeof(mw_redis_block) + size);
    if (!block) return NULL;
    block->next = NULL;
    block->size = size;
    block->used = 0;
    return block;
}

void *mw_redis_arena_take(mw_redis *connection, size_t size) {
    if (size > connection->reply_limit || connection->arena_bytes > connection->reply_limit - size) {
        connection->over_limit = true;
        return NULL;
    }
    size = (size + 15) & ~(size_t)15;
    mw_redis_block *block = connection->arena;
    if (!block || block->size - block->used < size) {
        size_t wanted = block ? block->size * 2 : first_block;
        if (wanted > (4 << 20)) wanted = 4 << 20;
        block = block_of(wanted > size ? wanted : size);
        if (!block) return NULL;
        block->next = connection->arena;
        connection->arena = block;
    }
    void *found = (char *)(block + 1) + block->used;
    block->used += size;
    connection->arena_bytes += size;
    return found;
}

void mw_redis_arena_reset(mw_redis *connection) {
    while (connection->arena && connection->arena->next) {
        mw_redis_block *next = connection->arena->next;
        free(connection->arena);
        connection->arena = next;
    }
    if (connection->arena) connection->arena->used = 0;
    connection->arena_bytes = 0;
}

void mw_redis_arena_free(mw_redis *connection) {
    mw_redis_arena_reset(connection);
    free(connection->arena);
    connection->arena = NULL;
}

static mw_redis_reply *node(const redisReadTask *task, size_t extra) {
    mw_redis_reply *reply = mw_redis_arena_take(task->privdata, sizeof(mw_redis_reply) + extra);
    if (!reply) return NULL;
    memset(reply, 0, sizeof(*reply));
    reply->type = task->type;
    if (task->parent) {
        mw_redis_reply *parent = task->parent->obj;
        parent->elements[task->idx] = reply;
    }
    return reply;
}

static void *make_string(const redisReadTask *task, char *bytes, size_t size) {
    mw_redis_reply *reply = node(task, size + 1);
    if (!reply) return NULL;
    char *copy = (char *)(reply + 1);
    memcpy(copy, bytes, size);
    copy[size] = 0;
    reply->bytes = copy;
    reply->count = size;
    return reply;
}

static void *make_array(const redisReadTask *task, int count) {
    mw_redis_reply *reply = node(task, 0);
    if (!reply) return NULL;
    if (count > 0) {
        reply->elements = mw_redis_arena_take(task->privdata, (size_t)count * sizeof(mw_redis_reply *));
        if (!reply->elements) return NULL;
        memset(reply->elements, 0, (size_t)count * sizeof(mw_redis_reply *));
        reply->count = (size_t)count;
    }
    return reply;
}

static void *make_integer(const redisReadTask *task, long long value) {
    mw_redis_reply *reply = node(task, 0);
    if (reply) reply->integer = value;
    return reply;
}

static void *make_nil(const redisReadTask *task) {
    mw_redis_reply *reply = node(task, 0);
    // The reader knows the kind only as what could have been there.
    if (reply) reply->type = MW_REDIS_NIL;
    return reply;
}

static void forget(void *reply) { (void)reply; }

redisReplyObjectFunctions mw_redis_reply_functions = {
    .createString = make_string,
    .createArray = make_array,
    .createInteger = make_integer,
    .createNil = make_nil,
    .freeObject = forget,
};
