#include "CLightGBM.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define TABLE_FIELD(result, name, parameters, arguments) result(*name) parameters;
static struct {
    MW_LGBM_FUNCTIONS(TABLE_FIELD)
} found_functions;

// Written once, before any thread is told that the library is open.
static char missing[512];

static void keep_missing(void) {
    const char *reason = dlerror();
    snprintf(missing, sizeof missing, "%s", reason ? reason : "the loader gives no reason");
}

// The loader looks where this binary was linked to look (../lib beside it, then the package's own folder), then where the
// system keeps libraries.
static void load(void) {
    void *library = dlopen("lib_lightgbm.so", RTLD_LAZY | RTLD_LOCAL);
    if (!library) {
        keep_missing();
        return;
    }
#define FIND(result, name, parameters, arguments)                                                                      \
    if (!(*(void **)&found_functions.name = dlsym(library, #name))) {                                                  \
        keep_missing();                                                                                                \
        return;                                                                                                        \
    }
    MW_LGBM_FUNCTIONS(FIND)
}

const char *mw_lgbm_load(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, load);
    return missing[0] ? missing : NULL;
}

#define FORWARD(result, name, parameters, arguments)                                                                   \
    result name parameters { return found_functions.name arguments; }
MW_LGBM_FUNCTIONS(FORWARD)

enum { LOG_CAPACITY = 8192 };

static _Thread_local char log_text[LOG_CAPACITY];
static _Thread_local size_t log_length;
static _Thread_local int log_captured;

static void keep(const char *line) {
    size_t length = line ? strlen(line) : 0;
    if (length > LOG_CAPACITY) length = LOG_CAPACITY;
    if (log_length + length > LOG_CAPACITY) {
        // The newest lines explain a failure best, so the oldest make room.
        size_t drop = log_length + length - LOG_CAPACITY;
        memmove(log_text, log_text + drop, log_length - drop);
        log_length -= drop;
    }
    memcpy(log_text + log_length, line ? line : "", length);
    log_length += length;
}

void mw_lgbm_capture_log(void) {
    if (log_captured) return;
    log_captured = LGBM_RegisterLogCallback(keep) == 0;
}

size_t mw_lgbm_take_log(char *buffer, size_t capacity) {
    size_t length = log_length < capacity ? log_length : capacity;
    if (buffer && length) memcpy(buffer, log_text, length);
    log_length = 0;
    return buffer ? length : 0;
}
